"""One object type under reconcile: what was published, what Stripe shows, and what is open.

Everything that a list shows is compared by fingerprint at once and forgotten; only what differs is
kept, until it is judged by what was published up to then.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from producer.errors import ForeignRecord
from producer.fingerprint import Fingerprints
from producer.known_children import KnownChildren
from producer.known_objects import Known, KnownObjects, Open
from producer.object_topic import ObjectTopic, PublishedRecord
from producer.preparing import Candidate, Preparer
from producer.reading import InboxRecord
from producer.reconcile_report import Tally
from producer.record_keys import account_of, object_id_of
from producer.stripe_api import Retrieved
from producer.untold import Untold, untold_of
from producer.verdict import Verdict, before_comparing, by_columns, is_told
from runtime.clock import Clock
from schemas import meta
from schemas.endpoints import Ways
from schemas.errors import BadFrame, BadRecord
from schemas.inbox import Envelope, Evidence, Kind, Source
from schemas.meta import Operation
from schemas.objects import ColumnKind, ObjectType


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came out about one object that was open.

    Attributes:
        drift: names of the columns that differ; empty unless both sides were at hand.
        told: whether an event should have told of it.
        record: what goes to the inbox, key, value and envelope, if something is to be published.
    """

    verdict: Verdict
    account_id: str
    drift: tuple[str, ...] = ()
    told: bool = True
    record: tuple[str, bytes, Envelope] | None = None


class Comparison:
    """Compares the objects of one type; used by one thread at a time.

    Args:
        object_type: what is compared.
        ways: to it.
        accounts: whose objects; "" for the merchant's own.
        topic: of the type.
        children: those that stand in no column of the type; none where there are none.
        preparer: makes of a body what the relay would make of it.
        fingerprints: of the type.
        api_version: in which lists come.
        livemode: of the key; objects of the other mode are passed over.
        tally: counts what lists show.

    Attributes:
        recognised: the accounts of which Stripe showed an object that was published before.
    """

    def __init__(
        self,
        *,
        object_type: ObjectType,
        ways: Ways,
        accounts: Collection[str],
        topic: ObjectTopic,
        children: KnownChildren | None,
        preparer: Preparer,
        fingerprints: Fingerprints,
        api_version: str,
        livemode: bool,
        tally: Tally,
        clock: Clock,
    ) -> None:
        self._object_type = object_type
        self._ways = ways
        self.accounts = frozenset(accounts)
        self._topic = topic
        self._children = children
        self._preparer = preparer
        self._fingerprints = fingerprints
        self._api_version = api_version
        self._livemode = livemode
        self._clock = clock
        self.tally = tally
        self.known = KnownObjects()
        self.recognised: set[str] = set()

    def begin_at(self, second: int) -> None:
        """Pass over what was published before, though not by its place: by its `_event_at`.

        Raises:
            KafkaUnreachable: Kafka does not tell where that is.
        """
        self._topic.begin_at(second)
        if self._children is not None:
            self._children.begin_at(second)

    def read_topic(self) -> None:
        """Take in what was published since the last time, and the last records of what is open.

        Raises:
            ForeignRecord: a record that no relay wrote.
            KafkaUnreachable, RegistryUnreachable: what was published cannot be read.
        """
        anything_open = self.known.count_open() > 0
        for batch in self._topic.read_on(self.known.first_open_offsets()):
            mine = [record for record in batch if account_of(record.key) in self.accounts]
            self.known.take_in([self._known(record) for record in mine])
            if anything_open:
                wanted = self.known.open_keys({record.key for record in mine})
                self.known.keep_last(
                    (record.key, record.stored.value) for record in mine if record.key in wanted
                )

        if self._children is not None:
            self._children.read_topic(self.accounts)

    def take(self, shown: Sequence[Open]) -> None:
        """Compare what Stripe's lists show with what was published before it."""
        candidates = self._candidates(shown)
        known = self.known.find(candidates)
        self.known.mark_shown(known)
        self.tally.listed += len(candidates)
        self.tally.compared += len(known)
        differing = self._differing([candidate for _, candidate in candidates.values()])
        opened, equal = [], []
        for key, (one, candidate) in candidates.items():
            found = known.get(key)
            if found is not None:
                self.recognised.add(one.account_id)
            if (
                found is not None
                and found.alive
                and key not in differing
                and self._is_equal(found, candidate)
            ):
                equal.append(key)
            else:
                opened.append(one)
        self.tally.verdicts[Verdict.UNCHANGED] += len(equal)
        self.known.close_open(equal)
        self.known.open(opened)

    def to_be_retrieved(self) -> Iterator[tuple[Open, Mapping[str, Any]]]:
        """What lists cannot decide, each with the fields that its address is made of.

        That is what no list shows, and what is deleted here but listed: a list is no proof that
        an object exists, and none that it does not.
        """
        for found in self.known.opened():
            if found.retrieved:
                continue
            known = self.known.find([found.key]).get(found.key)
            alive = known is not None and known.alive
            if found.body:
                if known is not None and not alive:
                    yield found, msgspec.json.decode(found.body)
                continue
            record = self._fingerprints.decoded(found.last) if found.last else {}
            if alive and record.get("livemode") in (None, self._livemode):
                yield found, self._address_fields(found, record)
            else:
                self.known.close_open([found.key])

    def take_retrieved(self, found: Open, retrieved: Retrieved) -> None:
        """Take in what Stripe shows of one object when asked for it."""
        if not retrieved.gone:
            self.recognised.add(found.account_id)
        self.known.open(
            [
                Open(
                    key=found.key,
                    account_id=found.account_id,
                    body=retrieved.body,
                    observed_second=retrieved.observed_second,
                    retrieved=True,
                    gone=retrieved.gone,
                    last=found.last,
                )
            ]
        )

    def judged(self) -> Iterator[Finding]:
        """What came out about each object that is open, by what was published up to now."""
        for found in self.known.opened():
            if found.body:
                yield self._judged(found)

    def close(self) -> None:
        """Let go of what was kept."""
        self.known.close()
        if self._children is not None:
            self._children.close()

    def _judged(self, found: Open) -> Finding:
        known = self.known.find([found.key]).get(found.key)
        verdict = before_comparing(known, observed_second=found.observed_second, gone=found.gone)
        drift: tuple[str, ...] = ()
        if verdict is None:
            assert known is not None
            verdict, drift = self._compared(found, known)
        if verdict in (Verdict.UNCHANGED, Verdict.OVERTAKEN, Verdict.REFUSED):
            return Finding(verdict=verdict, account_id=found.account_id)
        return Finding(
            verdict=verdict,
            account_id=found.account_id,
            drift=drift,
            told=is_told(verdict, self._untold(found)),
            record=(found.key, found.body, self._envelope(found)),
        )

    def _compared(self, found: Open, known: Known) -> tuple[Verdict, tuple[str, ...]]:
        candidate = self._candidate(found)
        if candidate is None:
            return Verdict.REFUSED, ()
        apart = self._differing([candidate])
        if not apart and self._is_equal(known, candidate):
            return Verdict.UNCHANGED, ()
        record = self._fingerprints.decoded(found.last)
        untold = untold_of(self._ways, record, found.account_id)
        if apart and self._children is not None:
            drift: tuple[str, ...] = (self._children.field,)
            return by_columns(drift, untold=untold, of_versions=False), drift
        shown = self._fingerprints.columns(candidate)
        drift = self._fingerprints.drift(record, shown)
        other_version = record.get(meta.API_VERSION) != self._api_version
        verdict = by_columns(
            drift,
            untold=untold,
            of_versions=other_version and self._fingerprints.is_of_versions(drift, record, shown),
        )
        return verdict, drift

    def _untold(self, found: Open) -> Untold:
        """What no event tells of an object that came or went."""
        if found.last:
            record: Mapping[str, Any] = self._fingerprints.decoded(found.last)
        else:
            candidate = None if found.gone else self._candidate(found)
            record = {} if candidate is None else self._fingerprints.columns(candidate)
        return untold_of(self._ways, record, found.account_id)

    def _differing(self, candidates: Sequence[Candidate]) -> set[str]:
        """Keys of those whose children that stand in no column are others than were published."""
        return set() if self._children is None else self._children.differing(candidates)

    def _candidates(self, shown: Sequence[Open]) -> dict[str, tuple[Open, Candidate]]:
        """What the relay would make of these, by key; without what it could not read."""
        by_key = {one.key: one for one in shown}
        records = [self._record(one) for one in by_key.values()]
        prepared = self._preparer.prepare(records, lambda _names: {})
        self.tally.verdicts[Verdict.REFUSED] += len(prepared.dead)
        return {
            candidate.observation.key: (by_key[candidate.observation.key], candidate)
            for candidate in prepared.candidates
            if candidate.observation.kind is Kind.SNAPSHOT
        }

    def _candidate(self, found: Open) -> Candidate | None:
        return self._preparer.candidate(self._record(found))

    def _record(self, found: Open) -> InboxRecord:
        return InboxRecord(
            key=found.key.encode(),
            value=found.body,
            headers=self._envelope(found).headers(),
            partition=0,
            offset=0,
        )

    def _envelope(self, found: Open) -> Envelope:
        proof = Evidence.RETRIEVE if found.retrieved else Evidence.LIST
        return Envelope(
            kind=Kind.GONE if found.gone else Kind.SNAPSHOT,
            source=Source.BACKFILL,
            received_at=self._clock.utc_micros(),
            account_id=found.account_id,
            observed_second=found.observed_second,
            evidence=None if found.gone else proof,
        )

    def _is_equal(self, known: Known, candidate: Candidate) -> bool:
        return self._fingerprints.of_candidate(candidate) == known.fingerprint

    def _known(self, record: PublishedRecord) -> Known:
        entry, stored = record.entry, record.stored
        alive = entry.operation is not Operation.DELETED
        try:
            fingerprint = self._fingerprints.of_record(stored.value, entry) if alive else b""
        except (BadFrame, BadRecord) as error:
            raise ForeignRecord(topic=stored.topic, offset=stored.offset) from error
        return Known(
            key=record.key,
            account_id=account_of(record.key),
            fingerprint=fingerprint,
            event_at=entry.event_at,
            alive=alive,
            partition=record.partition,
            offset=stored.offset,
        )

    def _address_fields(self, found: Open, record: Mapping[str, Any]) -> dict[str, Any]:
        """A record's ids under Stripe's names, for the address at which it is retrieved."""
        fields = {
            column.source: record.get(column.name)
            for column in self._object_type.columns
            if column.kind in (ColumnKind.STRING, ColumnKind.REFERENCE)
        }
        rule = self._object_type.key_rule
        object_id = object_id_of(found.key)
        assert rule is not None, "what is not stored is not known"
        if len(rule.fields) == 1:
            return fields | {rule.fields[0]: object_id}
        # A natural key: what it is joined of are the fields that tell the object.
        return fields | dict(zip(rule.fields, object_id.split(":"), strict=False))
