"""The inbox envelope: what stands in the headers around the bytes that Stripe sent.

A webhook's and a poll's value is the event; every other source's value is the object itself.
Writers of the inbox (webhook, poll, backfill, re-fetch, writeback) and its one reader, the relay,
meet only here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an inbox record's value is."""

    EVENT = "event"
    """A Stripe event; the object is at `data.object`."""
    SNAPSHOT = "snapshot"
    """An object as Stripe showed it when asked."""
    GONE = "gone"
    """Stripe was asked for the object and it does not exist: `id`, `object`, `deleted: true`."""
    THIN_EVENT = "thin_event"
    """An event that names its object and does not hold it."""
    WANTED = "wanted"
    """No observation but a wish: the object is to be fetched, whole. `id`, `object`, and what its
    address is made of."""


class Source(StrEnum):
    """Which way an observation came in; the record's `_source`."""

    WEBHOOK = "webhook"
    POLL = "poll"
    BACKFILL = "backfill"
    REFETCH = "refetch"
    WRITEBACK = "writeback"


class Evidence(StrEnum):
    """How a snapshot was read; only a retrieve by id proves that an object is alive."""

    LIST = "list"
    RETRIEVE = "retrieve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finer:
    """What a thin event tells more of the place of the whole event that goes with it.

    Attributes:
        created: microseconds since 1970 UTC; in the second that the whole event says.
        before: JSON of what its change replaced, where the whole event does not say it itself.
    """

    created: int
    before: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The headers of one inbox record.

    Attributes:
        kind: what the value is.
        source: which way it came in.
        received_at: when we got it, microseconds since 1970 UTC.
        account_id: the connected account, empty for the merchant's own.
        observed_second: for a snapshot or a gone: Stripe's second in which it was read, from the
            `Date` header less the time the request took; for a wish: the second after which the
            object must be read, if any; 0 for an event.
        evidence: for a snapshot: how it was read; none for the other kinds.
        finer: for an event that was fetched because a thin one named it; none for others.
    """

    kind: Kind
    source: Source
    received_at: int
    account_id: str = ""
    observed_second: int = 0
    evidence: Evidence | None = None
    finer: Finer | None = None

    def headers(self) -> list[tuple[str, bytes]]:
        """As Kafka headers."""
        found = [
            (_KIND, self.kind.value.encode()),
            (_SOURCE, self.source.value.encode()),
            (RECEIVED_AT_HEADER, b"%d" % self.received_at),
        ]
        if self.account_id:
            found.append((_ACCOUNT_ID, self.account_id.encode()))
        if self.observed_second:
            found.append((_OBSERVED_SECOND, b"%d" % self.observed_second))
        if self.evidence is not None:
            found.append((_EVIDENCE, self.evidence.value.encode()))
        if self.finer is not None:
            found.append((_CREATED, b"%d" % self.finer.created))
            if self.finer.before:
                found.append((_BEFORE, self.finer.before))
        return found

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes | str | None]] | None) -> "Envelope":
        """The envelope of an inbox record.

        Raises:
            ValueError: a header is missing or is not what `headers` writes.
        """
        found = {
            name: value.decode() if isinstance(value, bytes) else value or ""
            for name, value in headers or ()
        }
        missing = [name for name in (_KIND, _SOURCE, RECEIVED_AT_HEADER) if name not in found]
        if missing:
            raise ValueError(f"the inbox record lacks the headers {', '.join(missing)}")
        evidence = found.get(_EVIDENCE)
        created = found.get(_CREATED)
        return cls(
            kind=Kind(found[_KIND]),
            source=Source(found[_SOURCE]),
            received_at=int(found[RECEIVED_AT_HEADER]),
            account_id=found.get(_ACCOUNT_ID, ""),
            observed_second=int(found.get(_OBSERVED_SECOND, "0")),
            evidence=Evidence(evidence) if evidence else None,
            finer=Finer(created=int(created), before=found.get(_BEFORE, "").encode())
            if created
            else None,
        )


_KIND = "stripeline.kind"
_SOURCE = "stripeline.source"
RECEIVED_AT_HEADER = "stripeline.received_at"
"""The one header in which all envelopes differ; it stands third."""
_ACCOUNT_ID = "stripeline.account_id"
_OBSERVED_SECOND = "stripeline.observed_second"
_EVIDENCE = "stripeline.evidence"
_CREATED = "stripeline.created"
_BEFORE = "stripeline.before"
