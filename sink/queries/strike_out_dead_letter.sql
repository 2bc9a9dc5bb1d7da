delete from stripeline.dead_letter
where database_schema = $1::text
    and topic = $2::text
    and partition = $3::integer
    and record_offset = $4::bigint
