"""Reads the lists inside an object to their end; Stripe embeds only their first few elements."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from producer.errors import StripeRefused

if TYPE_CHECKING:
    from producer.stripe_api import Page

ELEMENTS_PER_PAGE: Final = 100
PAGES_MAX: Final = 1_000
BEGINNINGS_MAX: Final = 3
"""Of a list in which an element is deleted while it is read."""
AFTER: Final = "starting_after"

ReadPage = Callable[[str, Mapping[str, str]], "Page"]
"""Reads a page: address and parameters."""


def is_truncated(body: bytes) -> bool:
    """Whether an object holds a list that goes on elsewhere."""
    return _GOES_ON.search(body) is not None


def truncated_address(body: bytes) -> str:
    """The first address that `completed` reads from; empty where it reads nothing."""
    if not is_truncated(body):
        return ""
    if body.lstrip()[:1] == b"[":
        values = msgspec.json.decode(body, type=list[msgspec.Raw])
    else:
        values = [*msgspec.json.decode(body, type=dict[str, msgspec.Raw]).values()]
    for value in values:
        if found := truncated_address(bytes(value)):
            return found
    envelope = _envelope(body)
    is_list = envelope.object == "list" and envelope.has_more is True
    return envelope.url if is_list and isinstance(envelope.url, str) else ""


def completed(body: bytes, read_page: ReadPage) -> bytes:
    """The object with every embedded list whole; the same bytes where all are.

    A list is read from its beginning: what the body holds may be older than the list, and then
    its last element need not be there any more. All other bytes stay as Stripe sent them.

    Raises:
        StripeUnreachable: ask again later.
        StripeRefused: a list cannot be read.
    """
    if not is_truncated(body):
        return body
    if body.lstrip()[:1] == b"[":
        elements = msgspec.json.decode(body, type=list[msgspec.Raw])
        return _encoded([completed(bytes(element), read_page) for element in elements])
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    whole = {name: completed(bytes(value), read_page) for name, value in fields.items()}
    envelope = _envelope(body)
    if envelope.object == "list" and envelope.has_more is True:
        whole |= {"data": _read_to_the_end(envelope.url, read_page), "has_more": b"false"}
    return msgspec.json.encode({name: msgspec.Raw(value) for name, value in whole.items()})


class _Envelope(msgspec.Struct, gc=False):
    object: Any = None
    has_more: Any = None
    url: Any = None


def _envelope(body: bytes) -> _Envelope:
    return msgspec.json.decode(body, type=_Envelope)


def _read_to_the_end(url: Any, read_page: ReadPage) -> bytes:
    if not isinstance(url, str) or not url.startswith("/v1/"):
        raise StripeRefused("list_without_address")
    for _ in range(BEGINNINGS_MAX - 1):
        try:
            return _read_once(url, read_page)
        except _CursorRefused:
            # The element that it names was deleted since: what is read anew lacks it.
            continue
    return _read_once(url, read_page)


def _read_once(url: str, read_page: ReadPage) -> bytes:
    elements: list[bytes] = []
    parameters = {"limit": str(ELEMENTS_PER_PAGE)}
    for _ in range(PAGES_MAX):
        try:
            page = read_page(url, parameters)
        except StripeRefused as refused:
            if AFTER in parameters:
                raise _CursorRefused(refused.reason, said=refused.said) from refused
            raise
        elements += [completed(item, read_page) for item in page.items]
        if not page.has_more:
            return _encoded(elements)
        parameters = {**parameters, AFTER: page.last_id}
    raise StripeRefused("list_without_end")


class _CursorRefused(StripeRefused):
    """A page after the first one is refused."""


def _encoded(elements: list[bytes]) -> bytes:
    return msgspec.json.encode([msgspec.Raw(element) for element in elements])


_GOES_ON: Final = re.compile(rb'"has_more"\s*:\s*true')
"""A text that holds this has its quotes escaped, so that it does not match."""
