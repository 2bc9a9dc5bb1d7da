"""Batches are as large as they may be and as a line to Kafka lets them be."""

from hypothesis import given
from hypothesis import strategies as st

from producer.portions import QUICK_SECONDS, Portions
from producer.reading import InboxRecord


def records(*sizes: int) -> list[InboxRecord]:
    return [
        InboxRecord(key=b"k", value=bytes(size), headers=[], partition=0, offset=offset)
        for offset, size in enumerate(sizes)
    ]


def batches(portions: Portions) -> list[list[InboxRecord]]:
    found = []
    while batch := portions.next():
        found.append(batch)
    return found


@given(
    sizes=st.lists(st.integers(0, 50), max_size=40),
    records_max=st.integers(1, 9),
    bytes_max=st.integers(1, 99),
    failures=st.integers(0, 12),
)
def test_every_record_is_in_one_batch_in_order_and_no_batch_is_too_large(
    sizes: list[int], records_max: int, bytes_max: int, failures: int
) -> None:
    portions = Portions(records_max=records_max, bytes_max=bytes_max)
    for _ in range(failures):
        portions.failed()
    told = records(*sizes)
    portions.add(told)
    cut = batches(portions)
    assert [one for batch in cut for one in batch] == told
    for batch in cut:
        assert len(batch) <= records_max
        assert len(batch) == 1 or sum(len(one.value) for one in batch) <= bytes_max
    assert not portions


def test_after_a_failure_batches_are_half_as_large_until_a_quick_one() -> None:
    portions = Portions(records_max=8, bytes_max=80)
    portions.failed()
    portions.committed(seconds=QUICK_SECONDS + 1)
    portions.add(records(*[1] * 8))
    assert [len(batch) for batch in batches(portions)] == [4, 4]
    portions.add(records(*[20] * 4))
    assert [len(batch) for batch in batches(portions)] == [2, 2]
    portions.committed(seconds=QUICK_SECONDS)
    portions.committed(seconds=0.0)
    portions.add(records(*[10] * 9))
    assert [len(batch) for batch in batches(portions)] == [8, 1]


def test_after_any_number_of_failures_a_record_is_a_batch_and_it_grows_again() -> None:
    portions = Portions(records_max=2_000, bytes_max=16_777_216)
    for _ in range(1_000):
        portions.failed()
    assert portions.records_max == 1
    for _ in range(10):
        portions.committed(seconds=0.0)
    assert portions.records_max == 2_000


def test_what_is_forgotten_is_in_no_batch() -> None:
    portions = Portions(records_max=2, bytes_max=10)
    portions.add(records(1, 1, 1))
    assert len(portions.next()) == 2
    portions.forget()
    assert batches(portions) == []
