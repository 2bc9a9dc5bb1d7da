"""Discounts: coupons at work on a subscription or an invoice."""

from simulator.errors import Refused, missing_parameter
from simulator.parameters import Parser, record, text
from simulator.resource import Resource, fresh
from simulator.resources.periods import later
from simulator.session import Session
from simulator.state import Body

_FREE = 100


def discount_parameters() -> Parser:
    """How a request names a discount: an existing one, a coupon or a promotion code."""
    return record({"coupon": text, "discount": text, "promotion_code": text})


def discounts_for(session: Session, given: list[Body], *, owner: Body) -> list[str]:
    """The ids of the discounts of a subscription or an invoice, made where they are new.

    Discounts that the owner had and that are not given again are deleted.
    """
    kept = [
        _discount(session, asked, owner=owner, place=place) for place, asked in enumerate(given)
    ]
    for identifier in owner["discounts"] or []:
        if identifier not in kept:
            end_discount(session, identifier)
    return kept


def end_discount(session: Session, identifier: str) -> None:
    """Delete a discount, where it still exists."""
    found = session.find("discount", identifier)
    if found is not None:
        session.remove(found, event="customer.discount.deleted")


def amount_of(session: Session, discount: str, *, subtotal: int) -> int:
    """How much of `subtotal` a discount takes off."""
    found = session.find("discount", discount)
    coupon = session.find("coupon", found["source"]["coupon"]) if found else None
    if coupon is None or found is None or (found["end"] and found["end"] <= session.now):
        return 0
    if coupon["percent_off"] is not None:
        return round(subtotal * float(coupon["percent_off"]) / _FREE)
    return min(subtotal, int(coupon["amount_off"]))


def lasts_once(session: Session, discount: str) -> bool:
    """Whether a discount counts for one invoice only."""
    found = session.find("discount", discount)
    coupon = session.find("coupon", found["source"]["coupon"]) if found else None
    return coupon is not None and bool(coupon["duration"] == "once")


def _discount(session: Session, asked: Body, *, owner: Body, place: int) -> str:
    name = f"discounts[{place}]"
    if asked.get("discount") is not None:
        return str(session.get("discount", asked["discount"], parameter=f"{name}[discount]")["id"])
    code = None
    identifier = asked.get("coupon")
    if asked.get("promotion_code") is not None:
        code = session.get(
            "promotion_code", asked["promotion_code"], parameter=f"{name}[promotion_code]"
        )
        if not code["active"]:
            raise Refused("This promotion code is not active.", parameter=name)
        identifier = code["promotion"]["coupon"]
    if identifier is None:
        raise missing_parameter(f"{name}[coupon]")
    coupon = session.get("coupon", identifier, parameter=f"{name}[coupon]")
    if not coupon["valid"]:
        raise Refused(f"Coupon expired: {identifier}", code="coupon_expired", parameter=name)
    return _redeem(session, coupon, code, owner=owner)


def _redeem(session: Session, coupon: Body, code: Body | None, *, owner: Body) -> str:
    redeemed = coupon["times_redeemed"] + 1
    limit = coupon["max_redemptions"]
    session.change(
        coupon, {"times_redeemed": redeemed, "valid": limit is None or redeemed < limit}
    )
    if code is not None:
        session.change(code, {"times_redeemed": code["times_redeemed"] + 1})
    months = coupon["duration_in_months"]
    repeating = coupon["duration"] == "repeating"
    body = fresh(session, DISCOUNT, {}) | {
        "customer": owner["customer"],
        "end": later(session.now, interval="month", count=months) if repeating else None,
        owner["object"]: owner["id"],
        "promotion_code": code["id"] if code else None,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": session.now,
    }
    return str(session.add(body, event="customer.discount.created")["id"])


DISCOUNT = Resource(
    name="discount",
    path="discounts",
    prefix="di_",
    blank={
        "checkout_session": None,
        "customer": None,
        "customer_account": None,
        "end": None,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": None,
        "source": None,
        "start": 0,
        "subscription": None,
        "subscription_item": None,
    },
    references={
        "customer": "customer",
        "promotion_code": "promotion_code",
        "source.coupon": "coupon",
    },
)
