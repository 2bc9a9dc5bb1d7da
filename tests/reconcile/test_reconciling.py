"""What a run does about lists that fail, keys of others and objects without lists."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from producer import asking
from producer.comparison import Comparison
from producer.errors import StripeRefused, StripeUnreachable
from producer.known_objects import Open
from producer.one_by_one import OneByOne
from producer.rate_bucket import Purpose
from producer.reconcile import STRANGERS_MAX, NotRead, Reconciler, Scope, Take
from producer.reconcile_report import Tally, exit_code
from producer.stripe_api import Retrieved
from producer.verdict import Verdict
from runtime.clock import SystemClock
from runtime.errors import ExitCode
from runtime.metrics import RECONCILE_DRIFT, RECONCILE_FOUND, Meters
from runtime.stop import Stop
from schemas.endpoints import load_ways
from schemas.inbox import Envelope, Kind
from schemas.meta import Operation
from tests.reconcile.published import FIRST_SECOND, Published


@dataclass(slots=True, kw_only=True)
class Shown:
    """What Stripe says: lists, single objects by their path, and what is put into the inbox.

    Attributes:
        end: why the list was not read to its end.
        not_read: what else was not.
        meanwhile: called after the last page.
    """

    published: Published
    pages: list[Sequence[Open]] = field(default_factory=list)
    end: str = ""
    not_read: NotRead | None = None
    meanwhile: Callable[[], object] = lambda: None
    objects: dict[str, dict[str, Any] | Exception] = field(default_factory=dict)
    put_records: list[tuple[str, Envelope]] = field(default_factory=list)
    since: int | None = None
    asked: list[str] = field(default_factory=list)
    flushed: int = 0

    def read(
        self, objects: Sequence[str], account_id: str, take: Take, *, since: int | None
    ) -> NotRead:
        assert since == self.since
        assert (tuple(objects), account_id) == ((self.published.object_type.name,), "")
        for page in self.pages:
            take(objects[0], page)
        self.meanwhile()
        return self.not_read or NotRead(whole={objects[0]: self.end} if self.end else {})

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
        assert (account_id, purpose) == ("", Purpose.BACKGROUND)
        assert tuple(expand) == load_ways()[object_name].expand
        self.asked.append(path)
        found = self.objects.get(path)
        if isinstance(found, Exception):
            raise found
        if found is None:
            return self.published.retrieved(second=90, gone=True, id=object_id)
        return self.published.retrieved(second=90, **found)

    def put(self, *, key: str, value: bytes, envelope: Envelope) -> None:
        assert value
        self.put_records.append((key, envelope))

    def flush(self) -> None:
        self.flushed += 1

    def shows(self, *bodies: dict[str, Any]) -> None:
        self.pages.append(self.published.shown(*bodies, second=80))

    def run(
        self, *, dry_run: bool = False, stop: Stop | None = None, meters: Meters | None = None
    ) -> Tally:
        (tally,) = run_together(
            self, dry_run=dry_run, stop=stop or Stop(), meters=meters or Meters()
        )
        return tally


class Shops:
    """Several types side by side."""

    def __init__(self, shown: Sequence[Shown]) -> None:
        self._by_name = {one.published.object_type.name: one for one in shown}
        self.since = shown[0].since

    @property
    def names(self) -> list[str]:
        return list(self._by_name)

    def comparison(self, name: str) -> Comparison:
        return self._by_name[name].published.fresh_comparison()

    def pages(self, name: str) -> list[Sequence[Open]]:
        return self._by_name[name].pages

    def read(
        self, objects: Sequence[str], account_id: str, take: Take, *, since: int | None
    ) -> NotRead:
        return self._by_name[objects[0]].read(objects, account_id, take, since=since)

    def retrieve(self, *, object_name: str, **asked: Any) -> Retrieved:
        return self._by_name[object_name].retrieve(object_name=object_name, **asked)


class Together:
    """Two types that are read through one another: one group."""

    def __init__(self, *shown: Shown) -> None:
        self._shops = Shops(shown)
        self.not_read = NotRead()

    def read(
        self,
        objects: Sequence[str],
        account_id: str,  # noqa: ARG002
        take: Take,
        *,
        since: int | None,  # noqa: ARG002
    ) -> NotRead:
        for name in objects:
            for page in self._shops.pages(name):
                take(name, page)
        return self.not_read

    def run(self) -> list[Tally]:
        ways, stop = load_ways(), Stop()
        reconciler = Reconciler(
            comparison_of=self._shops.comparison,
            ways=ways,
            lists=self,
            one_by_one=OneByOne(retriever=self._shops, ways=ways, stop=stop),
            inbox=None,
            settle_seconds=0.0,
            clock=SystemClock(),
            stop=stop,
            meters=Meters(),
        )
        return reconciler.run(Scope(groups=[self._shops.names], accounts=[""]))


def run_together(
    *shown: Shown,
    dry_run: bool = False,
    stop: Stop | None = None,
    meters: Meters | None = None,
) -> list[Tally]:
    """One run over these types, one group after the other."""
    stop, ways, shops = stop or Stop(), load_ways(), Shops(shown)
    reconciler = Reconciler(
        comparison_of=shops.comparison,
        ways=ways,
        lists=shops,
        one_by_one=OneByOne(retriever=shops, ways=ways, stop=stop),
        inbox=None if dry_run else shown[0],
        settle_seconds=0.0,
        clock=SystemClock(),
        stop=stop,
        meters=meters or Meters(),
    )
    groups = [[name] for name in shops.names]
    return reconciler.run(Scope(groups=groups, accounts=[""], since=shops.since))


def shop(object_name: str, *ids: str) -> Shown:
    """A type of which these objects were published."""
    published = Published(object_name)
    for object_id in ids:
        published.publish(second=1, id=object_id)
    return Shown(published=published)


def found(tally: Tally) -> Mapping[Verdict, int]:
    return {verdict: count for verdict, count in tally.verdicts.items() if count}


def test_nothing_is_put_where_nothing_differs() -> None:
    customers = shop("customer", "cus_1", "cus_2")
    customers.shows({"id": "cus_1"}, {"id": "cus_2"})
    tally = customers.run()
    assert found(tally) == {Verdict.UNCHANGED: 2}
    assert (customers.put_records, customers.asked) == ([], [])
    assert exit_code([tally]) is ExitCode.OK


def test_what_differs_is_put_and_counted_by_column() -> None:
    customers = shop("customer", "cus_1", "cus_2")
    customers.shows({"id": "cus_1", "name": "a"}, {"id": "cus_2"}, {"id": "cus_3"})
    meters = Meters()
    tally = customers.run(meters=meters)
    assert found(tally) == {Verdict.UNCHANGED: 1, Verdict.REPAIRED: 1, Verdict.CREATED: 1}
    assert tally.drift == {"name": 1}
    assert [key for key, _ in customers.put_records] == ["cus_1", "cus_3"]
    assert customers.flushed == 1
    assert exit_code([tally]) is ExitCode.DIFFERENCE_FOUND
    assert meters.value(RECONCILE_DRIFT, object="customer", column="name") == 1
    assert meters.value(RECONCILE_FOUND, object="customer", verdict="repaired", told="yes") == 1


def test_a_dry_run_finds_the_same_and_puts_nothing() -> None:
    customers = shop("customer", "cus_1", "cus_2")
    customers.shows({"id": "cus_1", "name": "a"})
    tally = customers.run(dry_run=True)
    assert found(tally) == {Verdict.REPAIRED: 1, Verdict.DELETED: 1}
    assert (customers.put_records, customers.flushed) == ([], 0)
    assert exit_code([tally]) is ExitCode.DIFFERENCE_FOUND


@pytest.mark.parametrize("end", ["unreachable", "forbidden"])
def test_a_list_that_was_cut_short_deletes_nothing(end: str) -> None:
    customers = shop("customer", "cus_1", "cus_2")
    customers.shows({"id": "cus_1", "name": "a"})
    customers.end = end
    tally = customers.run()
    assert found(tally) == {Verdict.REPAIRED: 1}
    assert customers.asked == []
    assert exit_code([tally]) is ExitCode.FAILED


def test_a_list_that_stripe_refuses_is_no_failure_where_nothing_is_known() -> None:
    cards = shop("issuing.card")
    cards.end = "forbidden"
    tally = cards.run()
    assert tally.passed_over == {"forbidden": 1}
    assert exit_code([tally]) is ExitCode.OK


def test_a_refused_list_is_no_failure_where_another_showed_all_that_is_known() -> None:
    accounts = shop("account", "acct_own")
    # It is retrieved; whoever is no platform is not shown the list.
    accounts.shows({"id": "acct_own"})
    accounts.end = "forbidden"
    tally = accounts.run()
    assert tally.passed_over == {"forbidden": 1}
    assert exit_code([tally]) is ExitCode.OK


@pytest.mark.parametrize(
    "not_read",
    [
        NotRead(above={"customer": ("test_helpers.test_clock", "bad_request")}),
        NotRead(in_part={"customer": {"forbidden": 3}}),
    ],
)
def test_what_is_refused_beside_a_types_own_list_is_told_and_taints_nothing(
    not_read: NotRead,
) -> None:
    customers = shop("customer", "cus_1", "cus_2")
    customers.shows({"id": "cus_1"})
    customers.not_read = not_read
    tally = customers.run()
    # What no list shows is asked for all the same.
    assert found(tally) == {Verdict.UNCHANGED: 1, Verdict.DELETED: 1}
    assert tally.passed_over.total() in (1, 3)
    assert not tally.failures


def test_what_is_read_through_a_parent_that_is_known_and_not_shown_is_not_known() -> None:
    customers = shop("customer", "cus_1")
    clocks = shop("test_helpers.test_clock", "clock_1")
    customers.shows({"id": "cus_1"})
    reason = {"test_helpers.test_clock": "forbidden"}
    together = Together(customers, clocks)
    together.not_read = NotRead(
        whole=reason, above={"customer": ("test_helpers.test_clock", "forbidden")}
    )
    tallies = together.run()
    assert [tally.failures for tally in tallies] == [{"forbidden": 1}] * 2


def test_what_no_list_shows_is_gone_only_if_stripe_says_so() -> None:
    prices = shop("price", "price_1", "price_2", "price_3", "price_4")
    prices.shows({"id": "price_1"})
    prices.objects = {
        "/v1/prices/price_2": {"id": "price_2"},
        "/v1/prices/price_3": StripeRefused("forbidden"),
    }
    tally = prices.run()
    assert found(tally) == {
        Verdict.UNCHANGED: 2,
        Verdict.REFUSED: 1,
        Verdict.DELETED: 1,
    }
    ((key, envelope),) = prices.put_records
    assert (key, envelope.kind) == ("price_4", Kind.GONE)
    assert envelope.observed_second == FIRST_SECOND + 90


def test_an_outage_while_objects_are_asked_for_deletes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "ATTEMPTS_MAX", 1)
    prices = shop("price", "price_1")
    prices.objects = {"/v1/prices/price_1": StripeUnreachable("away")}
    tally = prices.run()
    assert prices.put_records == []
    assert exit_code([tally]) is ExitCode.FAILED


@pytest.mark.parametrize("recognised", [False, True])
def test_a_key_of_another_account_deletes_nothing(recognised: bool) -> None:
    ids = [f"cus_{number}" for number in range(STRANGERS_MAX + 2)]
    customers = shop("customer", *ids)
    customers.shows({"id": "cus_of_others"}, *([{"id": "cus_0"}] if recognised else []))
    tally = customers.run()
    deleted = STRANGERS_MAX + 1 if recognised else 0
    assert tally.verdicts[Verdict.DELETED] == deleted
    assert (exit_code([tally]) is ExitCode.FAILED) is not recognised


def test_an_account_that_a_later_type_tells_is_believed() -> None:
    cards = shop("issuing.card", *[f"ic_{number}" for number in range(STRANGERS_MAX + 1)])
    customers = shop("customer", "cus_1")
    customers.shows({"id": "cus_1"})
    one, two = run_together(cards, customers)
    assert one.verdicts[Verdict.DELETED] == STRANGERS_MAX + 1
    assert found(two) == {Verdict.UNCHANGED: 1}


def test_a_type_without_a_list_is_asked_for_object_by_object() -> None:
    mandates = shop("mandate", "mandate_1", "mandate_2")
    mandates.objects = {
        "/v1/mandates/mandate_1": {"id": "mandate_1"},
        "/v1/mandates/mandate_2": {"id": "mandate_2", "status": "inactive"},
    }
    assert found(mandates.run()) == {Verdict.UNCHANGED: 1, Verdict.REPAIRED: 1}


def test_the_only_object_of_its_type_is_found_though_nothing_was_published() -> None:
    balances = shop("balance")
    balances.shows({"available": []})
    assert found(balances.run()) == {Verdict.CREATED: 1}
    assert [key for key, _ in balances.put_records] == ["balance"]


def test_a_change_that_arrives_while_the_lists_are_read_is_no_drift() -> None:
    customers = shop("customer", "cus_1", "cus_2", "cus_3")
    customers.shows({"id": "cus_1", "name": "new"}, {"id": "cus_2", "name": "old"})
    customers.objects = {"/v1/customers/cus_3": {"id": "cus_3", "deleted": True}}

    def meanwhile() -> None:
        customers.published.publish(second=79, id="cus_1", name="new")
        customers.published.publish(second=81, id="cus_2", name="newer")
        customers.published.publish(second=82, id="cus_3", operation=Operation.DELETED)

    customers.meanwhile = meanwhile
    tally = customers.run()
    assert found(tally) == {Verdict.UNCHANGED: 1, Verdict.OVERTAKEN: 1}
    assert customers.put_records == []
    assert exit_code([tally]) is ExitCode.OK


def test_a_run_that_is_stopped_says_so_and_puts_nothing() -> None:
    customers = shop("customer", "cus_1")
    customers.shows({"id": "cus_1", "name": "a"})
    stop = Stop()
    customers.meanwhile = stop.request
    tally = customers.run(stop=stop)
    assert customers.put_records == []
    assert tally.failures == {"stopped": 1}


def test_what_a_stop_left_unread_is_told_though_everything_before_was_judged() -> None:
    stop = Stop()
    customers, coupons = shop("customer", "cus_1"), shop("coupon", "SPRING")
    customers.shows({"id": "cus_1"})
    seen = customers.published.fresh_comparison

    def stopped_when_judged(*accounts: str) -> Comparison:
        made = seen(*accounts)
        close = made.close

        def closed() -> None:
            stop.request()
            close()

        made.close = closed  # type: ignore[method-assign]
        return made

    customers.published.fresh_comparison = stopped_when_judged  # type: ignore[method-assign]
    one, two = run_together(customers, coupons, stop=stop)
    assert (found(one), dict(one.failures)) == ({Verdict.UNCHANGED: 1}, {})
    assert (two.object_name, dict(two.failures)) == ("coupon", {"stopped": 1})
    assert exit_code([one, two]) is ExitCode.FAILED


def test_a_look_at_what_is_new_takes_nothing_older_for_deleted() -> None:
    customers = shop("customer", "cus_1")
    customers.shows({"id": "cus_2"})
    customers.since = FIRST_SECOND + 50
    assert found(customers.run()) == {Verdict.CREATED: 1}
    assert customers.asked == []


@pytest.mark.parametrize(
    ("object_name", "object_id"),
    [("balance", ""), ("tax_code", "txcd_1"), ("balance_transaction", "txn_1")],
)
def test_a_look_at_what_is_new_makes_nothing_anew_that_was_published_before_it(
    object_name: str, object_id: str
) -> None:
    shown = shop(object_name)
    fields: dict[str, Any] = {"id": object_id} if object_id else {"available": []}
    shown.published.publish(second=1, **fields)
    shown.since = FIRST_SECOND + 50
    if object_name == "balance_transaction":
        # Its list leaves out what is older.
        assert found(shown.run()) == {}
        return
    # One without an age is shown each time.
    shown.shows(fields)
    assert found(shown.run()) == {Verdict.UNCHANGED: 1}
    assert shown.put_records == []
