-- How far a rebuild has read a topic into its shadow. Unlogged, as the shadow is: a crash of
-- Postgres empties both, and the rebuild begins again.
create unlogged table stripeline.rebuild_progress (
    database_schema text not null,
    table_name text not null,
    partition integer not null,
    topic_id text not null,
    next_offset bigint not null,
    records bigint not null,
    schema_ids integer[] not null,
    primary key (database_schema, table_name, partition)
);

comment on table stripeline.rebuild_progress is
    'How far a rebuild that runs, or was interrupted, has read its topic.';

create unlogged table stripeline.rebuild_unreadable (
    database_schema text not null,
    table_name text not null,
    partition integer not null,
    record_offset bigint not null,
    record_key bytea,
    reason text not null,
    primary key (database_schema, table_name, partition, record_offset)
);

comment on table stripeline.rebuild_unreadable is
    'Records that a rebuild could not read; the rows of their keys are left as they are.';
