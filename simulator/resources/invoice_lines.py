"""Lines of an invoice: what each is for and what it costs."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from simulator.embedded_lists import short_list
from simulator.form import Raw
from simulator.listing import CURSORS, page_of
from simulator.parameters import parse
from simulator.resource import Resource, fresh
from simulator.routing import Route
from simulator.session import Session
from simulator.state import Body


def line_of_subscription_item(
    session: Session, item: Body, *, invoice: str, start: int, end: int, free: bool
) -> Body:
    """Store the line for one period of a subscription item; `free` for a trial's."""
    price, quantity = item["price"], item["quantity"]
    amount = 0 if free else amount_of_price(session, price, quantity=quantity or 0)
    name = (session.find("product", price["product"]) or {}).get("name", price["product"])
    each = f"(at {price['unit_amount_decimal'] or '0'} / {price['recurring']['interval']})"
    description = f"Trial period for {name}" if free else f"{quantity or 0} x {name} {each}"
    return _add(
        session,
        invoice,
        amount=amount,
        currency=price["currency"],
        description=description,
        metadata=item["metadata"],
        parent={
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": item["subscription"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        period={"end": end, "start": start},
        pricing=_pricing(price, free=free),
        quantity=quantity,
        quantity_decimal=None if quantity is None else str(quantity),
        subscription=item["subscription"],
    )


def line_of_invoice_item(session: Session, item: Body, *, invoice: str) -> Body:
    """Store the line of an invoice item."""
    return _add(
        session,
        invoice,
        amount=item["amount"],
        currency=item["currency"],
        description=item["description"],
        discountable=item["discountable"],
        metadata=item["metadata"],
        parent={
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": None,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
        period=item["period"],
        pricing=item["pricing"],
        quantity=item["quantity"],
        quantity_decimal=item["quantity_decimal"],
    )


def amount_of_price(session: Session, price: Body, *, quantity: int) -> int:
    """What `quantity` of a price costs, in the minor unit; tiers count as Stripe counts them."""
    if price["billing_scheme"] == "tiered":
        tiers = session.world.aside.get(price["id"]) or []
        return _tiered(tiers, quantity, graduated=price["tiers_mode"] == "graduated")
    transform = price["transform_quantity"]
    if transform is not None:
        more = quantity % transform["divide_by"] and transform["round"] == "up"
        quantity = quantity // transform["divide_by"] + bool(more)
    return _whole(Decimal(price["unit_amount_decimal"] or 0) * quantity)


def lines_shown(session: Session, invoice: str) -> Body:
    """The `lines` of an invoice's body: the first few."""
    return short_list(
        session.belonging("line_item", "invoice", invoice), url=f"/v1/invoices/{invoice}/lines"
    )


def line_routes() -> list[Route]:
    """`/v1/invoices/{id}/lines`."""
    return [Route(method="GET", path="/v1/invoices/{id}/lines", handler=_list)]


def _list(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    given = parse(raw, CURSORS)
    invoice = session.get("invoice", ids[0])["id"]
    lines = session.belonging("line_item", "invoice", invoice)
    return page_of(lines, given, name="line_item", url=f"/v1/invoices/{invoice}/lines")


def _add(session: Session, invoice: str, **fields: Any) -> Body:
    body = fresh(session, LINE_ITEM, {})
    return session.add({**body, **fields, "invoice": invoice, "subtotal": fields["amount"]})


def _pricing(price: Body, *, free: bool) -> Body:
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": "0" if free else price["unit_amount_decimal"],
    }


def _tiered(tiers: list[Body], quantity: int, *, graduated: bool) -> int:
    total, below = Decimal(0), 0
    for tier in tiers:
        top = quantity if tier["up_to"] in ("inf", None) else min(quantity, tier["up_to"])
        last = top >= quantity
        if graduated or last:
            counted = top - below if graduated else quantity
            each = tier["unit_amount_decimal"] or tier["unit_amount"] or 0
            flat = tier["flat_amount_decimal"] or tier["flat_amount"] or 0
            total += Decimal(each) * counted + Decimal(flat)
        if last:
            break
        below = top
    return _whole(total)


def _whole(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


LINE_ITEM = Resource(
    name="line_item",
    path="line_items",
    prefix="il_",
    blank={
        "amount": 0,
        "currency": None,
        "description": None,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "parent": None,
        "period": None,
        "pretax_credit_amounts": [],
        "pricing": None,
        "quantity": None,
        "quantity_decimal": None,
        "subscription": None,
        "subtotal": 0,
        "taxes": [],
    },
    references={
        "discounts": "discount",
        "pricing.price_details.price": "price",
        "subscription": "subscription",
    },
)
