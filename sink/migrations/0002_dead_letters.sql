-- The records that could not be written, kept until somebody has looked at them.
create table stripeline.dead_letter (
    database_schema text not null,
    topic text not null,
    partition integer not null,
    record_offset bigint not null,
    record_key bytea,
    record_value bytea,
    reason text not null,
    summary text not null,
    died_at timestamptz not null,
    primary key (database_schema, topic, partition, record_offset)
);

comment on table stripeline.dead_letter is
    'Records that could not be written; the Kafka topic of dead letters has them, too.';
comment on column stripeline.dead_letter.reason is 'An error''s class or an SQLSTATE.';
comment on column stripeline.dead_letter.summary is
    'What was refused, by the names of table, column and constraint; never a value.';
comment on column stripeline.dead_letter.record_value is 'The bytes as they stand in Kafka.';
