insert into stripeline.partition_offset as mine (
    database_schema, topic, partition, next_offset, fence, dead_letters_in_a_row, claimed_at
)
select $1::text, theirs.topic, theirs.partition, 0, 1, 0, now()
from unnest($2::text[], $3::integer[]) as theirs (topic, partition)
order by theirs.topic, theirs.partition
on conflict (database_schema, topic, partition) do update
set fence = mine.fence + 1, claimed_at = now()
returning topic, partition, next_offset, fence, dead_letters_in_a_row
