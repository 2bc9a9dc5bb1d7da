select column_name, index_due from stripeline.kept_column
where database_schema = $1::text and table_name = $2::text
