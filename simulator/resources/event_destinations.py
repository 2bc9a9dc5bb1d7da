"""`/v2/core/event_destinations`: receivers of snapshot or thin events."""

import re
from collections.abc import Callable

from simulator.endpoints import Endpoint, Payload
from simulator.errors import missing_parameter, wrong_parameter
from simulator.events import VERSION_PATTERN
from simulator.form import Raw
from simulator.parameters import array, choice, integer, metadata, parse, record, text
from simulator.resource import changes
from simulator.routing import Route
from simulator.sending import URL_PATTERN
from simulator.session import Session
from simulator.state import Body
from simulator.thin import instant
from simulator.world import World

NAME = "v2.core.event_destination"
PATH = "/v2/core/event_destinations"
SECRET_CHARACTERS = 32
EVENTS_MAX = 1_000
LIMIT_DEFAULT = 20
LIMIT_MAX = 100
SIGNING_ASKED = "webhook_endpoint.signing_secret"
URL_ASKED = "webhook_endpoint.url"
TRANSPORTS = ("amazon_eventbridge", "azure_event_grid", "webhook_endpoint")

_INCLUDE = {"include": array(text)}
_UPDATABLE = {
    "description": text,
    "enabled_events": array(text, items_max=EVENTS_MAX),
    "metadata": metadata,
    "name": text,
    "webhook_endpoint": record({"url": text}),
    **_INCLUDE,
}
_CREATABLE = {
    **_UPDATABLE,
    "amazon_eventbridge": record({"aws_account_id": text, "aws_region": text}),
    "azure_event_grid": record(
        {
            "azure_region": text,
            "azure_resource_group_name": text,
            "azure_subscription_id": text,
        }
    ),
    "event_payload": choice(*Payload),
    "events_from": array(text),
    "snapshot_api_version": text,
    "type": choice(*TRANSPORTS),
}


def registered_destinations(world: World) -> list[Endpoint]:
    """Where the events of the platform's destinations go; what a cloud would get is not sent."""
    found = []
    for body in world.state[NAME].oldest_first():
        kept = world.aside.get(body["id"], {})
        if "url" in kept and body["status"] == "enabled":
            found.append(
                Endpoint(
                    name=body["id"],
                    url=kept["url"],
                    secrets=(kept["secret"],),
                    enabled_events=tuple(body["enabled_events"]),
                    api_version=body["snapshot_api_version"] or "",
                    from_self="@self" in body["events_from"],
                    from_accounts="@accounts" in body["events_from"],
                    payload=Payload(body["event_payload"]),
                )
            )
    return found


def destination_routes() -> list[Route]:
    """Every endpoint of event destinations but `ping`."""
    one = PATH + "/{id}"
    return [
        Route(method="GET", path=PATH, handler=_list),
        Route(method="POST", path=PATH, handler=_create),
        Route(method="GET", path=one, handler=_retrieve),
        Route(method="POST", path=one, handler=_update),
        Route(method="DELETE", path=one, handler=_delete),
        Route(method="POST", path=one + "/disable", handler=_switch("disabled")),
        Route(method="POST", path=one + "/enable", handler=_switch("enabled")),
    ]


def _create(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    given = parse(raw, _CREATABLE, required=("enabled_events", "event_payload", "name", "type"))
    asked = given.pop("include", [])
    now = instant(session.now * 1_000)
    body: Body = {
        "id": session.make_id("ed_test_" if not session.world.livemode else "ed_"),
        "object": NAME,
        "created": now,
        "description": "",
        "enabled_events": [],
        "event_payload": None,
        "events_from": ["@self"],
        "livemode": session.world.livemode,
        "metadata": {},
        "name": None,
        "snapshot_api_version": None,
        "status": "enabled",
        "status_details": None,
        "type": None,
        "updated": now,
    }
    endpoint = given.pop("webhook_endpoint", None)
    body |= given
    _check_version(body)
    if body["type"] == "webhook_endpoint":
        secret = session.make_id("whsec_", length=SECRET_CHARACTERS)
        session.world.aside[body["id"]] = {"url": _url(endpoint), "secret": secret}
        body["webhook_endpoint"] = {"signing_secret": None, "url": None}
    elif body["type"] not in given:
        raise missing_parameter(body["type"])
    session.add(body)
    return _shown(session, body, asked, secret=SIGNING_ASKED in asked)


def _update(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    given = parse(raw, _UPDATABLE)
    asked = given.pop("include", [])
    body = session.get(NAME, ids[0])
    endpoint = given.pop("webhook_endpoint", None)
    if endpoint is not None:
        kept = session.world.aside.get(body["id"], {})
        session.world.aside[body["id"]] = {**kept, "url": _url(endpoint)}
    made = {**changes(body, given), "updated": instant(session.now * 1_000)}
    return _shown(session, session.change(body, made), asked)


def _retrieve(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    asked = parse(raw, _INCLUDE).get("include", [])
    return _shown(session, session.get(NAME, ids[0]), asked)


def _list(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    given = parse(raw, {**_INCLUDE, "limit": integer, "page": text})
    found = list(session.world.state[NAME].newest_first())
    start = int(given.get("page") or 0)
    limit = min(given.get("limit") or LIMIT_DEFAULT, LIMIT_MAX)
    end = start + limit
    more = f"{PATH}?limit={limit}&page={end}" if len(found) > end else None
    shown = [_shown(session, body, given.get("include", [])) for body in found[start:end]]
    return {"data": shown, "next_page_url": more, "previous_page_url": None}


def _delete(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    parse(raw, {})
    session.remove(session.get(NAME, ids[0]))
    return {"id": ids[0], "object": NAME}


def _switch(status: str) -> Callable[[Session, tuple[str, ...], dict[str, Raw]], Body]:
    def handler(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
        asked = parse(raw, _INCLUDE).get("include", [])
        made: Body = {"status": status, "status_details": None}
        if status == "disabled":
            made["status_details"] = {"disabled": {"reason": "user"}}
        return _shown(session, session.change(session.get(NAME, ids[0]), made), asked)

    return handler


def _shown(session: Session, body: Body, asked: list[str], *, secret: bool = False) -> Body:
    """A destination with what is hidden unless it is asked for."""
    kept = session.world.aside.get(body["id"])
    if body["type"] != "webhook_endpoint" or kept is None:
        return body
    endpoint = {
        "signing_secret": kept["secret"] if secret else None,
        "url": kept["url"] if URL_ASKED in asked else None,
    }
    return {**body, "webhook_endpoint": endpoint}


def _check_version(body: Body) -> None:
    version = body["snapshot_api_version"]
    thin = body["event_payload"] == Payload.THIN
    if version is not None and (thin or not re.match(VERSION_PATTERN, version)):
        raise wrong_parameter("snapshot_api_version", f"Invalid API version: {version}")


def _url(endpoint: Body | None) -> str:
    url: str | None = (endpoint or {}).get("url")
    if not url:
        raise missing_parameter("webhook_endpoint.url")
    if not re.match(URL_PATTERN, url):
        raise wrong_parameter("webhook_endpoint.url", "Not a valid URL")
    return url
