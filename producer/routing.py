"""Where an event belongs in the inbox: its record key, read from no more than that needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import orjson

from producer.errors import Refusal, RequestRefused
from schemas.inbox import Kind
from schemas.objects import ID, PASSING_ID, Catalogue, StrangeObjectName, record_key

EVENT_OBJECT = "event"
THIN_EVENT_OBJECT = "v2.core.event"
"""An event that names its object and does not hold it."""


@dataclass(frozen=True, slots=True)
class Route:
    """What routing needs to know of one event.

    Attributes:
        key: the record key: the object's, or the event's id where there is no stored object.
        account_id: the connected account, empty for the merchant's own.
        livemode: whether it is of live mode; none where Stripe does not say.
        kind: whether it holds its object or only names it.
    """

    event_id: str
    key: str
    account_id: str
    livemode: bool | None
    kind: Kind = Kind.EVENT


class Router:
    """Reads the route from an event's bytes."""

    def __init__(self, *, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._decoder = msgspec.json.Decoder(_Event)

    def route(self, body: bytes, *, account_id: str = "") -> Route:
        """The route of the event in `body`.

        An event that Stripe sent is kept even where its object is odd: under its own id, for
        the relay to look at.

        Args:
            body: the event as Stripe sent it, thin or whole.
            account_id: the connected account that was asked for it, where the event does not
                say its account.

        Raises:
            RequestRefused: the body is not JSON, not UTF-8, or no event.
        """
        try:
            event = self._decoder.decode(body)
        except UnicodeDecodeError:
            # What an event bus passes on was not looked at before.
            raise RequestRefused(Refusal.NOT_UTF8) from None
        except (msgspec.DecodeError, RecursionError):
            return self._route_odd(body, account_id)
        if event.object != EVENT_OBJECT or not event.id:
            return self._route_odd(body, account_id)
        target = event.data.object
        if not target.id or not target.object:
            return self._route_odd(body, account_id)
        if target.id.startswith(PASSING_ID) or not self._keyed_by_id(target.object):
            return self._route_odd(body, account_id)
        account_id = event.account or account_id
        key = f"{account_id}/{target.id}" if account_id else target.id
        return Route(event.id, key, account_id, event.livemode)

    def _keyed_by_id(self, object_name: str) -> bool:
        try:
            rule = self._catalogue.get(object_name).key_rule
        except StrangeObjectName:
            return False
        return rule is not None and rule.fields == (ID,)

    def _route_odd(self, body: bytes, asked_account_id: str) -> Route:
        """The route of a thin event, or of one whose object has no plain id; parses everything."""
        event = _parsed(body)
        event_id = event.get("id")
        if not isinstance(event_id, str) or not event_id:
            raise RequestRefused(Refusal.NOT_AN_EVENT)
        livemode = event.get("livemode")
        thin = event["object"] == THIN_EVENT_OBJECT
        account_id = _account_of(event, thin=thin) or asked_account_id
        target = _related(event) if thin else _held(event)
        return Route(
            event_id,
            self._key_of(target, account_id) or event_id,
            account_id,
            livemode if isinstance(livemode, bool) else None,
            Kind.THIN_EVENT if thin else Kind.EVENT,
        )

    def _key_of(self, body: Mapping[str, Any], account_id: str) -> str | None:
        name = body.get("object")
        if not isinstance(name, str) or not name:
            return None
        try:
            object_type = self._catalogue.get(name)
        except StrangeObjectName:
            return None
        return record_key(object_type, body, account_id)


def _parsed(body: bytes) -> Mapping[str, Any]:
    """The event in `body`, thin or whole."""
    try:
        event: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestRefused(Refusal.NOT_JSON) from None
    if not isinstance(event, dict) or event.get("object") not in (EVENT_OBJECT, THIN_EVENT_OBJECT):
        raise RequestRefused(Refusal.NOT_AN_EVENT)
    return event


def _account_of(event: Mapping[str, Any], *, thin: bool) -> str:
    """The connected account that an event names; empty if none."""
    account = event.get("account")
    if isinstance(account, str) and account:
        return account
    context = event.get("context") if thin else None
    if not isinstance(context, str):
        return ""
    # Of an organization's event the context is a way, whose last step is the account.
    last = context.rpartition("/")[2]
    return last if last.startswith(_ACCOUNT_PREFIX) else ""


def _held(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that an event holds; empty where there is none."""
    data = event.get("data")
    body = data.get("object") if isinstance(data, dict) else None
    return body if isinstance(body, dict) else {}


def _related(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a thin event tells of its object, under the names of a body; empty if nothing."""
    related = event.get("related_object")
    if not isinstance(related, dict):
        return {}
    return {ID: related.get("id"), "object": related.get("type")}


class _Target(msgspec.Struct, gc=False):
    id: str = ""
    object: str = ""


class _Data(msgspec.Struct, gc=False):
    object: _Target


class _Event(msgspec.Struct, gc=False):
    id: str
    object: str
    data: _Data
    livemode: bool | None = None
    account: str | None = None


_ACCOUNT_PREFIX: Final = "acct_"
