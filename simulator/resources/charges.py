"""Charges: attempts to take money, good and bad."""

from typing import Any

from simulator.embedded_lists import short_list
from simulator.errors import Refused, declined, missing_parameter
from simulator.parameters import (
    SHIPPING,
    anything,
    boolean,
    choice,
    integer,
    metadata,
    record,
    text,
)
from simulator.resource import CREATED, Action, Resource, changes, equals, fresh
from simulator.resources.balance_transactions import book
from simulator.resources.payment_methods import (
    KnownCard,
    card_of,
    payment_method_named,
)
from simulator.session import Session
from simulator.state import Body

AMOUNT_MIN = 1
AMOUNT_MAX = 99_999_999

_UPDATABLE = {
    "customer": text,
    "description": text,
    "fraud_details": record({"user_report": choice("fraudulent", "safe")}),
    "metadata": metadata,
    "receipt_email": text,
    "shipping": SHIPPING,
    "transfer_group": text,
}


def check_amount(amount: int | None) -> None:
    """Refuse an amount that no card is charged with."""
    if amount is None:
        raise missing_parameter("amount")
    if amount < AMOUNT_MIN:
        raise Refused(
            "Invalid positive integer", code="parameter_invalid_integer", parameter="amount"
        )
    if amount > AMOUNT_MAX:
        raise Refused(
            "Amount must be no more than $999,999.99", code="amount_too_large", parameter="amount"
        )


def charge_card(session: Session, given: Body, *, method: Body, captured: bool) -> Body:
    """Charge a payment method; the charge's `status` says whether it paid.

    Args:
        session: where the charge and its event go.
        given: fields of the charge, at least `amount` and `currency`.
        method: what is charged.
        captured: False only reserves the amount.
    """
    card = card_of(method)
    amount = given["amount"]
    body = fresh(session, CHARGE, given) | {
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "Stripe",
        "customer": given.get("customer") or method["customer"],
        "payment_method": method["id"],
        "payment_method_details": {"card": _card_details(method, amount), "type": "card"},
    }
    if card.decline_code:
        failed = session.add({**body, **_failure(card)})
        session.say("charge.failed", failed)
        return failed
    body |= {
        "amount_captured": amount if captured else 0,
        "captured": captured,
        "outcome": _outcome("approved_by_network", "Payment complete.", kind="authorized"),
        "paid": True,
        "receipt_url": f"https://pay.stripe.com/receipts/payment/{session.make_id('')}",
        "status": "succeeded",
    }
    if captured:
        booked = book(session, body, kind="charge", amount=amount)
        body["balance_transaction"] = booked["id"]
    return session.add(body, event="charge.succeeded")


def capture_charge(session: Session, charge: Body, *, amount: int | None = None) -> Body:
    """Take what was reserved, or a part of it."""
    if charge["captured"] or charge["status"] != "succeeded" or charge["refunded"]:
        raise Refused(
            f"Charge {charge['id']} has already been captured.", code="charge_already_captured"
        )
    taken = charge["amount"] if amount is None else amount
    booked = book(session, charge, kind="charge", amount=taken)
    changed = session.change(
        charge,
        {
            "amount_captured": taken,
            "amount_refunded": charge["amount"] - taken,
            "balance_transaction": booked["id"],
            "captured": True,
        },
    )
    session.say("charge.captured", changed)
    return changed


def failure_of(charge: Body) -> Body:
    """What the error of a declined charge says, without its type."""
    return {
        "charge": charge["id"],
        "code": charge["failure_code"],
        "decline_code": charge["outcome"]["reason"],
        "doc_url": "https://stripe.com/docs/error-codes/card-declined",
        "message": charge["failure_message"],
    }


def _failure(card: KnownCard) -> dict[str, Any]:
    message = "Your card was declined."
    if card.decline_code == "insufficient_funds":
        message = "Your card has insufficient funds."
    return {
        "captured": False,
        "failure_code": "card_declined",
        "failure_message": message,
        "outcome": _outcome(
            "declined_by_network",
            "The bank did not return any further details with this decline.",
            kind="issuer_declined",
            reason=card.decline_code,
        ),
        "paid": False,
        "status": "failed",
    }


def _outcome(status: str, message: str, *, kind: str, reason: str | None = None) -> Body:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": status,
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": message,
        "type": kind,
    }


def _card_details(method: Body, amount: int) -> Body:
    card = method["card"]
    kept = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
    )
    return {
        "amount_authorized": amount,
        "authorization_code": None,
        **{name: card[name] for name in kept},
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": None,
    }


def _create(session: Session, given: Body) -> Body:
    check_amount(given.get("amount"))
    capture = given.pop("capture", True)
    source = given.pop("source", None)
    customer = given.get("customer")
    if customer is not None:
        found = session.get("customer", customer, parameter="customer")
        source = source or found["invoice_settings"]["default_payment_method"]
    if source is None:
        raise Refused("Must provide source or customer.", code="parameter_missing")
    method = payment_method_named(session, source, parameter="source")
    charge = charge_card(session, given, method=method, captured=bool(capture))
    if charge["status"] == "failed":
        raise declined(charge["failure_message"], more=failure_of(charge))
    return charge


def _update(session: Session, body: Body, given: Body) -> Body:
    return session.change(body, changes(body, given), event="charge.updated")


def _capture(session: Session, body: Body, given: Body) -> Body:
    if body["payment_intent"] is not None:
        raise Refused(
            f"This charge was made by a payment intent: capture {body['payment_intent']} instead."
        )
    return capture_charge(session, body, amount=given.get("amount"))


def _refunds(session: Session, body: Body) -> Body:
    refunds = list(reversed(session.belonging("refund", "charge", body["id"])))
    return short_list(refunds, url=f"/v1/charges/{body['id']}/refunds")


CHARGE = Resource(
    name="charge",
    path="charges",
    prefix="ch_",
    blank={
        "amount": 0,
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "authorization_code": None,
        "balance_transaction": None,
        "billing_details": None,
        "calculated_statement_descriptor": None,
        "captured": False,
        "created": 0,
        "currency": None,
        "customer": None,
        "description": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": None,
        "payment_method": None,
        "payment_method_details": None,
        "presentment_details": None,
        "radar_options": {},
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "pending",
        "transfer": None,
        "transfer_data": None,
        "transfer_group": None,
    },
    create=_create,
    creatable={
        **_UPDATABLE,
        "amount": integer,
        "capture": boolean,
        "currency": text,
        "on_behalf_of": text,
        "source": text,
        "statement_descriptor": text,
        "statement_descriptor_suffix": text,
        "transfer_data": anything,
    },
    required=("amount", "currency"),
    update=_update,
    updatable=_UPDATABLE,
    actions={
        "capture": Action(
            run=_capture,
            parameters={
                "amount": integer,
                "receipt_email": text,
                "statement_descriptor": text,
                "statement_descriptor_suffix": text,
                "transfer_group": text,
            },
        )
    },
    filters={
        **CREATED,
        "customer": equals("customer"),
        "payment_intent": equals("payment_intent"),
        "transfer_group": equals("transfer_group"),
    },
    references={
        "balance_transaction": "balance_transaction",
        "customer": "customer",
        "failure_balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
    },
    included={
        "level3": lambda _session, _body: None,
        "refunds": _refunds,
    },
)
