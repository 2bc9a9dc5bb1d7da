-- Which columns of which tables are the sink's: it sets those that a record lacks to null, and
-- never touches a column that somebody else added.
create table stripeline.kept_column (
    database_schema text not null,
    table_name text not null,
    column_name text not null,
    sql_type text not null,
    since_schema_id integer not null,
    since timestamptz not null,
    primary key (database_schema, table_name, column_name)
);

comment on table stripeline.kept_column is 'The columns that the sink writes.';
comment on column stripeline.kept_column.since_schema_id is
    'The registry''s id of the first schema that had the column.';
