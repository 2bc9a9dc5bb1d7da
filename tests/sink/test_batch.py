"""Cutting batches, and counting the dead in a row."""

from hypothesis import given
from hypothesis import strategies as st

from sink.batch import Partition, Place, Record, longest_run, place_of, runs_after
from tests.sink.changes import Held, batch_of

ONE, TWO = Partition("t.ticket", 0), Partition("t.ticket", 1)


def record(partition: int, offset: int) -> Held:
    return Held(value_=b"", offset_=offset, partition_=partition)


@st.composite
def read_records(draw: st.DrawFn) -> list[Record]:
    """Records of up to three partitions, interleaved, offsets rising with gaps."""
    records: list[Record] = []
    reached = [0, 0, 0]
    for partition in draw(st.lists(st.integers(0, 2), min_size=2, max_size=30)):
        reached[partition] += draw(st.integers(1, 3))
        records.append(record(partition, reached[partition]))
    return records


def test_reading_goes_on_after_the_last_record_of_each_partition() -> None:
    batch = batch_of([record(0, 4), record(1, 9), record(0, 7)])
    assert batch.next_offsets() == {ONE: 8, TWO: 10}


@given(read_records())
def test_the_halves_move_the_offsets_as_the_whole_does(records: list[Record]) -> None:
    whole = batch_of(records)
    earlier, later = whole.halves()
    assert {**earlier.next_offsets(), **later.next_offsets()} == whole.next_offsets()
    assert [*earlier.records, *later.records] == list(whole.records)


@given(read_records())
def test_the_earlier_half_never_passes_a_record_of_the_later(records: list[Record]) -> None:
    earlier, later = batch_of(records).halves()
    reached = earlier.next_offsets()
    for left in later.records:
        place = place_of(left)
        assert place.offset >= reached.get(place.partition, 0)


def test_a_batch_without_a_partition_keeps_the_others() -> None:
    batch = batch_of([record(0, 4), record(1, 9), record(0, 7)])
    assert batch.without({ONE}).next_offsets() == {TWO: 10}


def test_a_run_of_dead_records_is_counted_by_partition_and_across_batches() -> None:
    records = [record(0, 4), record(1, 4), record(0, 5), record(1, 5)]
    dead = {Place(partition=ONE, offset=4), Place(partition=ONE, offset=5)}
    assert longest_run(records, dead, {ONE: 3}) == (ONE, 5)
    assert runs_after(records, dead, {ONE: 3, TWO: 2}) == {ONE: 5, TWO: 0}


def test_a_good_record_ends_the_run() -> None:
    records = [record(0, 4), record(0, 5), record(0, 6)]
    dead = {Place(partition=ONE, offset=4), Place(partition=ONE, offset=6)}
    assert longest_run(records, dead, {}) == (ONE, 1)
    assert runs_after(records, dead, {ONE: 7}) == {ONE: 1}
