insert into stripeline.kept_column (
    database_schema, table_name, column_name, sql_type, since_schema_id, since
)
select $1::text, $2::text, theirs.column_name, theirs.sql_type, $5::integer, now()
from unnest($3::text[], $4::text[]) as theirs (column_name, sql_type)
on conflict (database_schema, table_name, column_name) do nothing
