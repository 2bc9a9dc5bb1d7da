"""Dead letters as they stand in their topic, and which of them a person has settled."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.dead_letters import DEAD_PREFIX, DeadLetter, Headers, settled_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter with the record that died.

    Attributes:
        origin: where it stands, and why it died.
        headers: the original record's own.
    """

    origin: DeadLetter
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: tuple[tuple[str, bytes | None], ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One record of the dead letters' topic."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def open_letters(records: Iterable[Stored]) -> list[Letter]:
    """The letters that nobody has settled, in the order in which they died.

    One that was sent twice, because its sender was killed in between, is one letter.
    """
    found: dict[str, Letter] = {}
    for record in records:
        headers = tuple(record.headers)
        try:
            origin = DeadLetter.from_headers(headers)
        except ValueError:
            # Somebody else has written into the topic.
            continue
        found.pop(origin.name, None)
        if settled_by(headers) is None:
            found[origin.name] = Letter(
                origin=origin,
                key=record.key,
                value=record.value,
                headers=_own(headers),
            )
    return list(found.values())


def _own(headers: Headers) -> tuple[tuple[str, bytes | None], ...]:
    return tuple(
        (name, value.encode() if isinstance(value, str) else value)
        for name, value in headers
        if not name.startswith(DEAD_PREFIX)
    )
