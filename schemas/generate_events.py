"""Which object each of the package's event types is about.

The classes of thin events name the object that they can fetch; for types without such a class the
longest object name that the type begins with decides. A few types are told apart by hand.
"""

import importlib
import typing
from collections.abc import Collection, Iterator, Mapping
from typing import Final, get_args

import stripe
from stripe.events import _event_classes

from schemas.generate_annotations import object_name, own_annotations, type_checking_names

CARRIES: Final[Mapping[str, tuple[str, ...]]] = {
    "account.application.authorized": ("application",),
    "account.application.deauthorized": ("application",),
    "account.external_account.created": ("bank_account", "card"),
    "account.external_account.deleted": ("bank_account", "card"),
    "account.external_account.updated": ("bank_account", "card"),
    "billing.alert.triggered": ("billing.alert_triggered",),
    "customer.source.created": ("source", "card", "bank_account"),
    "customer.source.deleted": ("source", "card", "bank_account"),
    "customer.source.expiring": ("card", "source"),
    "customer.source.updated": ("source", "card", "bank_account"),
    "source.mandate_notification": ("source_mandate_notification",),
}
"""Event types whose object neither a thin class nor the name tells rightly."""


def event_objects(object_names: Collection[str]) -> dict[str, list[str]]:
    """The object types that each snapshot event type may carry, the likeliest first.

    Raises:
        LookupError: an event type begins with no object name.
    """
    told = told_objects(object_names)
    return {event: list(CARRIES.get(event) or (name,)) for event, name in told.items()}


def told_objects(object_names: Collection[str]) -> dict[str, str]:
    """The object type of each snapshot event type, as the package's classes and names tell it.

    Raises:
        LookupError: an event type begins with no object name.
    """
    thin = dict(_thin_objects())
    return {
        event: thin.get(event) or _longest(event, object_names) for event in sorted(_event_types())
    }


def _event_types() -> tuple[str, ...]:
    return get_args(own_annotations(stripe.Event)["type"])


def _thin_objects() -> Iterator[tuple[str, str]]:
    for event, (module_name, class_name) in _event_classes._V2_EVENT_CLASS_LOOKUP.items():
        module = importlib.import_module(module_name)
        fetch = getattr(getattr(module, class_name), "fetch_related_object", None)
        if event.startswith(_THIN_PREFIX) and fetch is not None:
            names = vars(module) | type_checking_names(module)
            found = object_name(typing.get_type_hints(fetch, globalns=names)["return"])
            if found is not None:
                yield event.removeprefix(_THIN_PREFIX), found


def _longest(event: str, object_names: Collection[str]) -> str:
    """The longest object name that an event type begins with.

    Raises:
        LookupError: there is none.
    """
    parts = event.split(".")
    for length in range(len(parts) - 1, 0, -1):
        for joined in (".".join(parts[:length]), "_".join(parts[:length])):
            if joined in object_names:
                return joined
    raise LookupError(f"no object is known for the event type {event}")


_THIN_PREFIX: Final = "v1."
