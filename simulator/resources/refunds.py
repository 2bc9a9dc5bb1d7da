"""Refunds."""

from simulator.errors import Refused
from simulator.parameters import boolean, choice, integer, metadata, text
from simulator.resource import CREATED, Action, Resource, changes, equals, fresh
from simulator.resources.balance_transactions import book
from simulator.session import Session
from simulator.state import Body


def _create(session: Session, given: Body) -> Body:
    charge = _charge(session, given)
    left = charge["amount"] - charge["amount_refunded"]
    amount = given.get("amount") or left
    if left <= 0:
        raise Refused(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if amount > left:
        raise Refused(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            parameter="amount",
        )
    if charge["status"] != "succeeded":
        raise Refused(f"Charge {charge['id']} has not succeeded: it cannot be refunded.")
    fields = ("instructions_email", "metadata", "reason")
    kept = {str(name): given[name] for name in fields if name in given}
    body = fresh(session, REFUND, kept) | {
        "amount": amount,
        "charge": charge["id"],
        "currency": charge["currency"],
        "customer": charge["customer"],
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
    }
    body["balance_transaction"] = book(session, body, kind="refund", amount=-amount)["id"]
    session.add(body)
    refunded = charge["amount_refunded"] + amount
    made = {"amount_refunded": refunded, "refunded": refunded == charge["amount"]}
    session.change(charge, made, event="charge.refunded")
    session.say("refund.created", body)
    return body


def _charge(session: Session, given: Body) -> Body:
    if given.get("charge") is not None:
        return session.get("charge", given["charge"], parameter="charge")
    if given.get("payment_intent") is None:
        raise Refused(
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            code="parameter_missing",
        )
    intent = session.get("payment_intent", given["payment_intent"], parameter="payment_intent")
    if intent["latest_charge"] is None:
        raise Refused(f"This PaymentIntent ({intent['id']}) does not have a successful charge.")
    return session.get("charge", intent["latest_charge"])


def _update(session: Session, body: Body, given: Body) -> Body:
    changed = session.change(body, changes(body, given), event="refund.updated")
    if changed is not body:
        session.say("charge.refund.updated", changed, previous={"metadata": body["metadata"]})
    return changed


def _cancel(_session: Session, body: Body, _given: Body) -> Body:
    raise Refused(f"Refund {body['id']} is {body['status']}: it cannot be canceled.")


REFUND = Resource(
    name="refund",
    path="refunds",
    prefix="re_",
    blank={
        "amount": 0,
        "balance_transaction": None,
        "charge": None,
        "created": 0,
        "currency": None,
        "customer": None,
        "customer_account": None,
        "description": None,
        "destination_details": {
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "failure_balance_transaction": None,
        "failure_reason": None,
        "instructions_email": None,
        "metadata": {},
        "next_action": None,
        "payment_intent": None,
        "payment_method": None,
        "pending_reason": None,
        "presentment_details": None,
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    },
    create=_create,
    creatable={
        "amount": integer,
        "charge": text,
        "currency": text,
        "instructions_email": text,
        "metadata": metadata,
        "payment_intent": text,
        "reason": choice("duplicate", "fraudulent", "requested_by_customer"),
        "refund_application_fee": boolean,
        "reverse_transfer": boolean,
    },
    update=_update,
    updatable={"metadata": metadata},
    actions={"cancel": Action(run=_cancel)},
    filters={
        **CREATED,
        "charge": equals("charge"),
        "customer": equals("customer"),
        "payment_intent": equals("payment_intent"),
    },
    references={
        "balance_transaction": "balance_transaction",
        "charge": "charge",
        "customer": "customer",
        "payment_intent": "payment_intent",
        "payment_method": "payment_method",
    },
)
