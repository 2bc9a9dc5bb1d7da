"""Invoice payments: which payment intent is to pay, or has paid, which invoice."""

from simulator.parameters import choice, record, text
from simulator.resource import CREATED, Filter, Resource, equals, fresh
from simulator.session import Session
from simulator.state import Body


def ask_for_payment(session: Session, invoice: Body, *, intent: str) -> Body:
    """Tie a payment intent to an open invoice; Stripe says no event."""
    body = fresh(session, INVOICE_PAYMENT, {})
    payment = {"charge": None, "payment_intent": intent, "payment_record": None}
    return session.add(
        {
            **body,
            "amount_requested": invoice["amount_remaining"],
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "payment": {**payment, "type": "payment_intent"},
        }
    )


def open_payment(session: Session, invoice: Body) -> Body | None:
    """The payment that an open invoice waits for."""
    payments = session.belonging("invoice_payment", "invoice", invoice["id"])
    return next((payment for payment in payments if payment["status"] == "open"), None)


def payment_paid(session: Session, payment: Body) -> None:
    """The payment came."""
    changed = session.change(
        payment,
        {
            "amount_paid": payment["amount_requested"],
            "status": "paid",
            "status_transitions": {**payment["status_transitions"], "paid_at": session.now},
        },
    )
    session.say("invoice_payment.paid", changed)


def payment_cancelled(session: Session, payment: Body) -> None:
    """The payment is not waited for any more."""
    transitions = {**payment["status_transitions"], "canceled_at": session.now}
    session.change(payment, {"status": "canceled", "status_transitions": transitions})


INVOICE_PAYMENT = Resource(
    name="invoice_payment",
    path="invoice_payments",
    prefix="inpay_",
    blank={
        "amount_paid": None,
        "amount_requested": 0,
        "created": 0,
        "currency": None,
        "invoice": None,
        "is_default": True,
        "livemode": False,
        "payment": None,
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    },
    filters={
        **CREATED,
        "invoice": equals("invoice"),
        "payment": Filter(
            parser=record({"payment_intent": text, "type": choice("payment_intent")}),
            keeps=lambda body, asked: (
                asked.get("payment_intent") in (None, body["payment"]["payment_intent"])
            ),
        ),
        "status": equals("status"),
    },
    references={"invoice": "invoice", "payment.payment_intent": "payment_intent"},
)
