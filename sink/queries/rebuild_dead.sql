insert into stripeline.rebuild_unreadable (
    database_schema, table_name, partition, record_offset, record_key, reason
)
values ($1::text, $2::text, $3::integer, $4::bigint, $5::bytea, $6::text)
