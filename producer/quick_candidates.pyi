"""Events that may be published, as compiled code reads them; compiled."""

from collections.abc import Collection, Sequence

from producer.observation import Observation
from producer.order import Entry
from producer.preparing import Candidate
from producer.reading import InboxRecord
from producer.shown_lists import ShownList
from schemas.inbox import Envelope
from schemas.meta import Operation

class QuickCandidate:
    record: InboxRecord
    envelope: Envelope
    name: str
    table: str
    object_name: str
    key: str
    account_id: str
    event_id: str
    event_type: str
    api_version: str | None
    operation: Operation
    previous: bytes
    half: bytes
    body_hash: bytes
    lists: tuple[ShownList, ...]
    second: int
    received_at: int
    partition: int
    offset: int
    stub: bool
    @property
    def observation(self) -> Observation: ...
    @property
    def is_whole(self) -> bool: ...
    @property
    def size(self) -> int: ...
    @property
    def entry(self) -> Entry: ...
    def placed(self, record_offset: int) -> Entry: ...

def followers(
    candidates: Sequence[Candidate],
    entries: dict[str, Entry],
    busy: Collection[str],
    in_step: dict[str, bytes],
) -> tuple[list[QuickCandidate], list[Candidate]]: ...
