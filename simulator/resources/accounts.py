"""Connected accounts, each with objects of its own."""

from collections.abc import Mapping
from typing import Any

from simulator.embedded_lists import empty_list, short_list
from simulator.errors import Refused, no_such
from simulator.parameters import anything, choice, metadata, text
from simulator.resource import CREATED, Resource, changes, fresh
from simulator.resources.account_shape import ACCOUNT_SHAPE
from simulator.resources.capabilities import request_capability
from simulator.resources.external_accounts import add_external_account, external_accounts_of
from simulator.session import Session
from simulator.state import Body

PLATFORM_ID = "acct_platformplatform"
PLATFORM_CREATED = 1_500_000_000
"""The platform is older than anything that it has."""
APPLICATION = {"id": "ca_simulated", "object": "application", "name": "Simulated platform"}

_UPDATABLE = {
    "business_profile": anything,
    "business_type": choice("company", "government_entity", "individual", "non_profit"),
    "company": anything,
    "default_currency": text,
    "email": text,
    "external_account": anything,
    "metadata": metadata,
    "settings": anything,
    "tos_acceptance": anything,
}


def account_asked(session: Session, identifier: str) -> Body:
    """An account that the asking one may see: any for the platform, else only its own.

    Raises:
        Refused: there is none such.
    """
    asking = session.world.account
    found = session.within("").find("account", identifier)
    if found is None or asking not in ("", identifier):
        raise no_such("account", identifier)
    return found


def change_account(session: Session, body: Body, made: Mapping[str, Any]) -> Body:
    """Change an account; it is the connected account's event."""
    platform = session.within("")
    before = platform.get("account", body["id"])
    after = platform.change(before, {**made, **_standing({**before, **made})})
    if after is not before:
        session.within(body["id"]).say("account.updated", after, before=before)
    return after


def _standing(body: Body) -> Body:
    """What an account may do follows from what it has."""
    active = {name for name, status in body["capabilities"].items() if status == "active"}
    return {
        "charges_enabled": "card_payments" in active,
        "details_submitted": body["tos_acceptance"].get("date") is not None,
        "payouts_enabled": "transfers" in active and bool(body["external_accounts"]["data"]),
    }


def _create(session: Session, given: Body) -> Body:
    if session.world.account:
        raise Refused("Only the platform can make accounts.", status=403)
    asked = given.pop("capabilities", None) or {}
    external = given.pop("external_account", None)
    body = fresh(session, ACCOUNT, given)
    url = f"/v1/accounts/{body['id']}/external_accounts"
    body["external_accounts"] = empty_list(url)
    session.add({**body, **_standing(body)})
    session.connect(body["id"])
    return _with(session, body, asked=asked, external=external)


def _update(session: Session, body: Body, given: Body) -> Body:
    asked = given.pop("capabilities", None) or {}
    external = given.pop("external_account", None)
    changed = change_account(session, body, changes(body, given))
    return _with(session, changed, asked=asked, external=external)


def _with(session: Session, body: Body, *, asked: Body, external: Any) -> Body:
    own = session.within(body["id"])
    made: Body = {}
    for name, wish in asked.items():
        capability = request_capability(own, name, requested=bool(wish.get("requested")))
        made[name] = capability["status"]
    changed = change_account(session, body, {"capabilities": {**body["capabilities"], **made}})
    if external is not None:
        add_external_account(own, {"external_account": external})
        changed = list_external_accounts(session, body["id"])
    return changed


def list_external_accounts(session: Session, identifier: str) -> Body:
    """Show in an account the external accounts that it now has."""
    own = session.within(identifier)
    body = session.within("").get("account", identifier)
    shown = short_list(external_accounts_of(own), url=body["external_accounts"]["url"])
    return change_account(session, body, {"external_accounts": shown})


def _delete(session: Session, body: Body, _given: Body) -> Body:
    deauthorize(session, body)
    return {"id": body["id"], "object": "account", "deleted": True}


ACCOUNT = Resource(
    name="account",
    path="accounts",
    prefix="acct_",
    length=16,
    blank=ACCOUNT_SHAPE,
    create=_create,
    creatable={
        **_UPDATABLE,
        "capabilities": anything,
        "controller": anything,
        "country": text,
        "type": choice("custom", "express", "standard"),
    },
    update=_update,
    updatable={**_UPDATABLE, "capabilities": anything},
    delete=_delete,
    filters=CREATED,
    lookup=account_asked,
)


def own_account(session: Session) -> Body:
    """The account that asks."""
    if session.world.account:
        return account_asked(session, session.world.account)
    body = fresh(session, ACCOUNT, {}, identifier=PLATFORM_ID)
    listed = empty_list(f"/v1/accounts/{PLATFORM_ID}/external_accounts")
    shown = {**body, "created": PLATFORM_CREATED, "charges_enabled": True}
    return {**shown, "external_accounts": listed}


def deauthorize(session: Session, body: Body) -> None:
    """End a connection: the account says so last, and nobody can ask for it any more."""
    session.within(body["id"]).say("account.application.deauthorized", APPLICATION)
    session.within("").remove(body)
    session.disconnect(body["id"])
