"""The same four objects in the shape of 2019 and in that of 2026, written down by hand.

What only one of the two shapes can tell is left out, or named in `ONLY_OLD`. Each function takes
what makes the ids, so that both bodies may be sent to one installation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Body = dict[str, Any]

OLD_VERSION: Final = "2019-02-19"
NEW_VERSION: Final = "2026-10-28.endive"
CREATED: Final = 1_551_000_000
MONTH: Final = 30 * 86_400


def _list(*elements: Body) -> Body:
    return {"object": "list", "data": list(elements), "has_more": False, "url": "/v1/things"}


def _plan() -> Body:
    return {
        "id": "plan_gold",
        "object": "plan",
        "amount": 2000,
        "currency": "usd",
        "interval": "month",
        "product": "prod_gold",
    }


def subscription_of_2019(name: str) -> Body:
    """Plan, quantity and period stand on the subscription."""
    return {
        "id": f"sub_{name}",
        "object": "subscription",
        "billing": "send_invoice",
        "cancel_at_period_end": False,
        "created": CREATED,
        "current_period_end": CREATED + MONTH,
        "current_period_start": CREATED,
        "customer": "cus_ages",
        "days_until_due": 30,
        "discount": {
            "id": "di_ages",
            "object": "discount",
            "coupon": {"id": "half", "object": "coupon", "percent_off": 50.0},
        },
        "items": _list(
            {
                "id": f"si_{name}",
                "object": "subscription_item",
                "plan": _plan(),
                "quantity": 3,
                "subscription": f"sub_{name}",
            }
        ),
        "livemode": False,
        "metadata": {"order": "6735"},
        "plan": _plan(),
        "quantity": 3,
        "start": CREATED,
        "status": "active",
        "tax_percent": 19.0,
        "trial_end": None,
    }


def subscription_of_2026(name: str) -> Body:
    """Plan, quantity and period stand on the items; discounts are ids."""
    return {
        "id": f"sub_{name}",
        "object": "subscription",
        "billing_mode": None,
        "cancel_at_period_end": False,
        "collection_method": "send_invoice",
        "created": CREATED,
        "customer": "cus_ages",
        "days_until_due": 30,
        "discounts": ["di_ages"],
        "items": _list(
            {
                "id": f"si_{name}",
                "object": "subscription_item",
                "current_period_end": CREATED + MONTH,
                "current_period_start": CREATED,
                "plan": _plan(),
                "quantity": 3,
                "subscription": f"sub_{name}",
            }
        ),
        "livemode": False,
        "metadata": {"order": "6735"},
        "status": "active",
        "trial_end": None,
    }


def invoice_of_2019(name: str) -> Body:
    """The subscription, the tax and whether it is paid stand on the invoice."""
    return {
        "id": f"in_{name}",
        "object": "invoice",
        "amount_due": 7140,
        "application_fee_amount": 100,
        "billing": "charge_automatically",
        "charge": "ch_ages",
        "currency": "usd",
        "customer": "cus_ages",
        "date": CREATED,
        "discount": {"id": "di_ages", "object": "discount"},
        "finalized_at": CREATED + 60,
        "livemode": False,
        "paid": True,
        "payment_intent": "pi_ages",
        "status": "paid",
        "subscription": "sub_ages",
        "subscription_proration_date": CREATED + 5,
        "tax": 1140,
        "tax_percent": 19.0,
        "total": 7140,
        "total_tax_amounts": [{"amount": 1140, "inclusive": False, "tax_rate": "txr_ages"}],
    }


def invoice_of_2026(name: str) -> Body:
    """Parent and taxes are objects and lists; payments are shown on request only."""
    return {
        "id": f"in_{name}",
        "object": "invoice",
        "amount_due": 7140,
        "collection_method": "charge_automatically",
        "created": CREATED,
        "currency": "usd",
        "customer": "cus_ages",
        "discounts": ["di_ages"],
        "livemode": False,
        "parent": {
            "quote_details": None,
            "subscription_details": {
                "metadata": {},
                "subscription": "sub_ages",
                "subscription_proration_date": CREATED + 5,
            },
            "type": "subscription_details",
        },
        "status": "paid",
        "status_transitions": {"finalized_at": CREATED + 60, "paid_at": CREATED + 60},
        "total": 7140,
        "total_taxes": [
            {
                "amount": 1140,
                "tax_behavior": "exclusive",
                "tax_rate_details": {"tax_rate": "txr_ages"},
                "type": "tax_rate_details",
            }
        ],
    }


def invoice_of_2026_with_payments(name: str) -> Body:
    """The same, as it is shown to whoever asks for its payments."""
    payment = {"charge": "ch_ages", "payment_intent": "pi_ages", "type": "payment_intent"}
    shown = {
        "id": f"inpay_{name}",
        "object": "invoice_payment",
        "is_default": True,
        "payment": payment,
    }
    return {**invoice_of_2026(name), "payments": _list(shown)}


def charge_of_2019(name: str) -> Body:
    """The destination stands on the charge, and the invoice as well."""
    return {
        "id": f"ch_{name}",
        "object": "charge",
        "amount": 7140,
        "amount_refunded": 0,
        "captured": True,
        "created": CREATED,
        "currency": "usd",
        "customer": {"id": "cus_ages", "object": "customer"},
        "destination": "acct_ages",
        "invoice": "in_ages",
        "livemode": False,
        "metadata": {},
        "order": None,
        "paid": True,
        "refunds": _list(),
        "status": "succeeded",
        "transfer_data": None,
    }


def charge_of_2026(name: str) -> Body:
    """The destination stands in the transfer's data."""
    return {
        "id": f"ch_{name}",
        "object": "charge",
        "amount": 7140,
        "amount_refunded": 0,
        "captured": True,
        "created": CREATED,
        "currency": "usd",
        "customer": "cus_ages",
        "livemode": False,
        "metadata": {},
        "paid": True,
        "refunds": _list(),
        "status": "succeeded",
        "transfer_data": {"destination": "acct_ages"},
    }


def customer_of_2019(name: str) -> Body:
    """The balance has another name."""
    return {
        "id": f"cus_{name}",
        "object": "customer",
        "account_balance": -500,
        "created": CREATED,
        "currency": "usd",
        "default_source": "card_ages",
        "delinquent": False,
        "email": "ages@example.com",
        "livemode": False,
        "metadata": {},
        "tax_info": {"tax_id": "DE123456789", "type": "vat"},
        "tax_info_verification": None,
    }


def customer_of_2026(name: str) -> Body:
    """The same customer."""
    return {
        "id": f"cus_{name}",
        "object": "customer",
        "balance": -500,
        "created": CREATED,
        "currency": "usd",
        "default_source": "card_ages",
        "delinquent": False,
        "email": "ages@example.com",
        "livemode": False,
        "metadata": {},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoAges:
    """One type's bodies.

    Attributes:
        only_old: columns that bodies of 2026 have no word for.
        nested: columns of nested JSON that are the same as well.
    """

    event_type: str
    old: Callable[[str], Body]
    new: Callable[[str], Body]
    only_old: frozenset[str]
    nested: frozenset[str]


TWO_AGES: Final[Mapping[str, TwoAges]] = {
    "subscription": TwoAges(
        event_type="customer.subscription.updated",
        old=subscription_of_2019,
        new=subscription_of_2026,
        only_old=frozenset({"start", "tax_percent"}),
        nested=frozenset({"discounts", "metadata", "plan"}),
    ),
    "invoice": TwoAges(
        event_type="invoice.updated",
        old=invoice_of_2019,
        new=invoice_of_2026,
        only_old=frozenset(
            {"application_fee_amount", "charge_id", "payment_intent_id", "tax_percent"}
        ),
        nested=frozenset({"discounts"}),
    ),
    "charge": TwoAges(
        event_type="charge.updated",
        old=charge_of_2019,
        new=charge_of_2026,
        only_old=frozenset({"invoice_id"}),
        nested=frozenset({"metadata", "transfer_data"}),
    ),
    "customer": TwoAges(
        event_type="customer.updated",
        old=customer_of_2019,
        new=customer_of_2026,
        only_old=frozenset(),
        nested=frozenset({"metadata"}),
    ),
}
