select partition, record_offset, reason
from stripeline.rebuild_unreadable
where database_schema = $1::text and table_name = $2::text
order by partition, record_offset
