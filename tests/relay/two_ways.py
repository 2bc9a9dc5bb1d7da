"""Events, read the short way and the long one, of which both must say the same."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest

from producer import compiled
from producer.preparing import Candidate, Prepared, Preparer
from producer.reading import InboxRecord
from schemas.inbox import Envelope, Kind, Source
from schemas.objects import Catalogue, load_catalogue

HEADERS = Envelope(kind=Kind.EVENT, source=Source.WEBHOOK, received_at=1).headers()
NEEDS_COMPILED = pytest.mark.skipif(
    not compiled.IS_COMPILED, reason="nothing is compiled: `python deploy/compile.py` says why"
)


@cache
def catalogue() -> Catalogue:
    return load_catalogue()


def event(name: str, body: dict[str, Any]) -> bytes:
    shown = {"id": f"{name}_1", "object": name, **body}
    return json.dumps(
        {"id": "evt_1", "type": "a.updated", "created": 5, "data": {"object": shown}}, indent=2
    ).encode()


def record(name: str, value: bytes, offset: int) -> InboxRecord:
    key = f"{name}_1".encode()
    return InboxRecord(key=key, value=value, headers=HEADERS, partition=0, offset=offset)


def told(prepared: Prepared) -> Any:
    """All that a batch of one says, but for how `previous` is written."""
    return (
        [_told(one) for one in prepared.candidates],
        [(one.record.offset, one.reason) for one in prepared.dead],
        prepared.dropped,
    )


def _told(candidate: Candidate) -> Any:
    seen = candidate.observation
    previous = json.loads(seen.previous) if seen.previous else None
    return (
        candidate.half,
        candidate.body_hash,
        candidate.stub,
        candidate.lists,
        previous,
        (seen.key, seen.second, seen.operation, seen.event_id, seen.event_type, seen.api_version),
        (seen.account_id, seen.body, seen.received_at, seen.offset),
    )


def read_both_ways(name: str, values: Sequence[bytes]) -> None:
    """One after the other, so that what is kept of one serves the next."""
    quick, long = Preparer(catalogue=catalogue()), Preparer(catalogue=catalogue())
    for offset, value in enumerate([event(name, {}), *values]):
        one = [record(name, value, offset)]
        found = told(quick.prepare(one, lambda _names: {}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compiled, "IS_COMPILED", False)
            assert found == told(long.prepare(one, lambda _names: {}))


def both_ways(run: Callable[[], Any]) -> tuple[Any, Any]:
    """What comes of something with compiled code, and without."""
    quick = run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "IS_COMPILED", False)
        return quick, run()
