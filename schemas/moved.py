"""Columns whose value Stripe moved: where a body of each API version has it.

The annotations of the pinned package know the newest shape only. These columns exist although it
lacks them, and keep one meaning, whichever version a body is in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.columns import ColumnKind
from schemas.places import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A column that exists for the sake of more than one shape.

    Attributes:
        column: its name.
        source: the field that held it before the move, at the top of the body.
        kind: of the column.
        newer: where the newest shape has it.
    """

    column: str
    source: str
    kind: ColumnKind
    newer: tuple[Place, ...]

    @property
    def places(self) -> tuple[Place, ...]:
        """Every place, newest first."""
        return (*self.newer, Place(path=(self.source,)))


def _moved(column: str, kind: ColumnKind, *newer: str) -> Moved:
    source = column.removesuffix("_id") if kind is ColumnKind.REFERENCE else column
    return Moved(
        column=column,
        source=source,
        kind=kind,
        newer=tuple(Place(path=tuple(path.split("."))) for path in newer),
    )


def _period(column: str) -> Moved:
    # Items of one subscription may have periods of different lengths; the one that ends first
    # is the one that the subscription's own fields used to tell.
    place = Place(path=("items", column), lowest="current_period_end")
    return Moved(column=column, source=column, kind=ColumnKind.TIMESTAMP, newer=(place,))


def _payment(column: str) -> Moved:
    source = column.removesuffix("_id")
    place = Place(path=("payments", "payment", source), flagged="is_default")
    return Moved(column=column, source=source, kind=ColumnKind.REFERENCE, newer=(place,))


MOVED: Final[Mapping[str, tuple[Moved, ...]]] = {
    "subscription": (_period("current_period_end"), _period("current_period_start")),
    "invoice": (
        _payment("charge_id"),
        _payment("payment_intent_id"),
        _moved("quote_id", ColumnKind.REFERENCE, "parent.quote_details.quote"),
        _moved(
            "subscription_id", ColumnKind.REFERENCE, "parent.subscription_details.subscription"
        ),
    ),
    "invoiceitem": (
        _moved("price_id", ColumnKind.REFERENCE, "pricing.price_details.price"),
        _moved(
            "subscription_id", ColumnKind.REFERENCE, "parent.subscription_details.subscription"
        ),
        _moved(
            "subscription_item_id",
            ColumnKind.REFERENCE,
            "parent.subscription_details.subscription_item",
        ),
        _moved("unit_amount_decimal", ColumnKind.DECIMAL, "pricing.unit_amount_decimal"),
    ),
    "line_item": (
        _moved(
            "invoice_item_id", ColumnKind.REFERENCE, "parent.invoice_item_details.invoice_item"
        ),
        _moved("price_id", ColumnKind.REFERENCE, "pricing.price_details.price"),
        _moved(
            "proration",
            ColumnKind.BOOLEAN,
            "parent.invoice_item_details.proration",
            "parent.subscription_item_details.proration",
        ),
        _moved(
            "subscription_item_id",
            ColumnKind.REFERENCE,
            "parent.subscription_item_details.subscription_item",
        ),
    ),
    "credit_note": (_moved("refund_id", ColumnKind.REFERENCE, "refunds.refund"),),
    "discount": (_moved("coupon_id", ColumnKind.REFERENCE, "source.coupon"),),
    "promotion_code": (_moved("coupon_id", ColumnKind.REFERENCE, "promotion.coupon"),),
}
