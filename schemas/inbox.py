"""The inbox envelope: what stands in the headers around the bytes that Stripe sent.

A webhook's and a poll's value is the event; every other source's value is the object itself.
Writers of the inbox (webhook, poll, backfill, re-fetch, writeback) and its one reader, the relay,
meet only here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl, quote


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
        """As Kafka headers: one, but for `before`, which may be long."""
        told = f"kind={self.kind}&source={self.source}"
        if self.account_id:
            told += f"&account_id={quote(self.account_id, safe='')}"
        if self.observed_second:
            told += f"&observed_second={self.observed_second}"
        if self.evidence is not None:
            told += f"&evidence={self.evidence}"
        if self.finer is not None:
            told += f"&created={self.finer.created}"
        # Last: nothing else differs between most envelopes.
        found = [(ENVELOPE_HEADER, f"{told}&received_at={self.received_at}".encode())]
        if self.finer is not None and self.finer.before:
            found.append((_BEFORE, self.finer.before))
        return found

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes | str | None]] | None) -> "Envelope":
        """The envelope of an inbox record.

        Raises:
            ValueError: there is none, or it is not what `headers` writes.
        """
        found = dict(headers or ())
        told = found.get(ENVELOPE_HEADER)
        if told is None:
            raise ValueError(f"the inbox record lacks the header {ENVELOPE_HEADER}")
        text = told if isinstance(told, str) else told.decode()
        fields = dict(parse_qsl(text, strict_parsing=True))
        missing = [name for name in ("kind", "source", "received_at") if name not in fields]
        if missing:
            raise ValueError(f"the inbox record's envelope lacks {', '.join(missing)}")
        before = found.get(_BEFORE) or b""
        created, evidence = fields.get("created"), fields.get("evidence")
        return cls(
            kind=Kind(fields["kind"]),
            source=Source(fields["source"]),
            received_at=int(fields["received_at"]),
            account_id=fields.get("account_id", ""),
            observed_second=int(fields.get("observed_second", "0")),
            evidence=Evidence(evidence) if evidence else None,
            finer=Finer(
                created=int(created),
                before=before.encode() if isinstance(before, str) else before,
            )
            if created
            else None,
        )


ENVELOPE_HEADER = "stripeline.envelope"
"""Its value is the fields of an envelope in the form of a URL's query, `received_at` last."""
_BEFORE = "stripeline.before"
