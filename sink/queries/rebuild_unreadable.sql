delete from {difference} as found
using stripeline.rebuild_unreadable as dead
where dead.database_schema = $1::text
    and dead.table_name = $2::text
    and convert_to({record_key}, 'UTF8') = dead.record_key
