"""The writer against every refusal: what is waited for, what is cut, what ends it."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.clock import SystemClock
from sink.batch import Partition, Place, Record, place_of
from sink.errors import SinkStopped, TooManyDeadLetters, WriteRefused
from sink.outcomes import Claimed, Counted, Failed, Fenced, Outcome, Written
from sink.writer import Writer
from tests.end_to_end.services import eventually
from tests.sink.changes import Held, Workshop, batch_of, change
from tests.sink.memory_database import MemoryDatabase, MemoryDeadLetters

BAD_VALUE, NO_RIGHT, NO_TABLE = "22P02", "42501", "42P01"
ONE, TWO = Partition("t.ticket", 0), Partition("t.ticket", 1)
WORKSHOP = Workshop()
LOADER = WORKSHOP.loader()


def records(count: int, *, partition: int = 0) -> list[Held]:
    return WORKSHOP.records(
        [change(f"o{number}", number) for number in range(count)], partition=partition
    )


def place(offset: int, partition: Partition = ONE) -> Place:
    return Place(partition=partition, offset=offset)


def written(
    database: MemoryDatabase,
    *batches: Sequence[Record],
    letters: MemoryDeadLetters | None = None,
    in_a_row_max: int = 3,
    per_thousand_max: int = 100,
) -> list[Outcome]:
    """What became of batches that a writer was given, one after the other."""
    writer = Writer(
        database=database,
        dead_letters=letters or MemoryDeadLetters(),
        reload=LOADER.load,
        clock=SystemClock(),
        dead_letters_in_a_row_max=in_a_row_max,
        dead_letters_per_thousand_max=per_thousand_max,
    )
    writer.start()
    writer.claim({ONE, TWO})
    outcomes: list[Outcome] = []
    for batch in batches:
        assert writer.free(wait_seconds=10)
        writer.hand_over(LOADER.load(batch_of(batch)))
    ours = [
        record
        for batch in batches
        for record in batch
        if place_of(record).partition not in database.lost_partitions
    ]

    def settled() -> bool:
        outcomes.extend(writer.take_outcomes())
        done = sum(outcome.records for outcome in outcomes if isinstance(outcome, Written))
        return done >= len(ours) or any(isinstance(one, Failed) for one in outcomes)

    # A writer that is told to finish during an outage does not wait for its end.
    eventually(settled, seconds_max=10, what="all is written, or the writer has ended")
    writer.finish()
    return outcomes + writer.take_outcomes()


def error_of(outcomes: list[Outcome]) -> Exception:
    (failed,) = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    return failed.error


def test_a_load_is_one_transaction() -> None:
    database = MemoryDatabase()
    outcomes = written(database, records(10))
    assert database.transactions == 1
    assert database.next_offsets == {ONE: 10}
    told = [type(outcome) for outcome in outcomes if not isinstance(outcome, Counted)]
    assert told == [Claimed, Written]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 24), st.sets(st.integers(0, 23), max_size=6))
def test_exactly_the_refused_records_die_and_the_rest_are_written_in_order(
    count: int, bad: set[int]
) -> None:
    poison = {place(offset): BAD_VALUE for offset in bad}
    database, letters = MemoryDatabase(poison=poison), MemoryDeadLetters()
    written(database, records(count), letters=letters, in_a_row_max=100)
    died = sorted(offset for offset in bad if offset < count)
    assert [one.record.offset() for one in letters.letters] == died
    assert sorted(one.offset for one in database.dead) == died
    assert [one.offset for one in database.rows] == [
        offset for offset in range(count) if offset not in bad
    ]
    assert database.next_offsets == {ONE: count}


def test_a_dead_letter_tells_the_sqlstate() -> None:
    database, letters = MemoryDatabase(poison={place(1): BAD_VALUE}), MemoryDeadLetters()
    outcomes = written(database, records(3), letters=letters)
    assert [one.reason for one in letters.letters] == [BAD_VALUE]
    assert [dict(one.dead) for one in outcomes if isinstance(one, Written) and one.dead] == [
        {BAD_VALUE: 1}
    ]


def test_an_outage_is_waited_for_and_nothing_dies() -> None:
    database, letters = MemoryDatabase(away=3), MemoryDeadLetters()
    written(database, records(5), letters=letters)
    assert len(database.rows) == 5
    assert letters.letters == []


def test_the_offset_never_passes_a_dead_letter_that_kafka_has_not_acknowledged() -> None:
    database = MemoryDatabase(poison={place(1): BAD_VALUE})
    letters = MemoryDeadLetters(away=2)
    written(database, records(3), letters=letters)
    assert [one.record.offset() for one in letters.letters] == [1]
    assert database.next_offsets == {ONE: 3}


def test_a_dead_letter_is_sent_once_although_postgres_goes_away_after_it() -> None:
    garbage = Held(value_=b"garbage", offset_=1)
    database, letters = MemoryDatabase(away=2), MemoryDeadLetters()
    written(database, [records(1)[0], garbage], letters=letters)
    assert [one.record.offset() for one in letters.letters] == [1]
    assert database.next_offsets == {ONE: 2}


def test_too_many_dead_letters_in_a_row_stop_the_writer_before_the_next_one() -> None:
    database = MemoryDatabase(poison={place(offset): BAD_VALUE for offset in range(10)})
    letters = MemoryDeadLetters()
    outcomes = written(database, records(10), letters=letters, in_a_row_max=3)
    assert isinstance(error_of(outcomes), TooManyDeadLetters)
    assert [one.record.offset() for one in letters.letters] == [0, 1, 2]
    assert database.next_offsets == {ONE: 3}


def test_a_restart_does_not_begin_to_count_anew() -> None:
    database = MemoryDatabase(poison={place(0): BAD_VALUE}, in_a_row={ONE: 3})
    letters = MemoryDeadLetters()
    outcomes = written(database, records(1), letters=letters, in_a_row_max=3)
    assert isinstance(error_of(outcomes), TooManyDeadLetters)
    assert letters.letters == []
    assert database.next_offsets == {}


def test_too_many_dead_letters_within_a_thousand_stop_the_writer() -> None:
    bad = {place(offset): BAD_VALUE for offset in range(0, 10, 2)}
    database, letters = MemoryDatabase(poison=bad), MemoryDeadLetters()
    outcomes = written(database, records(10), letters=letters, per_thousand_max=3)
    assert isinstance(error_of(outcomes), TooManyDeadLetters)
    assert [one.record.offset() for one in letters.letters] == [0, 2, 4]
    assert database.next_offsets == {ONE: 6}


def test_what_died_lately_counts_after_a_restart() -> None:
    database = MemoryDatabase(
        poison={place(500): BAD_VALUE}, died_lately={ONE: (1, 7, 9)}, next_offsets={ONE: 500}
    )
    outcomes = written(database, [records(501)[500]], per_thousand_max=3)
    assert isinstance(error_of(outcomes), TooManyDeadLetters)
    assert database.next_offsets == {ONE: 500}


def test_one_partitions_dead_letters_do_not_count_for_another() -> None:
    bad = {place(0): BAD_VALUE, place(1): BAD_VALUE}
    bad |= {place(offset, TWO): BAD_VALUE for offset in (0, 1)}
    database, letters = MemoryDatabase(poison=bad), MemoryDeadLetters()
    written(database, [*records(4), *records(4, partition=1)], letters=letters, in_a_row_max=2)
    assert len(letters.letters) == 4
    assert database.next_offsets == {ONE: 4, TWO: 4}


@pytest.mark.parametrize("sqlstate", [NO_RIGHT, NO_TABLE, "XX001", "28P01"])
def test_what_every_record_shares_drains_nothing_into_the_dead_letters(sqlstate: str) -> None:
    database = MemoryDatabase(poison={place(offset): sqlstate for offset in range(8)})
    letters = MemoryDeadLetters()
    outcomes = written(database, records(8), letters=letters)
    error = error_of(outcomes)
    assert isinstance(error, WriteRefused)
    assert isinstance(error, SinkStopped)
    assert str(error).startswith(sqlstate)
    assert letters.letters == []
    assert database.next_offsets == {}


def test_a_table_that_changed_under_the_sink_is_looked_at_once_more() -> None:
    database = MemoryDatabase(poison={place(0): NO_TABLE})
    written(database, records(1))
    assert database.looked_again == 1


def test_records_of_a_lost_partition_are_dropped_and_the_rest_are_written() -> None:
    database = MemoryDatabase(lost_partitions={ONE})
    outcomes = written(database, [*records(3), *records(3, partition=1)])
    assert {one.partition for one in database.rows} == {TWO}
    assert database.next_offsets == {TWO: 3}
    assert [one.fences for one in outcomes if isinstance(one, Fenced)] == [{ONE: 1}]


def test_after_an_outage_every_partition_is_looked_at_for_the_server_may_be_another() -> None:
    database = MemoryDatabase(away=1, lost_partitions={TWO})
    outcomes = written(database, records(2))
    assert database.next_offsets == {ONE: 2}
    assert [one.fences for one in outcomes if isinstance(one, Fenced)] == [{TWO: 1}]


def test_a_refused_dead_letter_does_not_die_again() -> None:
    database = MemoryDatabase(poison={place(0): BAD_VALUE}, register_refuses=BAD_VALUE)
    assert isinstance(error_of(written(database, records(1))), WriteRefused)
    assert database.next_offsets == {}


def test_a_writer_told_to_finish_writes_what_it_was_given() -> None:
    database = MemoryDatabase()
    written(database, records(2), [Held(value_=None, offset_=2)])
    assert database.next_offsets == {ONE: 3}


def test_open_letters_are_told_after_a_claim_and_after_a_death() -> None:
    database = MemoryDatabase(poison={place(1): BAD_VALUE}, died_lately={TWO: (7,)})
    outcomes = written(database, records(3))
    told = [dict(one.letters) for one in outcomes if isinstance(one, Counted)]
    assert {partition: one.lately for partition, one in told[0].items()} == {TWO: (7,)}
    assert {partition: one.lately for partition, one in told[-1].items()} == {ONE: (1,), TWO: (7,)}
