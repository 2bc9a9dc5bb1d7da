"""Too many dead records of one partition within a thousand."""

from hypothesis import given
from hypothesis import strategies as st

from sink.batch import Partition, Place
from sink.death_rate import SPAN, DeathRate

ONE, TWO = Partition("t.ticket", 0), Partition("t.ticket", 1)


def places(*offsets: int, partition: Partition = ONE) -> list[Place]:
    return [Place(partition=partition, offset=offset) for offset in offsets]


def test_as_many_as_are_borne_are_borne_and_one_more_is_not() -> None:
    rate = DeathRate(dead_max=2)
    rate.note(places(0, 500))
    assert rate.exceeded_by(places(SPAN)) is None
    assert rate.exceeded_by(places(SPAN - 1)) == (ONE, 3)
    assert rate.exceeded_by(places(SPAN - 1, partition=TWO)) is None


def test_what_died_before_a_restart_counts() -> None:
    rate = DeathRate(dead_max=2)
    rate.begin(ONE, [700, 600])
    assert rate.exceeded_by(places(900)) == (ONE, 3)


def test_the_same_record_counts_once() -> None:
    rate = DeathRate(dead_max=1)
    rate.note(places(7))
    assert rate.exceeded_by(places(7)) is None


@given(
    st.lists(st.sets(st.integers(0, 3 * SPAN), max_size=20), max_size=6),
    st.integers(1, 10),
)
def test_however_they_come_more_than_borne_within_the_span_are_found(
    batches: list[set[int]], dead_max: int
) -> None:
    rate = DeathRate(dead_max=dead_max)
    known: set[int] = set()
    for batch in sorted(batches, key=lambda one: min(one, default=0)):
        new = {offset for offset in batch if offset > max(known, default=-1)}
        together = known | new
        worst = max(
            (sum(last - SPAN < one <= last for one in together) for last in new), default=0
        )
        found = rate.exceeded_by(places(*new))
        assert (found is not None) == (worst > dead_max)
        if found is not None:
            return
        if new:
            rate.note(places(*new))
        known = together
