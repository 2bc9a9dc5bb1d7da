select coalesce(min(number) - 1, 0), coalesce(max(number), 0) from {difference} where finding = $1
