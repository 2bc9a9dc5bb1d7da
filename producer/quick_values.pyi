"""Records, written at once; compiled. `ChangeCodec` writes values in columns, too."""

from collections.abc import Callable

from producer.quick_candidates import QuickCandidate

class ValueWriter:
    def __init__(self, shown_before: Callable[[bytes], bytes | None]) -> None: ...
    def value(
        self,
        prefix: bytes,
        half: bytes,
        event_at: int,
        event_id: str | None,
        event_type: str | None,
        operation: str,
        source: str,
        api_version: str | None,
        account_id: str | None,
        received_at: int,
        previous: bytes | None,
    ) -> bytes: ...
    def ready(
        self, prefix: bytes, event: QuickCandidate
    ) -> tuple[QuickCandidate, bytes, bytes, list[tuple[str, bytes]], int]: ...
