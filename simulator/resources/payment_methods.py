"""Payment methods: cards, and Stripe's test cards by their names."""

from dataclasses import dataclass

from simulator.errors import Refused, no_such
from simulator.parameters import ADDRESS, choice, integer, metadata, record, text
from simulator.resource import Action, Resource, changes, equals, fresh
from simulator.session import Session
from simulator.state import Body


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCard:
    """A card that Stripe's test mode knows by name; `decline_code` is empty where it pays."""

    number: str
    brand: str = "visa"
    decline_code: str = ""
    asks_customer: bool = False


KNOWN_CARDS = {
    "visa": KnownCard(number="4242424242424242"),
    "mastercard": KnownCard(number="5555555555554444", brand="mastercard"),
    "amex": KnownCard(number="378282246310005", brand="amex"),
    "chargeCustomerFail": KnownCard(number="4000000000000341", decline_code="generic_decline"),
    "visa_chargeDeclined": KnownCard(number="4000000000000002", decline_code="generic_decline"),
    "visa_chargeDeclinedInsufficientFunds": KnownCard(
        number="4000000000009995", decline_code="insufficient_funds"
    ),
    "authenticationRequired": KnownCard(number="4000002500003155", asks_customer=True),
}
_BY_LAST4 = {card.number[-4:]: card for card in KNOWN_CARDS.values()}

_BILLING_DETAILS = record(
    {"address": ADDRESS, "email": text, "name": text, "phone": text, "tax_id": text}
)
_CARD = {"cvc": text, "exp_month": integer, "exp_year": integer, "number": text, "token": text}
_UPDATABLE = {
    "allow_redisplay": choice("always", "limited", "unspecified"),
    "billing_details": _BILLING_DETAILS,
    "card": record({"exp_month": integer, "exp_year": integer}),
    "metadata": metadata,
}


def card_of(method: Body) -> KnownCard:
    """How charging this payment method ends."""
    return _BY_LAST4.get(method["card"]["last4"], KNOWN_CARDS["visa"])


def payment_method_named(session: Session, name: str, *, parameter: str) -> Body:
    """The payment method with this id, or a new one of a test card (`pm_card_visa`, `tok_visa`).

    Raises:
        Refused: there is none.
    """
    found = session.find("payment_method", name)
    if found is not None:
        return found
    card = KNOWN_CARDS.get(name.removeprefix("pm_card_").removeprefix("tok_"))
    if card is None or "_" not in name:
        raise no_such("PaymentMethod", name, parameter=parameter)
    body = fresh(session, PAYMENT_METHOD, {})
    return session.add({**body, "card": _card(session, card)})


def attach(session: Session, method: Body, given: Body) -> Body:
    """Give a payment method to the customer `given["customer"]`."""
    customer = session.get("customer", given["customer"], parameter="customer")
    if method["customer"] not in (None, customer["id"]):
        raise Refused(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
        )
    if method["customer"] == customer["id"]:
        return method
    attached = session.change(method, {"customer": customer["id"]})
    session.say("payment_method.attached", attached)
    return attached


def _detach(session: Session, method: Body, _given: Body) -> Body:
    if method["customer"] is None:
        raise Refused(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible."
        )
    detached = session.change(method, {"customer": None})
    session.say("payment_method.detached", detached, previous={"customer": method["customer"]})
    return detached


def _create(session: Session, given: Body) -> Body:
    card = given.pop("card", None) or {}
    token = card.get("token")
    if token is not None:
        chosen = KNOWN_CARDS.get(token.removeprefix("tok_"))
        if chosen is None:
            raise no_such("token", token, parameter="card[token]")
    else:
        number = card.get("number") or KNOWN_CARDS["visa"].number
        known = (test for test in KNOWN_CARDS.values() if test.number == number)
        chosen = next(known, KnownCard(number=number))
    body = fresh(session, PAYMENT_METHOD, given)
    dates = {name: card[name] for name in ("exp_month", "exp_year") if card.get(name)}
    return session.add({**body, "card": _card(session, chosen) | dates})


def _update(session: Session, method: Body, given: Body) -> Body:
    return session.change(method, changes(method, given), event="payment_method.updated")


def _card(session: Session, card: KnownCard) -> Body:
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        "display_brand": card.brand,
        "exp_month": 8,
        "exp_year": 2039,
        "fingerprint": session.make_id("", length=16),
        "funding": "credit",
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


PAYMENT_METHOD = Resource(
    name="payment_method",
    path="payment_methods",
    prefix="pm_",
    blank={
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": {
                "city": None,
                "country": None,
                "line1": None,
                "line2": None,
                "postal_code": None,
                "state": None,
            },
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        "card": None,
        "created": 0,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "radar_options": {},
        "type": "card",
    },
    create=_create,
    creatable={**_UPDATABLE, "card": record(_CARD), "type": choice("card")},
    required=("type",),
    update=_update,
    updatable=_UPDATABLE,
    actions={
        "attach": Action(run=attach, parameters={"customer": text}, required=("customer",)),
        "detach": Action(run=_detach),
    },
    filters={"customer": equals("customer"), "type": equals("type")},
    lookup=lambda session, name: payment_method_named(session, name, parameter="id"),
    references={"customer": "customer"},
)
