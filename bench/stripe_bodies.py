"""Subscription events of some 7 KB, shaped and indented as Stripe's are."""

import hashlib
import json
import time
from typing import Any

FIRST_SECOND = int(time.time()) - 3_600
"""Not long ago: of changes that are older than a week Kafka may keep the last of each key only."""


def subscription_event(number: int, *, second: int, objects: int) -> tuple[str, bytes]:
    """The event's record key and its bytes; `number` makes it differ from all others."""
    name = _letters(f"object {number % objects}")
    event = {
        "id": f"evt_1Nq{_letters(f'event {number}')}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": FIRST_SECOND + second,
        "data": {
            "object": _subscription(name, number, number % objects),
            "previous_attributes": {"metadata": {"order_id": str(number - 1)}},
        },
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "customer.subscription.updated",
    }
    return f"sub_{name}", json.dumps(event, indent=2).encode()


def _letters(what: str) -> str:
    """As an id of Stripe's: text that no compression makes shorter than it is."""
    return hashlib.blake2b(what.encode(), digest_size=12).hexdigest()


def _subscription(name: str, number: int, age_seconds: int) -> dict[str, Any]:
    start = FIRST_SECOND - age_seconds
    return {
        "id": f"sub_{name}",
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": True, "liability": {"type": "self"}},
        "billing_cycle_anchor": start,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible"},
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": start,
        "currency": "eur",
        "customer": f"cus_{name}",
        "days_until_due": None,
        "default_payment_method": f"pm_{name}",
        "default_source": None,
        "default_tax_rates": [],
        "description": "Standard plan, billed monthly",
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": {
            "object": "list",
            "data": [_item(name, place, start) for place in range(2)],
            "has_more": False,
            "total_count": 2,
            "url": f"/v1/subscription_items?subscription=sub_{name}",
        },
        "latest_invoice": f"in_{_letters(f'invoice {number}')}",
        "livemode": False,
        "metadata": {"order_id": str(number), "platform": "web", "team": name},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": {
                "acss_debit": None,
                "bancontact": None,
                "card": {"network": None, "request_three_d_secure": "automatic"},
                "customer_balance": None,
                "konbini": None,
                "sepa_debit": None,
                "us_bank_account": None,
            },
            "payment_method_types": ["card"],
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": start,
        "status": "active",
        "test_clock": None,
        "transfer_data": None,
        "trial_end": start + 1_209_600,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": start,
    }


def _item(name: str, place: int, start: int) -> dict[str, Any]:
    price = {
        "id": f"price_{place}",
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": FIRST_SECOND,
        "currency": "eur",
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": f"prod_{place}",
        "recurring": {
            "interval": "month",
            "interval_count": 1,
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        },
        "tax_behavior": "exclusive",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring",
        "unit_amount": 1_500,
        "unit_amount_decimal": "1500",
    }
    return {
        "id": f"si_{name}{place}",
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": start,
        "current_period_end": start + 2_592_000,
        "current_period_start": start,
        "discounts": [],
        "metadata": {},
        "plan": {key: price[key] for key in price if key != "recurring"},
        "price": price,
        "quantity": 1,
        "subscription": f"sub_{name}",
        "tax_rates": [],
    }
