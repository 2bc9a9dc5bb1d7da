"""Windows together hold every object of a list once, however and whenever they are split."""

import json
import random

from hypothesis import given
from hypothesis import strategies as st

from producer.backfill_windows import Window

PAGE = 3
CREATED = st.lists(
    # Crowds and loners: imports put thousands of objects into one minute.
    st.one_of(st.integers(1, 300), st.integers(100, 105)),
    max_size=60,
)
OLDEST = 20


class StripeList:
    """A list as Stripe shows it: newest first, by `created`, then by id."""

    def __init__(self, created: list[int]) -> None:
        numbered = enumerate(sorted(created, reverse=True))
        self.rows = [(f"id_{number}", at) for number, at in numbered]

    def page(self, parameters: dict[str, str]) -> tuple[list[tuple[str, int]], bool]:
        low = int(parameters.get("created[gte]", -1))
        high = int(parameters.get("created[lt]", 2**60))
        shown = [row for row in self.rows if low <= row[1] < high]
        if after := parameters.get("starting_after"):
            at = [name for name, _ in self.rows].index(after)
            shown = [row for row in shown if row in self.rows[at + 1 :]]
        return shown[:PAGE], len(shown) > PAGE


@given(created=CREATED, seed=st.integers(0, 2**32))
def test_windows_split_at_any_time_show_every_object_once(created: list[int], seed: int) -> None:
    chance = random.Random(seed)
    stripe_list = StripeList(created)
    windows, seen = [Window()], []
    while windows:
        window = windows.pop(chance.randrange(len(windows)))
        rows, has_more = stripe_list.page(window.parameters())
        seen += [name for name, _ in rows]
        if not has_more:
            continue
        window = window.beyond(*rows[-1])
        halves = window.split(oldest=OLDEST) if chance.random() < 0.5 else None
        windows += [window] if halves is None else halves

    assert sorted(seen) == sorted(name for name, _ in stripe_list.rows)


def test_halving_finds_a_crowd_in_as_many_steps_as_its_place_has_digits() -> None:
    # A thousand objects in one minute of fifteen years.
    crowd = StripeList([*range(400_000_000, 400_000_060)] * 17 + [500_000_000])
    window, splits = Window(), 0
    rows, _ = crowd.page(window.parameters())
    window = window.beyond(*rows[-1])
    while (halves := window.split(oldest=0)) is not None:
        newer, older = halves
        _, newer_goes_on = crowd.page(newer.parameters())
        if newer_goes_on:
            window = newer
        else:
            rows, _ = crowd.page(older.parameters())
            window = older.beyond(*rows[-1])
        splits += 1

    assert splits <= 40


def test_a_window_without_its_cursor_shows_the_rest_and_what_shares_its_second() -> None:
    window = Window(since=5, until=100, after="id_7", reached=50)

    assert window.without_cursor() == Window(since=5, until=51)


@given(
    window=st.builds(
        Window,
        since=st.none() | st.integers(0, 10),
        until=st.none() | st.integers(0, 10),
        after=st.sampled_from(["", "id_1"]),
        reached=st.none() | st.integers(0, 10),
    )
)
def test_a_window_is_the_same_after_it_was_stored(window: Window) -> None:
    assert Window.from_json(json.loads(json.dumps(window.as_json()))) == window
