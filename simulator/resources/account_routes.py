"""Every endpoint of accounts, and of what is found under one."""

from collections.abc import Callable
from typing import TypeAlias

from simulator.errors import missing_parameter, no_such
from simulator.form import Raw
from simulator.listing import CURSORS, list_objects, page_of
from simulator.parameters import boolean, choice, parse, text
from simulator.resource import Resource
from simulator.resources.accounts import (
    account_asked,
    change_account,
    deauthorize,
    list_external_accounts,
    own_account,
)
from simulator.resources.capabilities import CAPABILITY, request_capability
from simulator.resources.external_accounts import (
    CREATABLE,
    KINDS,
    UPDATABLE,
    add_external_account,
    change_external_account,
    external_accounts_of,
    remove_external_account,
)
from simulator.resources.persons import (
    PERSON,
    WRITABLE,
    add_person,
    change_person,
    remove_person,
)
from simulator.routing import Handler, Route
from simulator.session import Session
from simulator.state import Body

Part: TypeAlias = Callable[[Session, tuple[str, ...], dict[str, Raw]], Body]
"""Takes a session of the account in the path, the other ids in it, and the raw parameters."""

_ONE = "/v1/accounts/{id}"


def account_routes() -> list[Route]:
    """The asking account itself, the end of a connection, and the parts of an account."""
    routes = [
        Route(method="GET", path="/v1/account", handler=_own),
        Route(method="POST", path="/oauth/deauthorize", handler=_revoke),
    ]
    parts: dict[tuple[str, str], Part] = {
        ("GET", "capabilities"): _capabilities,
        ("GET", "capabilities/{id}"): _capability,
        ("POST", "capabilities/{id}"): _request_capability,
        ("GET", "external_accounts"): _external_accounts,
        ("POST", "external_accounts"): _add_external_account,
        ("GET", "external_accounts/{id}"): _external_account,
        ("POST", "external_accounts/{id}"): _change_external_account,
        ("DELETE", "external_accounts/{id}"): _remove_external_account,
        ("GET", "persons"): _persons,
        ("POST", "persons"): _add_person,
        ("GET", "persons/{id}"): _person,
        ("POST", "persons/{id}"): _change_person,
        ("DELETE", "persons/{id}"): _remove_person,
    }
    routes += [
        Route(method=method, path=f"{_ONE}/{path}", handler=_within(part))
        for (method, path), part in parts.items()
    ]
    return routes


def _within(part: Part) -> Handler:
    def handler(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
        account = account_asked(session, ids[0])
        return part(session.within(account["id"]), ids[1:], raw)

    return handler


def _own(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    parse(raw, {})
    return own_account(session)


def _revoke(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    given = parse(raw, {"client_id": text, "stripe_user_id": text})
    if given.get("stripe_user_id") is None:
        raise missing_parameter("stripe_user_id")
    body = account_asked(session, given["stripe_user_id"])
    deauthorize(session, body)
    return {"stripe_user_id": body["id"]}


def _url(session: Session, resource: Resource) -> str:
    return "/v1/" + resource.path.replace("{id}", session.world.account)


def _capabilities(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    parse(raw, {})
    bodies = list(session.world.state["capability"].oldest_first())
    url = _url(session, CAPABILITY)
    return {"object": "list", "data": bodies, "has_more": False, "url": url}


def _capability(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    parse(raw, {})
    return session.get("capability", ids[0])


def _request_capability(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    given = parse(raw, {"requested": boolean})
    body = request_capability(session, ids[0], requested=bool(given.get("requested")))
    account = account_asked(session, session.world.account)
    shown = {**account["capabilities"], ids[0]: body["status"]}
    change_account(session, account, {"capabilities": shown})
    return body


def _external_accounts(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    given = parse(raw, {**CURSORS, "object": choice(*KINDS)})
    kind = given.pop("object", None)
    bodies = [
        body for body in external_accounts_of(session) if kind is None or body["object"] == kind
    ]
    url = f"/v1/accounts/{session.world.account}/external_accounts"
    return page_of(bodies, given, name="external account", url=url)


def _add_external_account(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    body = add_external_account(session, parse(raw, CREATABLE, required=("external_account",)))
    list_external_accounts(session, session.world.account)
    return body


def _external_account(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    parse(raw, {})
    for kind in KINDS:
        body = session.find(kind, ids[0])
        if body is not None and body.get("account") == session.world.account:
            return body
    raise no_such("external account", ids[0])


def _change_external_account(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    body = _external_account(session, ids, {})
    changed = change_external_account(session, body, parse(raw, UPDATABLE))
    list_external_accounts(session, session.world.account)
    return changed


def _remove_external_account(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    parse(raw, {})
    removed = remove_external_account(session, _external_account(session, ids, {}))
    list_external_accounts(session, session.world.account)
    return removed


def _persons(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    return {**list_objects(session, PERSON, raw).body(), "url": _url(session, PERSON)}


def _add_person(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    return add_person(session, parse(raw, WRITABLE))


def _person(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    parse(raw, {})
    return session.get("person", ids[0])


def _change_person(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    return change_person(session, session.get("person", ids[0]), parse(raw, WRITABLE))


def _remove_person(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    parse(raw, {})
    return remove_person(session, session.get("person", ids[0]))
