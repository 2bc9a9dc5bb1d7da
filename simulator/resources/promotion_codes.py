"""Promotion codes: what a customer types to get a coupon."""

from simulator.errors import Refused, missing_parameter
from simulator.parameters import (
    anything,
    boolean,
    choice,
    integer,
    metadata,
    record,
    text,
)
from simulator.resource import ACTIVE, CREATED, Filter, Resource, changes, equals, fresh
from simulator.session import Session
from simulator.state import Body

_RESTRICTIONS = record(
    {
        "currency_options": anything,
        "first_time_transaction": boolean,
        "minimum_amount": integer,
        "minimum_amount_currency": text,
    }
)


def _create(session: Session, given: Body) -> Body:
    promotion = given.pop("promotion")
    if promotion.get("coupon") is None:
        raise missing_parameter("promotion[coupon]")
    coupon = session.get("coupon", promotion["coupon"], parameter="promotion[coupon]")
    if given.get("customer") is not None:
        session.get("customer", given["customer"], parameter="customer")
    given["code"] = given.get("code") or session.world.identifiers.code()
    for other in session.world.state["promotion_code"].newest_first():
        if other["active"] and other["code"].lower() == given["code"].lower():
            raise Refused(
                "An active promotion code with `code: " + given["code"] + "` already exists.",
                code="resource_already_exists",
                parameter="code",
            )
    body = fresh(session, PROMOTION_CODE, given)
    body["promotion"] = {"coupon": coupon["id"], "type": "coupon"}
    return session.add(body, event="promotion_code.created")


def _update(session: Session, body: Body, given: Body) -> Body:
    return session.change(body, changes(body, given), event="promotion_code.updated")


PROMOTION_CODE = Resource(
    name="promotion_code",
    path="promotion_codes",
    prefix="promo_",
    blank={
        "active": True,
        "code": None,
        "created": 0,
        "customer": None,
        "customer_account": None,
        "expires_at": None,
        "livemode": False,
        "max_redemptions": None,
        "metadata": {},
        "promotion": None,
        "restrictions": {
            "first_time_transaction": False,
            "minimum_amount": None,
            "minimum_amount_currency": None,
        },
        "times_redeemed": 0,
    },
    create=_create,
    creatable={
        "active": boolean,
        "code": text,
        "customer": text,
        "expires_at": integer,
        "max_redemptions": integer,
        "metadata": metadata,
        "promotion": record({"coupon": text, "type": choice("coupon")}),
        "restrictions": _RESTRICTIONS,
    },
    required=("promotion",),
    update=_update,
    updatable={"active": boolean, "metadata": metadata, "restrictions": _RESTRICTIONS},
    filters={
        **ACTIVE,
        **CREATED,
        "code": Filter(
            parser=text, keeps=lambda body, asked: body["code"].lower() == asked.lower()
        ),
        "coupon": Filter(
            parser=text, keeps=lambda body, asked: body["promotion"]["coupon"] == asked
        ),
        "customer": equals("customer"),
    },
    references={"customer": "customer", "promotion.coupon": "coupon"},
)
