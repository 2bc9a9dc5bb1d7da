"""Subscription items: which price, how many, and the period that is paid for."""

from simulator.errors import Refused, missing_parameter, no_such
from simulator.parameters import (
    anything,
    array,
    boolean,
    choice,
    integer,
    metadata,
    record,
    text,
)
from simulator.plans import plan_of
from simulator.resource import Resource, changes, fresh
from simulator.resources.periods import period_end
from simulator.resources.products import create_price
from simulator.resources.subscription_states import embedded_items, update
from simulator.session import Session
from simulator.state import Body

ITEMS_MAX = 20

_PRICE_DATA = record(
    {
        "currency": text,
        "product": text,
        "recurring": record(
            {"interval": choice("day", "week", "month", "year"), "interval_count": integer}
        ),
        "tax_behavior": text,
        "unit_amount": integer,
        "unit_amount_decimal": text,
    }
)
_CREATABLE = {
    "billing_thresholds": anything,
    "discounts": array(anything),
    "metadata": metadata,
    "price": text,
    "price_data": _PRICE_DATA,
    "quantity": integer,
    "tax_rates": array(text),
}
NEW_ITEM = record(_CREATABLE)
ITEM_CHANGE = record({**_CREATABLE, "clear_usage": boolean, "deleted": boolean, "id": text})
_BILLING = {
    "off_session": boolean,
    "payment_behavior": text,
    "proration_behavior": choice("always_invoice", "create_prorations", "none"),
    "proration_date": integer,
}


def add_item(
    session: Session, subscription: str, given: Body, *, name: str, start: int, end: int
) -> Body:
    """Store a new item of a subscription, paid for from `start` to `end`; says no event."""
    given = dict(given)
    price = _price(session, given, name=name)
    given.pop("discounts", None)
    body = fresh(session, SUBSCRIPTION_ITEM, given)
    if given.get("quantity") is None:
        body["quantity"] = None if price["recurring"]["usage_type"] == "metered" else 1
    body |= {
        "current_period_end": end,
        "current_period_start": start,
        "plan": plan_of(price),
        "price": price,
        "subscription": subscription,
    }
    return session.add(body)


def change_items(session: Session, subscription: Body, given: list[Body]) -> None:
    """Apply the `items` of an update: change those with an id, remove the deleted, add others.

    Says no event; the subscription's own event shows the items.
    """
    for place, item in enumerate(given):
        name = f"items[{place}]"
        if item.get("id") is None:
            _add_beside(session, subscription, item, name=name)
            continue
        body = session.find("subscription_item", item["id"])
        if body is None or body["subscription"] != subscription["id"]:
            raise no_such("subscription_item", item["id"], parameter=f"{name}[id]")
        if item.get("deleted"):
            session.remove(body)
        else:
            _change_item(session, body, item, name=name)
    left = session.belonging("subscription_item", "subscription", subscription["id"])
    if not left:
        raise Refused("A subscription must have at least one active plan.", parameter="items")
    if len(left) > ITEMS_MAX:
        raise Refused(f"A subscription has at most {ITEMS_MAX} items.", parameter="items")


def end_of_period(price: Body, *, anchor: int, start: int) -> int:
    """When the period of `price` that begins at `start` ends."""
    recurring = price["recurring"]
    return period_end(
        anchor, start=start, interval=recurring["interval"], count=recurring["interval_count"]
    )


def price_of_item(session: Session, given: Body, *, name: str) -> Body:
    """The recurring price that an item names.

    Raises:
        Refused: none is named, it does not exist, is inactive or not recurring.
    """
    identifier = given.get("price")
    if identifier is None:
        raise missing_parameter(f"{name}[price]")
    price = session.get("price", identifier, parameter=f"{name}[price]")
    if price["recurring"] is None:
        raise Refused(
            "The price specified is set to `type=one_time` but this field only accepts prices "
            "with `type=recurring`.",
            parameter=f"{name}[price]",
        )
    if not price["active"]:
        raise Refused(
            "The price specified is inactive. This field only accepts active prices.",
            parameter=f"{name}[price]",
        )
    return price


def _price(session: Session, given: Body, *, name: str) -> Body:
    data = given.pop("price_data", None)
    if data is not None:
        return create_price(session, data, listed=False)
    price = price_of_item(session, given, name=name)
    given.pop("price")
    return price


def _add_beside(session: Session, subscription: Body, given: Body, *, name: str) -> Body:
    """A further item, with the period that the subscription's other items have."""
    others = session.belonging("subscription_item", "subscription", subscription["id"])
    if others:
        start, end = others[0]["current_period_start"], others[0]["current_period_end"]
    else:
        start, end = session.now, session.now
    body = add_item(session, subscription["id"], given, name=name, start=start, end=end)
    if not others and subscription["status"] != "trialing":
        end = end_of_period(body["price"], anchor=session.now, start=session.now)
        body = session.change(body, {"current_period_end": end})
    return body


def _change_item(session: Session, body: Body, given: Body, *, name: str) -> Body:
    made = {key: value for key, value in given.items() if key in {"metadata", "quantity"}}
    made = changes(body, made)
    if given.get("price") is not None or given.get("price_data") is not None:
        price = _price(session, dict(given), name=name)
        made |= {"price": price, "plan": plan_of(price)}
    return session.change(body, made)


def show_items(session: Session, subscription: Body) -> Body:
    """Put the items as they are now into the subscription, and say so if that changed it."""
    return update(session, subscription, {"items": embedded_items(session, subscription["id"])})


def _create(session: Session, given: Body) -> Body:
    subscription = session.get("subscription", given.pop("subscription"), parameter="subscription")
    given = {name: value for name, value in given.items() if name not in _BILLING}
    body = _add_beside(session, subscription, given, name="item")
    show_items(session, subscription)
    return body


def _update(session: Session, body: Body, given: Body) -> Body:
    changed = _change_item(session, body, given, name="item")
    show_items(session, session.get("subscription", body["subscription"]))
    return changed


def _delete(session: Session, body: Body, _given: Body) -> Body:
    subscription = session.get("subscription", body["subscription"])
    change_items(session, subscription, [{"id": body["id"], "deleted": True}])
    show_items(session, subscription)
    return {"id": body["id"], "object": body["object"], "deleted": True}


SUBSCRIPTION_ITEM = Resource(
    name="subscription_item",
    path="subscription_items",
    prefix="si_",
    length=14,
    blank={
        "billing_thresholds": None,
        "created": 0,
        "current_period_end": 0,
        "current_period_start": 0,
        "current_trial": None,
        "discounts": [],
        "metadata": {},
        "plan": None,
        "price": None,
        "quantity": 1,
        "subscription": None,
        "tax_rates": [],
    },
    create=_create,
    creatable={**_CREATABLE, **_BILLING, "subscription": text},
    required=("subscription",),
    update=_update,
    updatable={**_CREATABLE, **_BILLING},
    delete=_delete,
    deletable={**_BILLING, "clear_usage": boolean},
    # The list is that of one subscription, in its order: see simulator/generic/routes.py.
    listed=False,
    references={"plan.product": "product", "discounts": "discount"},
    included={"billed_until": lambda _session, _body: None},
)
