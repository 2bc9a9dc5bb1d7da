update stripeline.rebuild_progress
set next_offset = $5::bigint,
    records = records + $6::bigint,
    schema_ids = array(select distinct one from unnest(schema_ids || $7::integer[]) as one)
where database_schema = $1::text
    and table_name = $2::text
    and partition = $3::integer
    and next_offset = $4::bigint
