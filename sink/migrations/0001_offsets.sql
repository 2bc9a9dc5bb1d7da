-- How far each partition's records are in the tables, and who may move it.
create table stripeline.partition_offset (
    database_schema text not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    fence bigint not null,
    dead_letters_in_a_row integer not null,
    claimed_at timestamptz not null,
    moved_at timestamptz,
    primary key (database_schema, topic, partition)
);

comment on table stripeline.partition_offset is
    'How far each Kafka partition is written; moves in the transaction that writes the rows.';
comment on column stripeline.partition_offset.database_schema is 'Where the rows go.';
comment on column stripeline.partition_offset.next_offset is 'The first offset not yet written.';
comment on column stripeline.partition_offset.fence is
    'Rises with each claim; a sink with an older number can no longer write.';
comment on column stripeline.partition_offset.dead_letters_in_a_row is
    'Records before next_offset, one after the other, that could not be written.';

create function stripeline.advance(
    target text,
    topics text[],
    partitions integer[],
    fences bigint[],
    reached bigint[],
    next_offsets bigint[],
    dead_in_a_row integer[]
) returns void language plpgsql as $$
declare
    moved integer;
begin
    update stripeline.partition_offset as mine
    set next_offset = theirs.next_offset,
        dead_letters_in_a_row = theirs.dead_in_a_row,
        moved_at = now()
    from unnest(topics, partitions, fences, reached, next_offsets, dead_in_a_row)
        as theirs (topic, partition, fence, reached, next_offset, dead_in_a_row)
    where mine.database_schema = target
        and mine.topic = theirs.topic
        and mine.partition = theirs.partition
        and mine.fence = theirs.fence
        -- The second: this very transaction was committed before, and its answer was lost.
        and mine.next_offset in (theirs.reached, theirs.next_offset);
    get diagnostics moved = row_count;
    if moved <> cardinality(topics) then
        raise exception 'a partition is claimed, or its offset moved, by somebody else' using errcode = 'SL001';
    end if;
end
$$;

comment on function stripeline.advance is
    'Moves offsets, or fails with SL001 where a fence or an offset is not what the caller knows.';
