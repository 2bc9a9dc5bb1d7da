insert into stripeline.kept_column (
    database_schema, table_name, column_name, sql_type, since_schema_id, since, index_due
)
select
    $1::text, $2::text, theirs.column_name, theirs.sql_type, $6::integer, now(), theirs.index_due
from unnest($3::text[], $4::text[], $5::boolean[])
    as theirs (column_name, sql_type, index_due)
on conflict (database_schema, table_name, column_name) do nothing
