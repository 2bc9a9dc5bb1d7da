"""Bank accounts and debit cards that a connected account is paid out to."""

from typing import Any

from simulator.errors import missing_parameter, wrong_parameter
from simulator.parameters import anything, boolean, integer, metadata, text
from simulator.resource import Resource, changes, fresh
from simulator.session import Session
from simulator.state import Body

KINDS = ("bank_account", "card")
DIGITS_SHOWN = 4

_KEPT = {
    "bank_account": ("account_holder_name", "account_holder_type", "country", "currency"),
    "card": ("currency", "exp_month", "exp_year", "name"),
}


def add_external_account(session: Session, given: Body) -> Body:
    """Give the session's account an external account, by its details or by a test token."""
    details = _details(given.get("external_account"))
    kind = details["object"]
    shape = BANK_ACCOUNT if kind == "bank_account" else EXTERNAL_CARD
    number = str(details.get("account_number") or details.get("number") or "0000")
    first = not any(
        other["currency"] == details.get("currency") for other in external_accounts_of(session)
    )
    body = {
        **fresh(session, shape, {name: details[name] for name in _KEPT[kind] if name in details}),
        "account": session.world.account,
        "default_for_currency": bool(given.get("default_for_currency")) or first,
        "last4": number[-DIGITS_SHOWN:],
        "metadata": given.get("metadata") or {},
    }
    if kind == "bank_account":
        body["routing_number"] = str(details.get("routing_number") or "110000000")
    return session.add(body, event="account.external_account.created")


def external_accounts_of(session: Session) -> list[Body]:
    """The external accounts of the session's account, newest first."""
    found = [
        body
        for kind in KINDS
        for body in session.world.state[kind].newest_first()
        if body.get("account") == session.world.account
    ]
    state = session.world.state
    return sorted(found, key=lambda body: state[body["object"]].created(body["id"]), reverse=True)


def change_external_account(session: Session, body: Body, given: Body) -> Body:
    """Change one of them."""
    return session.change(body, changes(body, given), event="account.external_account.updated")


def remove_external_account(session: Session, body: Body) -> Body:
    """Take one away."""
    return session.remove(body, event="account.external_account.deleted")


def _details(asked: Any) -> Body:
    if asked is None:
        raise missing_parameter("external_account")
    if isinstance(asked, str):
        if asked.startswith("btok_"):
            return {"object": "bank_account", "account_number": "000123456789", "currency": "usd"}
        if asked.startswith("tok_"):
            return {"object": "card", "number": "4000056655665556", "currency": "usd"}
        raise wrong_parameter("external_account", f"No such token: '{asked}'")
    if not isinstance(asked, dict) or asked.get("object") not in KINDS:
        raise wrong_parameter("external_account", "Invalid external_account: it needs an object")
    return asked


UPDATABLE = {
    "account_holder_name": text,
    "account_holder_type": text,
    "default_for_currency": boolean,
    "exp_month": integer,
    "exp_year": integer,
    "metadata": metadata,
    "name": text,
}
CREATABLE = {
    "default_for_currency": boolean,
    "external_account": anything,
    "metadata": metadata,
}
BANK_ACCOUNT = Resource(
    name="bank_account",
    path="accounts/{id}/external_accounts",
    prefix="ba_",
    blank={
        "account": None,
        "account_holder_name": None,
        "account_holder_type": None,
        "account_type": None,
        "available_payout_methods": ["standard"],
        "bank_name": "STRIPE TEST BANK",
        "country": "US",
        "currency": "usd",
        "customer": None,
        "default_for_currency": False,
        "fingerprint": "simulatedfingerp",
        "future_requirements": None,
        "last4": None,
        "metadata": {},
        "requirements": None,
        "routing_number": None,
        "status": "new",
    },
    references={"account": "account"},
)
EXTERNAL_CARD = Resource(
    name="card",
    path="accounts/{id}/external_accounts",
    prefix="card_",
    blank={
        "account": None,
        "address_city": None,
        "address_country": None,
        "address_line1": None,
        "address_line1_check": None,
        "address_line2": None,
        "address_state": None,
        "address_zip": None,
        "address_zip_check": None,
        "allow_redisplay": "unspecified",
        "available_payout_methods": ["standard", "instant"],
        "brand": "Visa",
        "country": "US",
        "currency": "usd",
        "customer": None,
        "cvc_check": None,
        "default_for_currency": False,
        "description": None,
        "dynamic_last4": None,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": "simulatedfingerp",
        "funding": "debit",
        "iin": None,
        "issuer": None,
        "last4": None,
        "metadata": {},
        "name": None,
        "networks": None,
        "regulated_status": "unregulated",
        "status": "new",
        "tokenization_method": None,
    },
    references={"account": "account"},
)
