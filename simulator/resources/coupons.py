"""Coupons."""

from simulator.errors import Refused
from simulator.parameters import (
    anything,
    array,
    choice,
    integer,
    metadata,
    number,
    record,
    text,
)
from simulator.resource import CREATED, Resource, changes, fresh
from simulator.session import Session
from simulator.state import Body

_UPDATABLE = {"currency_options": anything, "metadata": metadata, "name": text}


def _create(session: Session, given: Body) -> Body:
    identifier = given.pop("id", None) or session.world.identifiers.code()
    if session.find("coupon", identifier) is not None:
        raise Refused("Coupon already exists.", code="resource_already_exists", parameter="id")
    percent, amount = given.get("percent_off"), given.get("amount_off")
    if (percent is None) == (amount is None):
        raise Refused("Must provide exactly one of percent_off and amount_off.")
    if amount is not None and given.get("currency") is None:
        raise Refused("You must pass currency when passing amount_off", parameter="currency")
    if given.get("duration") == "repeating" and given.get("duration_in_months") is None:
        raise Refused(
            "You must pass duration_in_months when passing duration=repeating",
            parameter="duration_in_months",
        )
    applies_to = given.pop("applies_to", None)
    given.pop("currency_options", None)
    body = fresh(session, COUPON, {"duration": "once", **given}, identifier=identifier)
    if applies_to is not None:
        session.world.aside[identifier] = applies_to
    return session.add(body, event="coupon.created")


def _update(session: Session, body: Body, given: Body) -> Body:
    given.pop("currency_options", None)
    return session.change(body, changes(body, given), event="coupon.updated")


def _delete(session: Session, body: Body, _given: Body) -> Body:
    return session.remove(body, event="coupon.deleted")


COUPON = Resource(
    name="coupon",
    path="coupons",
    prefix="",
    blank={
        "amount_off": None,
        "created": 0,
        "currency": None,
        "duration": "once",
        "duration_in_months": None,
        "livemode": False,
        "max_redemptions": None,
        "metadata": {},
        "name": None,
        "percent_off": None,
        "redeem_by": None,
        "times_redeemed": 0,
        "valid": True,
    },
    create=_create,
    creatable={
        **_UPDATABLE,
        "amount_off": integer,
        "applies_to": record({"products": array(text)}),
        "currency": text,
        "duration": choice("forever", "once", "repeating"),
        "duration_in_months": integer,
        "id": text,
        "max_redemptions": integer,
        "percent_off": number,
        "redeem_by": integer,
    },
    update=_update,
    updatable=_UPDATABLE,
    delete=_delete,
    filters=CREATED,
    included={
        "applies_to": lambda session, body: session.world.aside.get(body["id"]),
        "currency_options": lambda _session, _body: {},
    },
)
