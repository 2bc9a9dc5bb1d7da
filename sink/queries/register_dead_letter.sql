insert into stripeline.dead_letter (
    database_schema, topic, partition, record_offset, record_key, record_value,
    reason, summary, died_at
)
values (
    $1::text, $2::text, $3::integer, $4::bigint, $5::bytea, $6::bytea,
    $7::text, $8::text, now()
)
on conflict (database_schema, topic, partition, record_offset) do nothing
