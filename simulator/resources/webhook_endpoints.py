"""Webhook endpoints that were made by the API."""

import re

from simulator.endpoints import Endpoint
from simulator.errors import Refused, wrong_parameter
from simulator.events import API_VERSION, VERSION_PATTERN
from simulator.parameters import array, boolean, metadata, text
from simulator.resource import Resource, changes, fresh
from simulator.resources.event_destinations import registered_destinations
from simulator.sending import URL_PATTERN
from simulator.session import Session
from simulator.state import Body
from simulator.world import World

SECRET_CHARACTERS = 32

_UPDATABLE = {
    "description": text,
    "disabled": boolean,
    "enabled_events": array(text, items_max=1_000),
    "metadata": metadata,
    "url": text,
}


def registered(world: World) -> list[Endpoint]:
    """Where the events of the platform's endpoints and destinations go."""
    found = registered_destinations(world)
    for body in world.state["webhook_endpoint"].oldest_first():
        kept = world.aside.get(body["id"])
        if kept is not None and body["status"] == "enabled":
            found.append(
                Endpoint(
                    name=body["id"],
                    url=body["url"],
                    secrets=(kept["secret"],),
                    enabled_events=tuple(body["enabled_events"]),
                    api_version=body["api_version"] or "",
                    from_self=not kept["connect"],
                    from_accounts=kept["connect"],
                )
            )
    return found


def _create(session: Session, given: Body) -> Body:
    if session.world.account:
        raise Refused("Only the platform has webhook endpoints here.", status=403)
    connect = bool(given.pop("connect", None))
    _check(given)
    body = session.add(fresh(session, WEBHOOK_ENDPOINT, given))
    secret = session.make_id("whsec_", length=SECRET_CHARACTERS)
    session.world.aside[body["id"]] = {"connect": connect, "secret": secret}
    return {**body, "secret": secret}


def _update(session: Session, body: Body, given: Body) -> Body:
    disabled = given.pop("disabled", None)
    if disabled is not None:
        given["status"] = "disabled" if disabled else "enabled"
    _check(given)
    return session.change(body, changes(body, given))


def _delete(session: Session, body: Body, _given: Body) -> Body:
    return session.remove(body)


def _check(given: Body) -> None:
    if "url" in given and not re.match(URL_PATTERN, given["url"] or "-"):
        raise wrong_parameter("url", "Not a valid URL", code="url_invalid")
    version = given.get("api_version") or ""
    if not re.match(VERSION_PATTERN, version) or version > API_VERSION:
        raise wrong_parameter("api_version", f"Invalid API version: {version}")


WEBHOOK_ENDPOINT = Resource(
    name="webhook_endpoint",
    path="webhook_endpoints",
    prefix="we_",
    blank={
        "api_version": None,
        "application": None,
        "created": 0,
        "description": None,
        "enabled_events": [],
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": None,
    },
    create=_create,
    creatable={**_UPDATABLE, "api_version": text, "connect": boolean},
    required=("enabled_events", "url"),
    update=_update,
    updatable=_UPDATABLE,
    delete=_delete,
)
