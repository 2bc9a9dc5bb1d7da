select mine.topic, mine.partition, mine.next_offset
from stripeline.partition_offset as mine
join unnest($2::text[], $3::integer[]) as wanted (topic, partition)
    on mine.topic = wanted.topic and mine.partition = wanted.partition
where mine.database_schema = $1::text
