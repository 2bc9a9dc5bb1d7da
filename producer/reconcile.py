"""Compares what Stripe lists with what was published, and puts what differs into the inbox.

The relay decides as it does about every other observation: it drops what is older than what it
published, so nothing here can overwrite a newer change. What is done here is to look, and to say
what should not have been.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

from producer.comparison import Comparison, object_id_of
from producer.errors import StripeRefused, StripeUnreachable
from producer.known_objects import Open
from producer.rate_bucket import Purpose
from producer.reconcile_report import Tally
from producer.retrieve_paths import retrieve_path
from producer.stripe_api import Page, Retrieved
from producer.verdict import Verdict
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
RETRIEVALS_AT_ONCE: Final = 8
RETRIEVALS_PER_TURN: Final = 200
STRANGERS_MAX: Final = 20
"""More deletes than this are believed only of an account that showed an object which we know."""


_Answer = Retrieved | StripeRefused | StripeUnreachable


class Lists(Protocol):
    """Reads every list of an object type."""

    def pages(self, object_name: str, account_id: str) -> Iterator[Page]:
        """Every page of every list that shows objects of a type, embedded lists whole.

        Raises:
            StripeUnreachable: it gave up; what was not read is not known.
            StripeRefused: a list cannot be read.
        """
        ...


class Retriever(Protocol):
    """Asks Stripe for one object by its address; `StripeApi` does it."""

    def retrieve(
        self,
        *,
        path: str,
        object_name: str,
        object_id: str,
        account_id: str,
        expand: Sequence[str] = (),
        purpose: Purpose,
    ) -> Retrieved:
        """The object as it is now.

        Raises:
            StripeUnreachable: it gave up.
            StripeRefused: asking again changes nothing.
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
class _Listed:
    """A comparison whose lists are read.

    Attributes:
        judged_at: not before this, in monotonic seconds: what was on its way has arrived by then.
    """

    comparison: Comparison
    judged_at: float


class Reconciler:
    """Reconciles object types, one after the other.

    Args:
        comparison_of: makes the comparison of an object type.
        ways: to each object type.
        lists: reads lists.
        retriever: asks for single objects.
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
        retriever: Retriever,
        inbox: Inbox | None,
        settle_seconds: float,
        clock: Clock,
        stop: Stop,
        meters: Meters,
    ) -> None:
        self._comparison_of = comparison_of
        self._ways = ways
        self._lists = lists
        self._retriever = retriever
        self._inbox = inbox
        self._settle_seconds = settle_seconds
        self._clock = clock
        self._stop = stop
        self._meters = meters
        self._recognised: set[str] = set()
        self._log = logs.logger("reconcile")

    def run(self, objects: Sequence[str], accounts: Collection[str]) -> list[Tally]:
        """Reconcile these types for these accounts ("" is the merchant's own).

        Raises:
            KafkaUnreachable, RegistryUnreachable: what was published cannot be read, or what
                differs not be stored; nothing wrong is left, and it may be run again.
            ForeignRecord: an object topic holds what no relay wrote.
        """
        waiting: deque[_Listed] = deque()
        tallies = []
        try:
            for object_name in objects:
                if self._stop.requested:
                    break
                comparison = self._comparison_of(object_name)
                waiting.append(_Listed(comparison=comparison, judged_at=0.0))
                tallies.append(comparison.tally)
                self._look(comparison, accounts)
                waiting[-1] = self._listed(comparison)
                now = self._clock.monotonic_seconds()
                while waiting and waiting[0].judged_at <= now and not self._stop.requested:
                    self._judge(waiting.popleft().comparison)
            while waiting and not self._stopped_before(waiting[0].judged_at):
                self._judge(waiting.popleft().comparison)
        finally:
            for listed in waiting:
                listed.comparison.tally.failures["stopped"] += 1
                listed.comparison.close()
        return tallies

    def _stopped_before(self, monotonic_seconds: float) -> bool:
        pause = max(monotonic_seconds - self._clock.monotonic_seconds(), 0.0)
        return self._stop.wait(seconds=pause)

    def _listed(self, comparison: Comparison) -> _Listed:
        settle = self._settle_seconds if comparison.known.count_open() else 0.0
        return _Listed(comparison=comparison, judged_at=self._clock.monotonic_seconds() + settle)

    def _look(self, comparison: Comparison, accounts: Collection[str]) -> None:
        """Read the topic and all lists, and retrieve what the lists do not decide."""
        comparison.read_topic()
        for account_id in accounts:
            if self._stop.requested:
                return
            if self._read_lists(comparison, account_id):
                left_out = comparison.known.open_unshown(account_id, count_max=UNSHOWN_MAX)
                comparison.tally.left_out += left_out
        if comparison.known.count_open():
            # The last records of what is open: what its address is made of, and what differs.
            comparison.read_topic()
            self._retrieve(comparison)
        self._recognised |= comparison.recognised

    def _read_lists(self, comparison: Comparison, account_id: str) -> bool:
        """Whether everything that Stripe lists was seen."""
        tally = comparison.tally
        try:
            for page in self._pages(tally.object_name, account_id):
                comparison.take_page(page, account_id)
                if self._stop.requested:
                    return False
        except StripeRefused as error:
            known = comparison.known.count_alive(account_id)
            (tally.failures if known else tally.passed_over)[error.reason] += 1
        except StripeUnreachable:
            tally.failures["unreachable"] += 1
        else:
            return True
        return False

    def _pages(self, object_name: str, account_id: str) -> Iterator[Page]:
        ways = self._ways[object_name]
        if ways.lists:
            yield from self._lists.pages(object_name, account_id)
            return
        path = retrieve_path(object_name, {})
        if path is not None:
            # The only object of its type.
            found = self._retrieved(object_name, path, object_name, account_id)
            yield Page(
                items=() if found.gone else (found.body,),
                last_id="",
                has_more=False,
                observed_second=found.observed_second,
            )

    def _retrieve(self, comparison: Comparison) -> None:
        undecided = comparison.to_be_retrieved()
        with ThreadPoolExecutor(RETRIEVALS_AT_ONCE, thread_name_prefix="retrieve") as threads:
            while not self._stop.requested:
                turn = list(islice(undecided, RETRIEVALS_PER_TURN))
                if not turn:
                    return
                asked = threads.map(
                    lambda one: self._asked(comparison.tally.object_name, *one), turn
                )
                for (found, _), answer in zip(turn, asked, strict=True):
                    self._take_answer(comparison, found, answer)
                if comparison.tally.failures["unreachable"]:
                    return

    def _asked(self, object_name: str, found: Open, fields: Mapping[str, Any]) -> _Answer:
        """What Stripe shows of one object, or why it does not; runs on a thread of its own."""
        path = retrieve_path(object_name, fields)
        if path is None:
            return StripeRefused("no_address")
        try:
            return self._retrieved(object_name, path, object_id_of(found.key), found.account_id)
        except (StripeRefused, StripeUnreachable) as error:
            return error

    def _take_answer(self, comparison: Comparison, found: Open, answer: _Answer) -> None:
        match answer:
            case Retrieved():
                comparison.take_retrieved(found, answer)
                return
            case StripeRefused():
                comparison.tally.verdicts[Verdict.REFUSED] += 1
            case StripeUnreachable():
                comparison.tally.failures["unreachable"] += 1
        comparison.known.close_open([found.key])

    def _retrieved(
        self, object_name: str, path: str, object_id: str, account_id: str
    ) -> Retrieved:
        return self._retriever.retrieve(
            path=path,
            object_name=object_name,
            object_id=object_id,
            account_id=account_id,
            expand=self._ways[object_name].expand,
            purpose=Purpose.BACKGROUND,
        )

    def _judge(self, comparison: Comparison) -> None:
        """Say what became of each object that differed, and let the inbox have it."""
        tally = comparison.tally
        with closing(comparison):
            if comparison.known.count_open():
                comparison.read_topic()
            strangers = self._strangers(comparison)
            for finding in comparison.judged():
                if finding.verdict is Verdict.DELETED and finding.account_id in strangers:
                    tally.failures["another_account"] += 1
                    continue
                tally.verdicts[finding.verdict] += 1
                tally.drift.update(finding.drift)
                if finding.record is not None and self._inbox is not None:
                    key, value, envelope = finding.record
                    self._inbox.put(key=key, value=value, envelope=envelope)
            if self._inbox is not None:
                self._inbox.flush()
        self._count(tally)

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

    def _count(self, tally: Tally) -> None:
        name = tally.object_name
        self._meters.add(RECONCILE_COMPARED, tally.compared, object=name)
        for verdict, count in tally.verdicts.items():
            self._meters.add(RECONCILE_FOUND, count, object=name, verdict=verdict.value)
        for column, count in tally.drift.items():
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
