"""A record's whole value, written at once; compiled. `ChangeCodec` can do it in columns."""

class ValueWriter:
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
