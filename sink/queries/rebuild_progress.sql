select partition, topic_id, next_offset, records, schema_ids
from stripeline.rebuild_progress
where database_schema = $1::text and table_name = $2::text
order by partition
