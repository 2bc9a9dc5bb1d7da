select dead.topic, dead.partition, array_agg(dead.record_offset)
from stripeline.dead_letter as dead
join unnest($2::text[], $3::integer[], $4::bigint[]) as mine (topic, partition, next_offset)
    on dead.topic = mine.topic
    and dead.partition = mine.partition
    and dead.record_offset >= mine.next_offset - $5::bigint
    and dead.record_offset < mine.next_offset
where dead.database_schema = $1::text
group by dead.topic, dead.partition
