"""What no event tells of an object: what differs in that is no change that was missed.

The catalogue says it in words (`untold`); here it is said in columns, and which of making and
deleting are told. Whatever is not named here is told, so that an alert may rest on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from schemas.endpoints import Ways

ANY_CHANGE: Final = "any change"
"""The catalogue's word for a type of which events tell nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """What no event tells of one object.

    Attributes:
        columns: that change without an event.
        all_columns: whether every column does, but `told`.
        told: the columns that an event tells, where all others change without.
        created, deleted: whether it comes and goes without an event.
    """

    columns: frozenset[str] = frozenset()
    all_columns: bool = False
    told: frozenset[str] = frozenset()
    created: bool = False
    deleted: bool = False

    def covers(self, drift: tuple[str, ...]) -> bool:
        """Whether none of these columns is told."""
        if self.all_columns:
            return self.told.isdisjoint(drift)
        return self.columns.issuperset(drift)


NOTHING: Final = Untold()
EVERYTHING: Final = Untold(all_columns=True, created=True, deleted=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What no event tells of a type.

    Attributes:
        updates: whether updates by request are among it: the writable columns.
        with_column: it holds of objects that have something in this column.
        without_column: of those that have nothing in this one.
        own_only: it holds of what is stored without an account: events about a connected
            account's objects name that account, and so tell of other records than those that the
            platform's lists show.
    """

    untold: Untold = field(default_factory=Untold)
    updates: bool = False
    with_column: str = ""
    without_column: str = ""
    own_only: bool = False

    def of(self, record: Mapping[str, Any], account_id: str, ways: Ways) -> Untold:
        """What is untold of one object, by its columns."""
        if self.own_only and account_id:
            return NOTHING
        if self.with_column and record.get(self.with_column) is None:
            return NOTHING
        if self.without_column and record.get(self.without_column) is not None:
            return NOTHING
        if not self.updates:
            return self.untold
        return replace(self.untold, columns=self.untold.columns | frozenset(ways.writable))


def untold_of(ways: Ways, record: Mapping[str, Any], account_id: str) -> Untold:
    """What no event tells of an object.

    Args:
        ways: to its type.
        record: its columns, of whichever side is at hand.
        account_id: of its key; empty for the merchant's own.
    """
    if ways.untold == ANY_CHANGE:
        return EVERYTHING
    rule = RULES.get(ways.object_name)
    return NOTHING if rule is None else rule.of(record, account_id, ways)


def _columns(*names: str) -> Untold:
    return Untold(columns=frozenset(names))


_MADE: Final = _Rule(untold=Untold(created=True))
_UPDATES: Final = _Rule(updates=True)
_OF_AN_ACCOUNT: Final = _Rule(untold=EVERYTHING, with_column="account_id", own_only=True)

RULES: Final[Mapping[str, _Rule]] = {
    "account": _Rule(untold=EVERYTHING, own_only=True),
    "balance": _Rule(untold=EVERYTHING),
    "bank_account": _OF_AN_ACCOUNT,
    "capability": _Rule(untold=EVERYTHING, own_only=True),
    "card": _OF_AN_ACCOUNT,
    "cash_balance": _Rule(untold=_columns("available")),
    # What a session came to is told when it is completed or expires.
    "checkout.session": _Rule(
        untold=Untold(
            all_columns=True,
            told=frozenset({"status", "payment_status", "invoice_id", "subscription_id"}),
            created=True,
        )
    ),
    "climate.order": _Rule(
        untold=_columns("beneficiary", "metadata", "confirmed_at", "status", "certificate")
    ),
    "climate.product": _Rule(
        untold=_columns("metric_tons_available", "current_prices_per_metric_ton")
    ),
    "coupon": _Rule(untold=_columns("times_redeemed", "valid")),
    "customer": _Rule(untold=_columns("next_invoice_sequence")),
    "entitlements.active_entitlement": _Rule(untold=EVERYTHING),
    "file": _Rule(untold=Untold(columns=frozenset({"expires_at", "links", "url"}), deleted=True)),
    "file_link": _Rule(untold=EVERYTHING),
    "financial_connections.account": _Rule(
        untold=Untold(
            all_columns=True,
            told=frozenset(
                {"status", "balance_refresh", "ownership_refresh", "transaction_refresh"}
            ),
        )
    ),
    "identity.verification_session": _UPDATES,
    # Paying tells `amount_paid` as well.
    "invoice_payment": _Rule(
        untold=Untold(columns=frozenset({"status", "status_transitions"}), created=True)
    ),
    "invoiceitem": _Rule(untold=Untold(all_columns=True)),
    "issuing.personalization_design": _MADE,
    "mandate": _MADE,
    "payment_intent": _UPDATES,
    "payment_link": _Rule(untold=_columns("restrictions")),
    "person": _Rule(untold=EVERYTHING, own_only=True),
    # It ends by itself when its last redemption is used up.
    "promotion_code": _Rule(untold=_columns("times_redeemed", "active")),
    "quote": _Rule(
        untold=Untold(
            all_columns=True,
            told=frozenset(
                {"status", "number", "invoice_id", "subscription_id", "subscription_schedule_id"}
            ),
        )
    ),
    "reporting.report_run": _MADE,
    "setup_intent": _UPDATES,
    "source": _Rule(untold=Untold(all_columns=True), without_column="customer_id"),
    "tax_id": _Rule(untold=EVERYTHING, without_column="customer_id"),
    "terminal.reader": _Rule(
        untold=Untold(all_columns=True, told=frozenset({"action"}), created=True, deleted=True)
    ),
    "topup": _UPDATES,
    "transfer_reversal": _Rule(untold=EVERYTHING),
    "treasury.financial_account": _Rule(untold=_columns("balance"), updates=True),
    "treasury.received_debit": _Rule(untold=Untold(all_columns=True)),
}
"""Object type -> what no event tells of it; types of which events tell nothing need no rule."""
