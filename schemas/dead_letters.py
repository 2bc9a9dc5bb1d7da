"""The headers of a dead letter: where a record that could not be processed came from, and why."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

DEAD_PREFIX = "stripeline.dead."

Headers = Iterable[tuple[str, bytes | str | None]]


class Settled(StrEnum):
    """What a person did about a dead letter."""

    RETRIED = "retried"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """The origin of a dead letter and why it is one.

    Attributes:
        service: who gave it up: `relay`, `sink`.
        topic, partition, offset: where the original record stands.
        reason: one constant word, an error's class name or an SQLSTATE; never text from a body.
        at: when it was given up, microseconds since 1970 UTC.
        stack: where in the code, a frame a line; empty where no error was raised there.
    """

    service: str
    topic: str
    partition: int
    offset: int
    reason: str
    at: int
    stack: str = ""

    def __post_init__(self) -> None:
        assert _WORD.fullmatch(self.reason), "the reason of a dead letter is one constant word"

    @property
    def name(self) -> str:
        """Where the original record stands, as a person copies it."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    def headers(self, original: Headers | None) -> list[tuple[str, bytes | None]]:
        """The original record's headers, then this letter's own.

        A dead letter that was sent again and died again has only its last death's headers.
        """
        kept: list[tuple[str, bytes | None]] = [
            (name, value.encode() if isinstance(value, str) else value)
            for name, value in original or ()
            if not name.startswith(DEAD_PREFIX)
        ]
        own = {
            "service": self.service,
            "topic": self.topic,
            "partition": str(self.partition),
            "offset": str(self.offset),
            "reason": self.reason,
            "at": str(self.at),
            **({"stack": self.stack} if self.stack else {}),
        }
        return kept + [(DEAD_PREFIX + name, value.encode()) for name, value in own.items()]

    def settled_headers(self, settled: Settled) -> list[tuple[str, bytes | None]]:
        """The headers of the record, without a value, that says that this letter is done with."""
        return [*self.headers(()), (_SETTLED, settled.value.encode())]

    @classmethod
    def from_headers(cls, headers: Headers | None) -> "DeadLetter":
        """The letter that `headers` wrote.

        Raises:
            ValueError: a header is missing or is not what `headers` writes.
        """
        found = {
            name.removeprefix(DEAD_PREFIX): value.decode() if isinstance(value, bytes) else value
            for name, value in headers or ()
            if value is not None and name.startswith(DEAD_PREFIX)
        }
        missing = [name for name in _REQUIRED if name not in found]
        if missing:
            raise ValueError(f"the dead letter lacks the headers {', '.join(missing)}")
        return cls(
            service=found["service"],
            topic=found["topic"],
            partition=int(found["partition"]),
            offset=int(found["offset"]),
            reason=found["reason"],
            at=int(found["at"]),
            stack=found.get("stack", ""),
        )


def settled_by(headers: Headers | None) -> Settled | None:
    """What a record of the dead letters says was done about one; none if it is a letter."""
    for name, value in headers or ():
        if name == _SETTLED and value is not None:
            return Settled(value.decode() if isinstance(value, bytes) else value)
    return None


_SETTLED = f"{DEAD_PREFIX}settled"
_REQUIRED = ("service", "topic", "partition", "offset", "reason", "at")
_WORD = re.compile(r"[A-Za-z0-9_]{1,100}")
