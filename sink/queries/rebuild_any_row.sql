select exists (select from {target})::integer
