select theirs.topic, theirs.partition
from unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[])
    as theirs (topic, partition, fence, reached, next_offset)
left join stripeline.partition_offset as mine
    on mine.database_schema = $1::text
    and mine.topic = theirs.topic
    and mine.partition = theirs.partition
    and mine.fence = theirs.fence
    and mine.next_offset in (theirs.reached, theirs.next_offset)
where mine.topic is null
