"""Compares what Stripe lists with what was published, and puts what differs into the inbox.

The relay decides as it does about every other observation: it drops what is older than what it
published, so nothing here can overwrite a newer change. What is done here is to look, and to say
what should not have been.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, Protocol

from producer.comparison import Comparison
from producer.errors import RecordTooLarge
from producer.known_objects import Open
from producer.one_by_one import OneByOne
from producer.reconcile_report import Tally
from producer.verdict import DRIFT, Verdict
from runtime import logs
from runtime.clock import Clock
from runtime.metrics import (
    RECONCILE_COMPARED,
    RECONCILE_DRIFT,
    RECONCILE_FAILED,
    RECONCILE_FOUND,
    Meters,
)
from runtime.stop import Stop
from schemas.endpoints import Ways
from schemas.inbox import Envelope

UNSHOWN_MAX: Final = 10_000
"""Objects of one type and account that no list shows and that are retrieved in one run: about
seven minutes at Stripe's limit. The rest is a later run's."""
NOT_SHOWN: Final = ("bad_request", "forbidden", "not_found")
"""How Stripe refuses the lists of what an account does not use, or a key may not read."""
STOPPED: Final = "stopped"
STRANGERS_MAX: Final = 20
"""More deletes than this are believed only of an account that showed an object which we know."""


Take = Callable[[str, Sequence[Open]], None]
"""Takes what lists show of objects of one type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRead:
    """What a reading of lists does not show; every reason is a constant word.

    Attributes:
        whole: object name -> why a list of the account was not read to its end, or none at all.
        above: object name -> a type that it is read through, and why the lists of that were not
            read, where another list of its own was.
        in_part: object name -> reason -> in how many cases a list of a single object was refused,
            while others were read.
    """

    whole: Mapping[str, str] = field(default_factory=dict)
    above: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    in_part: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Lists(Protocol):
    """Reads every list of object types."""

    def read(
        self, objects: Sequence[str], account_id: str, take: Take, *, since: int | None
    ) -> NotRead:
        """Read all that shows objects of these types, embedded lists whole.

        Args:
            objects: what to read; a parent is read once for all of them.
            account_id: the connected account, empty for the merchant's own.
            take: called from the calling thread.
            since: `created` of the oldest object wanted, where a list can tell; none for all.
        """
        ...


class Inbox(Protocol):
    """Where what differs goes."""

    def put(self, *, key: str, value: bytes, envelope: Envelope) -> None:
        """Hand over a record."""
        ...

    def flush(self) -> None:
        """Return when Kafka has every record.

        Raises:
            KafkaUnreachable: it does not.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a run looks at.

    Attributes:
        groups: names of types, those together that are read through one another.
        accounts: ids; empty for the merchant's own.
        since: only what was created since then, and no deletes; none for everything.
    """

    groups: Sequence[Sequence[str]]
    accounts: Sequence[str]
    since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Types that are read together, when their lists are read.

    Attributes:
        judged_at: not before this, in monotonic seconds: what was on its way has arrived by then.
    """

    comparisons: Mapping[str, Comparison]
    judged_at: float


class Reconciler:
    """Reconciles object types, group by group.

    Args:
        comparison_of: makes the comparison of an object type.
        ways: to each object type.
        lists: reads lists.
        one_by_one: asks for what lists do not decide.
        inbox: where what differs goes; none for a run that only looks.
        settle_seconds: how long a change may take from Stripe to its topic; what differs is
            looked at again after that, before it is called drift.
    """

    def __init__(
        self,
        *,
        comparison_of: Callable[[str], Comparison],
        ways: Mapping[str, Ways],
        lists: Lists,
        one_by_one: OneByOne,
        inbox: Inbox | None,
        settle_seconds: float,
        clock: Clock,
        stop: Stop,
        meters: Meters,
    ) -> None:
        self._comparison_of = comparison_of
        self._ways = ways
        self._lists = lists
        self._one_by_one = one_by_one
        self._inbox = inbox
        self._settle_seconds = settle_seconds
        self._clock = clock
        self._stop = stop
        self._meters = meters
        self._recognised: set[str] = set()
        self._log = logs.logger("reconcile")

    def run(self, scope: Scope) -> list[Tally]:
        """Reconcile what is wanted; while what differs in one group settles, the next is read.

        Raises:
            KafkaUnreachable, RegistryUnreachable: what was published cannot be read, or what
                differs not be stored; nothing wrong is left, and it may be run again.
            StripeRefused: Stripe does not know the key.
            ForeignRecord: an object topic holds what no relay wrote.
        """
        waiting: deque[_Group] = deque()
        doubted: list[_Group] = []
        tallies: list[Tally] = []
        try:
            for objects in scope.groups:
                if self._stop.requested:
                    tallies += [_not_begun(name) for name in objects]
                    continue
                comparisons = {name: self._comparison_of(name) for name in objects}
                tallies += [comparison.tally for comparison in comparisons.values()]
                waiting.append(_Group(comparisons=comparisons, judged_at=math.inf))
                self._look(comparisons, scope)
                waiting[-1] = self._listed(comparisons)
                self._judge_due(waiting, doubted)
            # By now every object that tells the account was seen.
            waiting.extend(doubted)
            doubted.clear()
            while waiting and not self._stopped_before(waiting[0].judged_at):
                self._judge(waiting.popleft())
        finally:
            for group in (*waiting, *doubted):
                for comparison in group.comparisons.values():
                    comparison.tally.failures[STOPPED] += 1
                    comparison.close()
        return tallies

    def _judge_due(self, waiting: deque[_Group], doubted: list[_Group]) -> None:
        """Judge the groups whose time has come; put those aside whose account is not certain."""
        now = self._clock.monotonic_seconds()
        while waiting and waiting[0].judged_at <= now and not self._stop.requested:
            group = waiting.popleft()
            if any(self._strangers(comparison) for comparison in group.comparisons.values()):
                doubted.append(group)
            else:
                self._judge(group)

    def _stopped_before(self, monotonic_seconds: float) -> bool:
        pause = max(monotonic_seconds - self._clock.monotonic_seconds(), 0.0)
        return self._stop.wait(seconds=pause)

    def _listed(self, comparisons: Mapping[str, Comparison]) -> _Group:
        differing = any(comparison.known.count_open() for comparison in comparisons.values())
        settle_seconds = self._settle_seconds if differing else 0.0
        return _Group(
            comparisons=comparisons,
            judged_at=self._clock.monotonic_seconds() + settle_seconds,
        )

    def _look(self, comparisons: Mapping[str, Comparison], scope: Scope) -> None:
        """Read topics and lists, and retrieve what the lists do not decide."""
        for comparison in comparisons.values():
            self._expect(comparison.tally)
            if scope.since is not None and self._tells_age(comparison.tally.object_name):
                comparison.begin_at(scope.since)
            comparison.read_topic()
        for account_id in scope.accounts:
            if not self._stop.requested:
                self._read_lists(comparisons, account_id, since=scope.since)
        for name, comparison in comparisons.items():
            if comparison.known.count_open():
                # The last records of what is open: what its address is made of, what differs.
                comparison.read_topic()
                self._one_by_one.retrieve(comparison)
            self._recognised |= comparison.recognised
            self._log.info(
                "lists read",
                object=name,
                listed=comparison.tally.listed,
                open=comparison.known.count_open(),
            )

    def _tells_age(self, object_name: str) -> bool:
        """Whether all that shows a type can leave out what is older."""
        ways = self._ways[object_name]
        is_single = any("{" not in path for path in ways.retrieve)
        return not is_single and all(endpoint.has_created for endpoint in ways.lists)

    def _read_lists(
        self, comparisons: Mapping[str, Comparison], account_id: str, *, since: int | None
    ) -> None:
        def take(object_name: str, shown: Sequence[Open]) -> None:
            comparisons[object_name].take(shown)

        not_read = self._lists.read(tuple(comparisons), account_id, take, since=since)
        for name, comparison in comparisons.items():
            reason = _why_incomplete(name, comparisons, not_read, account_id)
            if reason is not None:
                comparison.tally.failures[reason] += 1
                continue
            comparison.tally.passed_over.update(_passed_over(name, not_read))
            if name not in not_read.whole and not self._stop.requested and since is None:
                left_out = comparison.known.open_unshown(account_id, count_max=UNSHOWN_MAX)
                comparison.tally.left_out += left_out

    def _judge(self, group: _Group) -> None:
        """Say what became of each object that differed, and let the inbox have it."""
        for comparison in group.comparisons.values():
            with closing(comparison):
                if comparison.known.count_open():
                    comparison.read_topic()
                self._put(comparison)
            self._count(comparison.tally)

    def _put(self, comparison: Comparison) -> None:
        tally = comparison.tally
        strangers = self._strangers(comparison)
        for finding in comparison.judged():
            if finding.verdict is Verdict.DELETED and finding.account_id in strangers:
                tally.failures["another_account"] += 1
                continue
            if finding.record is not None and self._inbox is not None:
                key, value, envelope = finding.record
                try:
                    self._inbox.put(key=key, value=value, envelope=envelope)
                except RecordTooLarge:
                    tally.verdicts[Verdict.REFUSED] += 1
                    continue
            tally.verdicts[finding.verdict] += 1
            tally.unsaid[finding.verdict] += not finding.told
            tally.drift.update(finding.drift)
            if finding.verdict in DRIFT:
                tally.missed.update(finding.drift)
        if self._inbox is not None:
            self._inbox.flush()

    def _strangers(self, comparison: Comparison) -> set[str]:
        """Accounts that look like others than those whose objects were published.

        With a key of another account Stripe lists nothing that is known here, and says of all
        that is known that it does not exist.
        """
        return {
            account_id
            for account_id in comparison.accounts - self._recognised
            if comparison.known.count_alive(account_id) > STRANGERS_MAX
        }

    def _expect(self, tally: Tally) -> None:
        """Let the series begin at 0: an alert sees only what grows."""
        for verdict in DRIFT:
            self._meters.add(RECONCILE_FOUND, 0, **_series(tally, verdict, told=True))

    def _count(self, tally: Tally) -> None:
        name = tally.object_name
        self._meters.add(RECONCILE_COMPARED, tally.compared, object=name)
        for verdict, count in tally.verdicts.items():
            unsaid = tally.unsaid[verdict]
            self._meters.add(RECONCILE_FOUND, count - unsaid, **_series(tally, verdict, told=True))
            if unsaid:
                self._meters.add(RECONCILE_FOUND, unsaid, **_series(tally, verdict, told=False))
        for column, count in tally.missed.items():
            self._meters.add(RECONCILE_DRIFT, count, object=name, column=column)
        for reason, count in tally.failures.items():
            self._meters.add(RECONCILE_FAILED, count, object=name, reason=reason)
        if tally.drifted or tally.failures:
            self._log.warning(
                "reconciled",
                object=name,
                drift=dict(tally.drift),
                failures=dict(tally.failures),
                **{verdict.value: count for verdict, count in tally.verdicts.items()},
            )


def _not_begun(object_name: str) -> Tally:
    return Tally(object_name=object_name, failures=Counter({STOPPED: 1}))


def _why_incomplete(
    name: str, comparisons: Mapping[str, Comparison], not_read: NotRead, account_id: str
) -> str | None:
    """Why what was read of a type proves nothing; none if it proves all that is known."""
    lacking, reason = name, not_read.whole.get(name)
    if reason is None and name in not_read.above:
        lacking, reason = not_read.above[name]
    if reason is None:
        return None
    parent = comparisons.get(lacking)
    unshown = 0 if parent is None else parent.known.count_unshown(account_id)
    # What an account does not use is refused too; then it showed all that is known.
    return reason if reason not in NOT_SHOWN or unshown else None


def _passed_over(name: str, not_read: NotRead) -> Mapping[str, int]:
    found = Counter(not_read.in_part.get(name, {}))
    if name in not_read.whole:
        found[not_read.whole[name]] += 1
    elif name in not_read.above:
        found[not_read.above[name][1]] += 1
    return found


def _series(tally: Tally, verdict: Verdict, *, told: bool) -> dict[str, str]:
    return {
        "object": tally.object_name,
        "verdict": verdict.value,
        "told": "yes" if told else "no",
    }
