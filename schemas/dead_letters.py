"""The headers of a dead letter: where a record that could not be processed came from, and why."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

DEAD_PREFIX = "stripeline.dead."


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """The origin of a dead letter and why it is one.

    Attributes:
        service: who gave it up: `relay`, `sink`.
        topic, partition, offset: where the original record stands.
        reason: one constant word, an error's class name or an SQLSTATE; never text from a body.
        at: when it was given up, microseconds since 1970 UTC.
    """

    service: str
    topic: str
    partition: int
    offset: int
    reason: str
    at: int

    def __post_init__(self) -> None:
        assert _WORD.fullmatch(self.reason), "the reason of a dead letter is one constant word"

    def headers(
        self, original: Iterable[tuple[str, bytes | str | None]] | None
    ) -> list[tuple[str, bytes | None]]:
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
        }
        return kept + [(DEAD_PREFIX + name, value.encode()) for name, value in own.items()]

    @classmethod
    def from_headers(
        cls, headers: Iterable[tuple[str, bytes | str | None]] | None
    ) -> "DeadLetter":
        """The letter that `headers` wrote.

        Raises:
            ValueError: a header is missing or is not what `headers` writes.
        """
        found = {
            name.removeprefix(DEAD_PREFIX): value.decode() if isinstance(value, bytes) else value
            for name, value in headers or ()
            if value is not None and name.startswith(DEAD_PREFIX)
        }
        missing = [name for name in cls.__slots__ if name not in found]
        if missing:
            raise ValueError(f"the dead letter lacks the headers {', '.join(missing)}")
        return cls(
            service=found["service"],
            topic=found["topic"],
            partition=int(found["partition"]),
            offset=int(found["offset"]),
            reason=found["reason"],
            at=int(found["at"]),
        )


_WORD = re.compile(r"[A-Za-z0-9_]{1,100}")
