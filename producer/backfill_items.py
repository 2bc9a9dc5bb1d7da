"""From an object as a list shows it to the inbox record that it becomes."""

from typing import Final

import msgspec

from producer.errors import StripeUnreachable
from schemas.objects import ID, Catalogue, StrangeObjectName, record_key


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An object as a list shows it.

    Attributes:
        key: the record key; none for what is no stored object.
        object_id: Stripe's id; empty for what has none.
        created: when it was made; none where it does not say.
    """

    key: str | None
    object_name: str
    object_id: str
    created: int | None


class ItemReader:
    """Reads of an object no more than where it belongs."""

    def __init__(self, *, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._keyed_by_id: dict[str, bool] = {}

    def read(self, body: bytes, account_id: str) -> Item:
        """What an object says of itself.

        Raises:
            StripeUnreachable: it is no object; Stripe was not itself.
        """
        try:
            head = _HEAD.decode(body)
            key = self._key(head, body, account_id)
        except msgspec.DecodeError as error:
            raise StripeUnreachable("Stripe listed something that is no object.") from error
        return Item(
            key=key, object_name=head.object, object_id=head.id or "", created=head.created
        )

    def _key(self, head: "_Head", body: bytes, account_id: str) -> str | None:
        by_id = self._keyed_by_id.get(head.object)
        if by_id is None:
            by_id = self._keyed_by_id[head.object] = self._is_keyed_by_id(head.object)
        if by_id and head.id:
            return f"{account_id}/{head.id}" if account_id else head.id
        try:
            object_type = self._catalogue.get(head.object)
        except StrangeObjectName:
            return None
        return record_key(object_type, msgspec.json.decode(body), account_id)

    def _is_keyed_by_id(self, object_name: str) -> bool:
        try:
            rule = self._catalogue.get(object_name).key_rule
        except StrangeObjectName:
            return False
        return rule is not None and rule.fields == (ID,)


def shown_inside(body: bytes, field: str) -> list[bytes] | None:
    """The elements of a list in an object's body; none where it is not there or not whole."""
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    try:
        shown = msgspec.json.decode(fields.get(field, b"null"), type=_List)
    except msgspec.ValidationError:
        return None
    return None if shown.has_more else [bytes(element) for element in shown.data]


def has_field(body: bytes, name: str) -> bool:
    """Whether an object has something in a field."""
    return (
        bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get(name, b"null")) != b"null"
    )


class _Head(msgspec.Struct, gc=False):
    object: str
    id: str | None = None
    created: int | None = None


class _List(msgspec.Struct, gc=False):
    data: list[msgspec.Raw]
    has_more: bool


_HEAD: Final = msgspec.json.Decoder(_Head)
