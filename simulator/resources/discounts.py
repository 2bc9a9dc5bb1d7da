"""Discounts."""

from simulator.parameters import Parser, record, text
from simulator.session import Session
from simulator.state import Body


def discount_parameters() -> Parser:
    """How a request names a discount."""
    return record({"coupon": text, "discount": text, "promotion_code": text})


def discounts_for(session: Session, given: list[Body], *, subscription: Body) -> list[str]:
    return []
