"""What a request may say: each parameter has a parser that gives its JSON value or refuses it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from simulator.errors import missing_parameter, unknown_parameter, wrong_parameter
from simulator.form import Raw

Parser: TypeAlias = Callable[[str, Raw], Any]
"""Takes the parameter's full name and its raw value; an empty text is None, the value unset."""

METADATA_KEYS_MAX = 50
METADATA_KEY_CHARACTERS_MAX = 40
METADATA_VALUE_CHARACTERS_MAX = 500


def parse(
    raw: Mapping[str, Raw], parsers: Mapping[str, Parser], *, required: Iterable[str] = ()
) -> dict[str, Any]:
    """The values of a request's parameters.

    Raises:
        Refused: one is unknown, missing or has a value that its parser refuses.
    """
    for name in raw:
        if name not in parsers:
            raise unknown_parameter(name)
    for name in required:
        if raw.get(name) in (None, ""):
            raise missing_parameter(name)
    return {name: parsers[name](name, value) for name, value in raw.items()}


def text(name: str, raw: Raw) -> str | None:
    """Any text."""
    return _plain(name, raw) or None


def boolean(name: str, raw: Raw) -> bool | None:
    """`true` or `false`."""
    value = _plain(name, raw)
    if value not in {"true", "false", "True", "False", ""}:
        raise wrong_parameter(name, f"Invalid boolean: {value}", code="parameter_invalid_boolean")
    return value in {"true", "True"} if value else None


def integer(name: str, raw: Raw) -> int | None:
    """A whole number, also an amount in the minor unit or a unix time."""
    value = _plain(name, raw)
    if not value:
        return None
    try:
        return int(value)
    except ValueError:
        raise wrong_parameter(
            name, f"Invalid integer: {value}", code="parameter_invalid_integer"
        ) from None


def number(name: str, raw: Raw) -> float | None:
    """A number with a fraction."""
    value = _plain(name, raw)
    if not value:
        return None
    try:
        return float(value)
    except ValueError:
        raise wrong_parameter(name, f"Invalid decimal: {value}") from None


def choice(*allowed: str) -> Parser:
    """One of the texts `allowed`."""

    def parser(name: str, raw: Raw) -> str | None:
        value = _plain(name, raw)
        if value and value not in allowed:
            raise wrong_parameter(name, f"Invalid {name}: must be one of {', '.join(allowed)}")
        return value or None

    return parser


def moment(*words: str) -> Parser:
    """A unix time, or one of `words` such as `now`."""

    def parser(name: str, raw: Raw) -> int | str | None:
        value = _plain(name, raw)
        return value if value in words else integer(name, raw)

    return parser


def record(parsers: Mapping[str, Parser], *, whole: bool = False) -> Parser:
    """A nested object of known fields.

    Args:
        parsers: a parser per field.
        whole: fields that are not given become None, instead of keeping what they were.
    """

    def parser(name: str, raw: Raw) -> dict[str, Any] | None:
        if raw == "":
            return None
        if not isinstance(raw, dict):
            raise wrong_parameter(name, f"Invalid object: {name}")
        for key in raw:
            if key not in parsers:
                raise unknown_parameter(f"{name}[{key}]")
        given = {key: parsers[key](f"{name}[{key}]", value) for key, value in raw.items()}
        return dict.fromkeys(parsers) | given if whole else given

    return parser


def array(item: Parser, *, items_max: int = 100) -> Parser:
    """A list; an empty text is the empty list."""

    def parser(name: str, raw: Raw) -> list[Any]:
        if raw == "":
            return []
        if not isinstance(raw, dict) or not all(key.isdecimal() for key in raw):
            raise wrong_parameter(name, f"Invalid array: {name}")
        if len(raw) > items_max:
            raise wrong_parameter(name, f"Array {name} is longer than {items_max} elements")
        return [item(f"{name}[{key}]", raw[key]) for key in sorted(raw, key=int)]

    return parser


def metadata(name: str, raw: Raw) -> dict[str, str] | None:
    """Keys to set, or with an empty value to unset; None where the whole is to be cleared."""
    if raw == "":
        return None
    if not isinstance(raw, dict):
        raise wrong_parameter(name, "Invalid hash: metadata must be a set of key-value pairs")
    given: dict[str, str] = {}
    for key, value in raw.items():
        if len(key) > METADATA_KEY_CHARACTERS_MAX:
            raise wrong_parameter(name, f"Metadata keys can have up to 40 characters: {key}")
        given[key] = _plain(f"{name}[{key}]", value)
        if len(given[key]) > METADATA_VALUE_CHARACTERS_MAX:
            raise wrong_parameter(name, f"Metadata values can have up to 500 characters: {key}")
    return given


def anything(name: str, raw: Raw) -> Any:
    """A setting that the simulator keeps and does not act on: numbers and booleans are guessed."""
    if isinstance(raw, dict):
        if raw and all(key.isdecimal() for key in raw):
            return [anything(name, raw[key]) for key in sorted(raw, key=int)]
        return {key: anything(f"{name}[{key}]", value) for key, value in raw.items()}
    if raw in {"true", "false"}:
        return raw == "true"
    return int(raw) if raw.isdecimal() else raw or None


def merged_metadata(old: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    """Metadata after a request: given keys set, empty ones unset, all gone where `given` is None.

    Raises:
        Refused: more keys than Stripe allows.
    """
    if given is None:
        return {}
    new = {key: value for key, value in {**old, **given}.items() if value != ""}
    if len(new) > METADATA_KEYS_MAX:
        raise wrong_parameter("metadata", "You can have up to 50 metadata keys")
    return new


def _plain(name: str, raw: Raw) -> str:
    if isinstance(raw, dict):
        raise wrong_parameter(name, f"Invalid string: {name} must not be an object")
    return raw


ADDRESS = record(
    {
        "city": text,
        "country": text,
        "line1": text,
        "line2": text,
        "postal_code": text,
        "state": text,
    },
    whole=True,
)
SHIPPING = record(
    {
        "address": ADDRESS,
        "carrier": text,
        "name": text,
        "phone": text,
        "tracking_number": text,
    },
    whole=True,
)
