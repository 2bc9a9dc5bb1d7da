"""Where an event belongs in the inbox: its record key, read from no more than that needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from producer.errors import Refusal, RequestRefused
from schemas.objects import ID, Catalogue, StrangeObjectName, record_key

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
    """

    event_id: str
    key: str
    account_id: str
    livemode: bool | None


class Router:
    """Reads the route from an event's bytes."""

    def __init__(self, *, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._decoder = msgspec.json.Decoder(_Event)

    def route(self, body: bytes) -> Route:
        """The route of the event in `body`.

        An event that Stripe signed is kept even where its object is odd: under its own id,
        for the relay to look at.

        Raises:
            RequestRefused: the body is not JSON, or no event, or a thin one: nothing here reads
                those, and a refusal shows in Stripe's dashboard, where the payload is chosen.
        """
        try:
            event = self._decoder.decode(body)
        except msgspec.DecodeError:
            return self._route_odd(body)
        if event.object != EVENT_OBJECT or not event.id:
            return self._route_odd(body)
        target = event.data.object
        if not target.id or not target.object:
            return self._route_odd(body)
        if not self._keyed_by_id(target.object):
            return self._route_odd(body)
        account_id = event.account or ""
        key = f"{account_id}/{target.id}" if account_id else target.id
        return Route(event.id, key, account_id, event.livemode)

    def _keyed_by_id(self, object_name: str) -> bool:
        try:
            rule = self._catalogue.get(object_name).key_rule
        except StrangeObjectName:
            return False
        return rule is not None and rule.fields == (ID,)

    def _route_odd(self, body: bytes) -> Route:
        """The route of an event whose object has no plain id; parses everything."""
        try:
            event: object = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise RequestRefused(Refusal.NOT_JSON) from None
        if not isinstance(event, dict):
            raise RequestRefused(Refusal.NOT_AN_EVENT)
        if event.get("object") == THIN_EVENT_OBJECT:
            raise RequestRefused(Refusal.THIN_EVENT)
        if event.get("object") != EVENT_OBJECT:
            raise RequestRefused(Refusal.NOT_AN_EVENT)
        event_id = event.get("id")
        if not isinstance(event_id, str) or not event_id:
            raise RequestRefused(Refusal.NOT_AN_EVENT)
        livemode = event.get("livemode")
        account = event.get("account")
        account_id = account if isinstance(account, str) else ""
        return Route(
            event_id,
            self._key_of(event, account_id) or event_id,
            account_id,
            livemode if isinstance(livemode, bool) else None,
        )

    def _key_of(self, event: Mapping[str, Any], account_id: str) -> str | None:
        data = event.get("data")
        body = data.get("object") if isinstance(data, dict) else None
        if not isinstance(body, dict):
            return None
        name = body.get("object")
        if not isinstance(name, str) or not name:
            return None
        try:
            object_type = self._catalogue.get(name)
        except StrangeObjectName:
            return None
        return record_key(object_type, body, account_id)


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
