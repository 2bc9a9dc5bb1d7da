"""The fields of an invoice."""

from simulator.resource import Resource
from simulator.session import Session
from simulator.state import Body


def _payments(session: Session, body: Body) -> Body:
    payments = session.belonging("invoice_payment", "invoice", body["id"])
    url = "/v1/invoice_payments"
    return {"object": "list", "data": payments, "has_more": False, "url": url}


def _confirmation_secret(session: Session, body: Body) -> Body | None:
    for payment in session.belonging("invoice_payment", "invoice", body["id"]):
        intent = session.find("payment_intent", payment["payment"]["payment_intent"])
        if intent is not None and payment["status"] == "open":
            return {"client_secret": intent["client_secret"], "type": "payment_intent"}
    return None


INVOICE_SHAPE = Resource(
    name="invoice",
    path="invoices",
    prefix="in_",
    blank={
        "account_country": "US",
        "account_name": "Simulator",
        "account_tax_ids": None,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "created": 0,
        "currency": None,
        "custom_fields": None,
        "customer": None,
        "customer_account": None,
        "customer_address": None,
        "customer_email": None,
        "customer_name": None,
        "customer_phone": None,
        "customer_shipping": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": None,
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": None,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": 0,
        "period_start": 0,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": "draft",
        "status_details": None,
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "test_clock": None,
        "threshold_reason": None,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": None,
    },
    references={
        "customer": "customer",
        "default_payment_method": "payment_method",
        "discounts": "discount",
        "latest_revision": "invoice",
        "parent.subscription_details.subscription": "subscription",
        "total_discount_amounts.discount": "discount",
    },
    included={"confirmation_secret": _confirmation_secret, "payments": _payments},
)
