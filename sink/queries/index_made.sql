update stripeline.kept_column
set index_due = false
where database_schema = $1::text and table_name = $2::text and column_name = $3::text
