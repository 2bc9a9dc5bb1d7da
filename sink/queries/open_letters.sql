select
    mine.topic,
    mine.partition,
    dead.reason,
    count(*),
    coalesce(
        array_agg(dead.record_offset) filter (
            where dead.record_offset >= mine.next_offset - $5::bigint
                and dead.record_offset < mine.next_offset
        ),
        '{}'
    )
from unnest($2::text[], $3::integer[], $4::bigint[]) as mine (topic, partition, next_offset)
join stripeline.dead_letter as dead
    on dead.topic = mine.topic and dead.partition = mine.partition
where dead.database_schema = $1::text
group by mine.topic, mine.partition, dead.reason
