insert into stripeline.partition_offset (
    database_schema, topic, partition, next_offset, fence, dead_letters_in_a_row, claimed_at
)
select $1::text, start.topic, start.partition, start.record_offset, 0, 0, now()
from unnest($2::text[], $3::integer[], $4::bigint[]) as start (topic, partition, record_offset)
on conflict do nothing
