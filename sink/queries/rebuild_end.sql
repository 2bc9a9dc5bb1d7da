with progress as (
    delete from stripeline.rebuild_progress
    where database_schema = $1::text and table_name = $2::text
)
delete from stripeline.rebuild_unreadable
where database_schema = $1::text and table_name = $2::text
