"""Events, read in one pass over their bytes; compiled."""

from collections.abc import Callable, Sequence
from typing import Final

from producer.kept import Kept
from producer.quick_bodies import BodyReader, Judge
from producer.quick_candidates import QuickCandidate
from producer.quick_reading import Made
from producer.reading import InboxRecord
from schemas.inbox import Envelope

class EventReader(BodyReader):
    def __init__(
        self,
        object_name: str,
        fields: Sequence[tuple[str, str]],
        moved: Sequence[int],
        columns: Sequence[tuple[int, str]],
        learnt: Sequence[str],
        judge: Judge,
        hash_of: Callable[[bytes], bytes],
        table: str,
        owns: bool,
        all_owned: bool,
    ) -> None: ...
    def read(
        self,
        record: InboxRecord,
        envelope: Envelope,
        received_at: int,
        key: str,
        made: Made | None,
    ) -> QuickCandidate | None: ...
    def make(self, candidate: QuickCandidate, made: Made) -> bool: ...

SHARED_FIELDS_BYTES_MAX: Final[int]

def prefix_of(key: str) -> str: ...
def read_events(
    records: list[InboxRecord],
    envelopes: dict[bytes, Envelope],
    envelope_of: Callable[[InboxRecord], tuple[Envelope, int, str]],
    guesses: dict[str, str],
    readers: dict[str, EventReader],
    kept: Kept[tuple[str, str | tuple[bytes, ...]], Made],
) -> list[QuickCandidate | tuple[QuickCandidate, tuple[bytes, ...], bytes] | None]: ...
