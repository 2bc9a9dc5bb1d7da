"""What a person sees while a backfill runs, and at its end."""

from io import StringIO

import pytest
from rich.console import Console

from producer.backfill_progress import LINE_SECONDS, SHOWN_SECONDS, Bars, Lines, told
from producer.backfill_report import OTHER_REASONS, ObjectTally, Tally, reason_told


class HandClock:
    """Moved by the test."""

    def __init__(self) -> None:
        self.now = 100.0

    def utc_micros(self) -> int:
        return int(self.now * 1_000_000)

    def monotonic_seconds(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def at_work(clock: HandClock) -> Tally:
    tally = Tally()
    tally.of("invoice", now=clock.now)
    clock.now += 10.0
    found = tally.of("invoice", now=clock.now)
    found.rows, found.requests, found.share = 5_000, 50, 0.25
    return tally


def test_rows_rate_and_time_left_are_told() -> None:
    found = ObjectTally(rows=5_000, requests=50, began=100.0, ended=110.0, share=0.25)

    assert told(found) == "5,000 rows, 500/s, 0:00:30 left"


def test_a_list_whose_length_is_not_known_tells_no_time_left() -> None:
    assert told(ObjectTally(rows=20, requests=1, began=0.0, ended=2.0)) == "20 rows, 10/s"


def test_what_is_read_for_others_tells_its_requests() -> None:
    assert told(ObjectTally(requests=1_200)) == "1,200 requests"


def test_elsewhere_than_on_a_terminal_there_is_a_line_now_and_then(clock: HandClock) -> None:
    lines: list[str] = []
    tally = at_work(clock)
    shown = Lines(tally=tally, print_line=lines.append, clock=clock)

    shown.show()
    assert lines == []
    clock.now += LINE_SECONDS
    tally.of("invoice", now=clock.now)
    shown.show()
    shown.show()

    assert lines == ["invoice: 5,000 rows, 250/s, 0:01:00 left"]


def test_on_a_terminal_there_is_a_bar_for_what_is_at_work(clock: HandClock) -> None:
    written = StringIO()
    console = Console(file=written, force_terminal=True, width=120, _environ={})
    tally = at_work(clock)
    tally.of("coupon", now=clock.now).share = 1.0
    bars = Bars(tally=tally, console=console, clock=clock)

    clock.now += SHOWN_SECONDS
    bars.show()
    bars.close()

    assert "5,000 rows" in written.getvalue()
    assert "coupon" not in written.getvalue().rpartition("invoice")[2]


def test_the_table_tells_what_was_read_and_what_was_not_and_why(clock: HandClock) -> None:
    tally = at_work(clock)
    tally.of("issuing.card", now=clock.now).skip(reason_told("bad_request", "not  set\nup"))
    tally.of("product", now=clock.now)
    written = StringIO()

    Console(file=written, width=120).print(tally.table(seconds=12.0))

    shown = written.getvalue()
    assert "5,000" in shown
    assert "bad_request: not set up" in shown
    assert "product" not in shown


def test_however_many_reasons_there_are_the_table_stays_readable() -> None:
    found = ObjectTally()

    for number in range(10_000):
        found.skip(f"forbidden: no access to acct_{number}")

    assert len(found.skipped) < 10
    assert found.skipped[OTHER_REASONS] > 9_000
