insert into stripeline.rebuild_progress (
    database_schema, table_name, partition, topic_id, next_offset, records, schema_ids
)
select $1::text, $2::text, start.partition, $3::text, start.record_offset, 0, '{}'
from unnest($4::integer[], $5::bigint[]) as start (partition, record_offset)
