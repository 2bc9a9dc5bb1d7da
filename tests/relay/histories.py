"""Lives of one object as Stripe would tell them, and the truth that they end in."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec
from hypothesis import strategies as st

from runtime.clock import MICROS_PER_SECOND
from schemas.inbox import Finer
from tests.relay.inbox_writer import FIRST_SECOND, Sent, event

OBJECT_ID = "co_1"
SECONDS_MAX = 4
EVENTS_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One object's life.

    Attributes:
        events: in the order in which they happened.
        states: the object at the end of each second, from second 0; none while it is not there.
    """

    events: list[Sent]
    states: list[dict[str, Any] | None]

    @property
    def truth(self) -> dict[str, Any] | None:
        """The object at the end."""
        return self.states[-1]

    def state_before(self, second: int) -> dict[str, Any] | None:
        """What a read in that second is sure to show: all that happened before it."""
        return self.states[min(second, len(self.states)) - 1]


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Lives with several events a second, values that flip back, deletes, new beginnings."""
    events: list[Sent] = []
    states: list[dict[str, Any] | None] = []
    state: dict[str, Any] | None = None
    number = 0
    for second in range(SECONDS_MAX):
        deleted = False
        for _ in range(draw(st.integers(0, 4))):
            if deleted or len(events) >= EVENTS_MAX:
                break
            number += 1
            event_id = f"evt_{number}"
            if state is None:
                if any(_second_of(sent) == second for sent in events):
                    break
                state = {"flag": draw(_FLAGS), "name": "n", "metadata": {"x": draw(_FLAGS)}}
                events.append(_event(event_id, second, "coupon.created", state))
                continue
            kind = draw(st.sampled_from(("updated", "updated", "updated", "notice", "deleted")))
            if kind == "deleted":
                events.append(_event(event_id, second, "coupon.deleted", state))
                state, deleted = None, True
            elif kind == "notice":
                events.append(_event(event_id, second, "coupon.noticed", state))
            else:
                previous, state = draw(_changed(state))
                events.append(_event(event_id, second, "coupon.updated", state, previous))
        states.append(state)
    return Life(events=events, states=states)


_FLAGS = st.integers(0, 2)


@st.composite
def _changed(draw: st.DrawFn, state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Previous attributes and the new state; at least one field changes."""
    previous: dict[str, Any] = {}
    new = {**state, "metadata": dict(state["metadata"])}
    fields = draw(st.sets(st.sampled_from(("flag", "name", "x", "y")), min_size=1))
    for field in fields:
        if field in ("x", "y"):
            before = new["metadata"].get(field)
            new["metadata"][field] = (0 if before is None else before + draw(_STEPS)) % 3
            previous.setdefault("metadata", {})[field] = before
        elif field == "flag":
            previous["flag"] = new["flag"]
            new["flag"] = (new["flag"] + draw(_STEPS)) % 3
        else:
            previous["name"] = new["name"]
            new["name"] = None if new["name"] == "n" else "n"
    return previous, new


_STEPS = st.integers(1, 2)


def _event(
    event_id: str,
    second: int,
    kind: str,
    state: dict[str, Any],
    previous: dict[str, Any] | None = None,
) -> Sent:
    return event(
        event_id,
        OBJECT_ID,
        second=second,
        kind=kind,
        previous=previous,
        object_name="coupon",
        **state,
    )


OTHER_VERSION = "2020-08-27"
SKEW_MICROS_MAX = 45_000
"""How wrong a clock of Stripe's may be: two of them lie less apart than what is relied on."""


@st.composite
def retold(draw: st.DrawFn, life: Life) -> Life:
    """The same life, its events in two API versions, some told by thin events beforehand.

    What is `flag` in one version is `tone` in the other. What a thin event says was replaced need
    not stand in the whole one.
    """
    events = []
    moment = 0
    for sent in life.events:
        body = msgspec.json.decode(sent.value)
        data = body["data"]
        if draw(st.booleans()):
            body["api_version"] = OTHER_VERSION
            for told in (data["object"], data.get("previous_attributes", {})):
                if "flag" in told:
                    told["tone"] = told.pop("flag")
        finer = None
        moment = max(moment, body["created"] * MICROS_PER_SECOND + SKEW_MICROS_MAX)
        if draw(st.sampled_from((True, True, True, False))):
            before = b""
            if "previous_attributes" in data and draw(st.booleans()):
                before = msgspec.json.encode(data.pop("previous_attributes"))
            skew = draw(st.sampled_from((-SKEW_MICROS_MAX, 0, SKEW_MICROS_MAX)))
            finer = Finer(created=moment + skew, before=before)
        moment += draw(st.sampled_from((1_000, 150_000)))
        envelope = replace(sent.envelope, finer=finer)
        events.append(Sent(key=sent.key, value=msgspec.json.encode(body), envelope=envelope))
    return Life(events=events, states=life.states)


def _second_of(sent: Sent) -> int:
    found: int = msgspec.json.decode(sent.value)["created"] - FIRST_SECOND
    return found
