"""Payment intents: made, confirmed, captured, cancelled."""

from simulator.errors import Refused, declined
from simulator.parameters import (
    SHIPPING,
    anything,
    array,
    boolean,
    choice,
    integer,
    metadata,
    record,
    text,
)
from simulator.resource import CREATED, Action, Resource, changes, equals, fresh
from simulator.resources.charges import (
    capture_charge,
    charge_card,
    check_amount,
    failure_of,
)
from simulator.resources.payment_methods import card_of, payment_method_named
from simulator.session import Session
from simulator.state import Body

_OPEN = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})

_UPDATABLE = {
    "amount": integer,
    "amount_details": anything,
    "application_fee_amount": integer,
    "capture_method": choice("automatic", "automatic_async", "manual"),
    "currency": text,
    "customer": text,
    "description": text,
    "metadata": metadata,
    "payment_details": record({"customer_reference": text, "order_reference": text}),
    "payment_method": text,
    "payment_method_options": anything,
    "receipt_email": text,
    "setup_future_usage": choice("off_session", "on_session"),
    "shipping": SHIPPING,
    "statement_descriptor": text,
    "statement_descriptor_suffix": text,
    "transfer_data": anything,
    "transfer_group": text,
}
_CONFIRMABLE = {
    "error_on_requires_action": boolean,
    "mandate": text,
    "mandate_data": anything,
    "off_session": boolean,
    "payment_method": text,
    "receipt_email": text,
    "return_url": text,
    "use_stripe_sdk": boolean,
}
_NOT_FIELDS = frozenset(_CONFIRMABLE) - {"payment_method", "receipt_email"} | {"confirm"}


def make_intent(session: Session, given: Body) -> Body:
    """Make a payment intent that waits for a payment method or a confirmation."""
    body = fresh(session, PAYMENT_INTENT, given)
    body["client_secret"] = f"{body['id']}_secret_{session.make_id('', length=25)}"
    if body["payment_method"] is not None:
        body["status"] = "requires_confirmation"
    return session.add(body, event="payment_intent.created")


def attempt(session: Session, intent: Body, method: Body, *, off_session: bool = True) -> Body:
    """Try to pay: the intent's `status` and `last_payment_error` say how it went."""
    given = {
        "amount": intent["amount"],
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "metadata": intent["metadata"],
        "payment_intent": intent["id"],
        "receipt_email": intent["receipt_email"],
        "shipping": intent["shipping"],
        "statement_descriptor": intent["statement_descriptor"],
        "transfer_group": intent["transfer_group"],
    }
    card = card_of(method)
    if card.asks_customer and not off_session:
        return _ask_customer(session, intent, method)
    if card.asks_customer:
        return _fail(session, intent, method, _authentication_required())
    manual = intent["capture_method"] == "manual"
    charge = charge_card(session, given, method=method, captured=not manual)
    if charge["status"] == "failed":
        return _fail(session, intent, method, failure_of(charge))
    made = {
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "next_action": None,
        "payment_method": method["id"],
    }
    if manual:
        made |= {"amount_capturable": intent["amount"], "status": "requires_capture"}
        changed = session.change(intent, made)
        session.say("payment_intent.amount_capturable_updated", changed)
        return changed
    made |= {"amount_received": intent["amount"], "status": "succeeded"}
    changed = session.change(intent, made)
    session.say("payment_intent.succeeded", changed)
    return changed


def cancel_intent(session: Session, intent: Body, *, reason: str | None) -> Body:
    """Give a payment up."""
    changed = session.change(
        intent,
        {
            "amount_capturable": 0,
            "canceled_at": session.now,
            "cancellation_reason": reason,
            "next_action": None,
            "status": "canceled",
        },
    )
    session.say("payment_intent.canceled", changed)
    return changed


def _ask_customer(session: Session, intent: Body, method: Body) -> Body:
    changed = session.change(
        intent,
        {
            "next_action": {
                "type": "use_stripe_sdk",
                "use_stripe_sdk": {"type": "three_d_secure_redirect"},
            },
            "payment_method": method["id"],
            "status": "requires_action",
        },
    )
    session.say("payment_intent.requires_action", changed)
    return changed


def _authentication_required() -> Body:
    return {
        "code": "authentication_required",
        "decline_code": "authentication_required",
        "message": "Your card was declined. This transaction requires authentication.",
    }


def _fail(session: Session, intent: Body, method: Body, failure: Body) -> Body:
    error = {**failure, "payment_method": method, "type": "card_error"}
    changed = session.change(
        intent,
        {
            "last_payment_error": error,
            "latest_charge": failure.get("charge", intent["latest_charge"]),
            "payment_method": None,
            "status": "requires_payment_method",
        },
    )
    session.say("payment_intent.payment_failed", changed)
    return changed


def _create(session: Session, given: Body) -> Body:
    check_amount(given.get("amount"))
    asked = {name: given.pop(name) for name in list(given) if name in _NOT_FIELDS}
    _resolve(session, given)
    automatic = given.pop("automatic_payment_methods", None)
    if automatic is not None:
        given["automatic_payment_methods"] = {"allow_redirects": "always"} | automatic
    intent = make_intent(session, given)
    if asked.get("confirm"):
        return _confirm(session, intent, asked)
    return intent


def _resolve(session: Session, given: Body) -> None:
    """Replace the name of a test card by the id of a payment method made from it."""
    if given.get("customer") is not None:
        session.get("customer", given["customer"], parameter="customer")
    if given.get("payment_method") is not None:
        name = given["payment_method"]
        found = payment_method_named(session, name, parameter="payment_method")
        given["payment_method"] = found["id"]


def _update(session: Session, body: Body, given: Body) -> Body:
    unfinished = body["status"] in _OPEN
    if not unfinished and set(given) - {"description", "metadata", "receipt_email", "shipping"}:
        raise _unexpected(body, "updated")
    _resolve(session, given)
    made = changes(body, given)
    if made.get("payment_method") is not None and body["status"] == "requires_payment_method":
        made["status"] = "requires_confirmation"
    # Stripe says nothing of a mere update of a payment intent.
    return session.change(body, made)


def _confirm(session: Session, body: Body, given: Body) -> Body:
    if body["status"] not in _OPEN:
        raise _unexpected(body, "confirmed")
    name = given.get("payment_method") or body["payment_method"]
    if name is None:
        raise Refused(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
        )
    method = payment_method_named(session, name, parameter="payment_method")
    tried = attempt(session, body, method, off_session=bool(given.get("off_session")))
    if tried["last_payment_error"] is not None:
        error = {
            name: value
            for name, value in tried["last_payment_error"].items()
            if name not in {"message", "type"}
        }
        raise declined(
            tried["last_payment_error"]["message"], more={**error, "payment_intent": tried}
        )
    return tried


def _capture(session: Session, body: Body, given: Body) -> Body:
    if body["status"] != "requires_capture":
        raise _unexpected(body, "captured")
    amount = given.get("amount_to_capture") or body["amount"]
    charge = session.get("charge", body["latest_charge"])
    capture_charge(session, charge, amount=amount)
    changed = session.change(
        body, {"amount_capturable": 0, "amount_received": amount, "status": "succeeded"}
    )
    session.say("payment_intent.succeeded", changed)
    return changed


def _cancel(session: Session, body: Body, given: Body) -> Body:
    if body["status"] not in _OPEN | {"requires_capture"}:
        raise _unexpected(body, "canceled")
    return cancel_intent(session, body, reason=given.get("cancellation_reason"))


def _unexpected(body: Body, verb: str) -> Refused:
    return Refused(
        f"This PaymentIntent's status is {body['status']}; it cannot be {verb}.",
        code="payment_intent_unexpected_state",
        more={"payment_intent": body},
    )


PAYMENT_INTENT = Resource(
    name="payment_intent",
    path="payment_intents",
    prefix="pi_",
    blank={
        "allowed_payment_method_types": None,
        "amount": 0,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": None,
        "confirmation_method": "automatic",
        "created": 0,
        "currency": None,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "hooks": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_details": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_record": None,
        "presentment_details": None,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    },
    create=_create,
    creatable={
        **_UPDATABLE,
        **_CONFIRMABLE,
        "automatic_payment_methods": record(
            {"allow_redirects": choice("always", "never"), "enabled": boolean}
        ),
        "confirm": boolean,
        "confirmation_method": choice("automatic", "manual"),
        "excluded_payment_method_types": array(text),
        "on_behalf_of": text,
    },
    required=("amount", "currency"),
    update=_update,
    updatable=_UPDATABLE,
    actions={
        "cancel": Action(
            run=_cancel,
            parameters={
                "cancellation_reason": choice(
                    "abandoned", "duplicate", "fraudulent", "requested_by_customer"
                )
            },
        ),
        "capture": Action(
            run=_capture,
            parameters={
                "amount_to_capture": integer,
                "final_capture": boolean,
                "metadata": metadata,
                "statement_descriptor": text,
                "statement_descriptor_suffix": text,
            },
        ),
        "confirm": Action(run=_confirm, parameters=_CONFIRMABLE),
    },
    filters={**CREATED, "customer": equals("customer")},
    references={
        "customer": "customer",
        "latest_charge": "charge",
        "payment_method": "payment_method",
    },
)
