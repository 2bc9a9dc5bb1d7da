"""What a request may say of a price, on its own or inside another object's request."""

from decimal import Decimal, InvalidOperation
from typing import Any

from simulator.errors import Refused, wrong_parameter
from simulator.parameters import (
    Parser,
    array,
    boolean,
    choice,
    integer,
    metadata,
    moment,
    record,
    text,
)
from simulator.state import Body

_TIER = record(
    {
        "flat_amount": integer,
        "flat_amount_decimal": text,
        "unit_amount": integer,
        "unit_amount_decimal": text,
        "up_to": moment("inf"),
    },
    whole=True,
)
_RECURRING = {
    "interval": choice("day", "week", "month", "year"),
    "interval_count": integer,
    "meter": text,
    "trial_period_days": integer,
    "usage_type": choice("licensed", "metered"),
}
PRICE_UPDATABLE = {
    "active": boolean,
    "lookup_key": text,
    "metadata": metadata,
    "nickname": text,
    "tax_behavior": choice("exclusive", "inclusive", "unspecified"),
    "transfer_lookup_key": boolean,
}


def price_parameters() -> dict[str, Parser]:
    """The parameters of a price that is made."""
    return {
        **PRICE_UPDATABLE,
        "billing_scheme": choice("per_unit", "tiered"),
        "currency": text,
        "custom_unit_amount": record(
            {"enabled": boolean, "maximum": integer, "minimum": integer, "preset": integer}
        ),
        "product": text,
        "recurring": record(_RECURRING),
        "tiers": array(_TIER),
        "tiers_mode": choice("graduated", "volume"),
        "transform_quantity": record({"divide_by": integer, "round": choice("up", "down")}),
        "unit_amount": integer,
        "unit_amount_decimal": text,
    }


def amounts(given: Body) -> dict[str, Any]:
    """A price's whole and exact amount, whichever of them was given.

    Raises:
        Refused: neither or both are given, or the exact one is no number.
    """
    whole, exact = given.get("unit_amount"), given.get("unit_amount_decimal")
    if whole is not None and exact is not None:
        raise Refused("You may only specify one of: unit_amount, unit_amount_decimal.")
    if exact is not None:
        try:
            amount = Decimal(exact)
        except InvalidOperation:
            raise wrong_parameter("unit_amount_decimal", f"Invalid decimal: {exact}") from None
        is_whole = amount == amount.to_integral_value()
        return {
            "unit_amount": int(amount) if is_whole else None,
            "unit_amount_decimal": format(amount.normalize(), "f"),
        }
    if whole is not None:
        return {"unit_amount": whole, "unit_amount_decimal": str(whole)}
    tiered = given.get("billing_scheme") == "tiered" or given.get("custom_unit_amount")
    if not tiered:
        raise Refused(
            "You must specify either `unit_amount`, `unit_amount_decimal` or "
            "`custom_unit_amount`.",
            code="parameter_missing",
            parameter="unit_amount",
        )
    return {}
