# cython: language_level=3, boundscheck=False, wraparound=False
"""Events, read in one pass over their bytes; compiled.

An event in which anything is odd is given back whole, as `quick_bodies.pyx` does with objects.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.string cimport memcmp

from producer.cells cimport is_text_or_none
from producer.json_scan cimport (
    ABSENT,
    INTEGER,
    TEXT,
    Scan,
    Value,
    is_named,
    raw_of,
    read_canonical,
    read_name,
    skip_space,
    take,
    text_in,
    whole,
)
from producer.quick_bodies cimport BodyReader
from producer.quick_candidates cimport QuickCandidate

from producer.memory import entry_name
from producer.observation import operation_of
from producer.reading import SECOND_MAX as SECONDS_END
from schemas import inbox

cdef int64_t SECOND_MAX = SECONDS_END
cdef str ENVELOPE_HEADER = inbox.ENVELOPE_HEADER
cdef object EVENT = inbox.Kind.EVENT

SHARED_FIELDS_BYTES_MAX = 512
"""Moved fields that say so little are the same for many objects: null, an empty list."""

cdef enum:
    ID
    TYPE
    CREATED
    API_VERSION
    ACCOUNT
    PREVIOUS
    HEADS


@cython.final
cdef class EventReader(BodyReader):
    """Reads events about one type of object; not for several threads at once.

    Args:
        (those of `BodyReader`)
        hash_of: a half's hash.
        table: of the type.
        owns: whether lists in its bodies show objects that are shown there only.
        all_owned: whether no list shows others.
    """

    cdef Value _heads[HEADS]
    cdef str _table
    cdef str _object_name_text
    cdef str _name_start
    cdef object _hash_of
    cdef bint _owns
    cdef bint _all_owned

    def __init__(
        self,
        str object_name,
        fields,
        moved,
        columns,
        learnt,
        judge,
        hash_of,
        str table,
        bint owns,
        bint all_owned,
    ):
        self._object_name_text, self._table = object_name, table
        self._name_start = entry_name(table, "")
        self._hash_of, self._owns, self._all_owned = hash_of, owns, all_owned

    def read(self, record, envelope, int64_t received_at, str key, made):
        """What an event says; none if anything is odd, or it is not about the object of its key.

        Args:
            record: of the inbox.
            envelope: the record's, but for `received_at`, which is given beside it.
            key: the record's.
            made: what was made of the moved fields of the object's last event, if there was one.

        Returns:
            A candidate; its half is missing where the moved fields are others than in `made`.
        """
        cdef QuickCandidate found
        cdef bytes value = record.value
        cdef tuple known = None if made is None else made.moved
        if not self._begin_event(value, known) or not self._event():
            return None
        if self._heads[PREVIOUS].hard and not self._is_json(&self._heads[PREVIOUS]):
            return None
        account_id = text_in(&self._scan, &self._heads[ACCOUNT]) or envelope.account_id
        if not self._is_of(key, record.key, account_id):
            return None
        found = QuickCandidate.__new__(QuickCandidate)
        found.record, found.envelope, found.received_at = record, envelope, received_at
        found.partition, found.offset = record.partition, record.offset
        found.object_name, found.table, found.key = self._object_name_text, self._table, key
        found.name = self._name_start + key
        found.account_id = account_id
        found.event_id = text_in(&self._scan, &self._heads[ID])
        found.event_type = text_in(&self._scan, &self._heads[TYPE])
        found.operation = operation_of(found.event_type)
        found.second = whole(&self._scan, &self._heads[CREATED])
        found.api_version = text_in(&self._scan, &self._heads[API_VERSION])
        found.previous = self._previous()
        found.previous_is_canonical = not self._heads[PREVIOUS].hard
        found.owns, found.all_owned = self._owns, self._all_owned
        if made is not None and self._are_known() and not self.make(found, made):
            return None
        return found

    cpdef bint make(self, QuickCandidate candidate, made) except -1:
        """Make the half of the event that was read last; false if anything is odd.

        Args:
            made: of the moved fields that it shows.
        """
        candidate.half = self.half(made.cells)
        if candidate.half is None:
            return False
        candidate.body_hash = self._hash_of(candidate.half)
        candidate.lists, candidate.digest = made.lists, made.digest
        return True

    cdef bint _is_of(self, str key, bytes raw_key, str account_id) except -1:
        """Whether the event is about the object of this key."""
        cdef Value * object_id = self._values
        cdef Py_ssize_t length = object_id.end - object_id.start - 2
        if account_id:
            return key == f"{account_id}/{text_in(&self._scan, object_id)}"
        return length == PyBytes_GET_SIZE(raw_key) and not memcmp(
            self._scan.json + object_id.start + 1, PyBytes_AS_STRING(raw_key), length
        )

    cdef bint _begin_event(self, bytes value, tuple known) except -1:
        cdef Py_ssize_t at
        if not self._begin(value, known):
            return False
        for at in range(HEADS):
            self._heads[at].tag = ABSENT
        return True

    cdef bint _event(self) except -1:
        """Read the event; false if anything is odd."""
        cdef Scan * scan = &self._scan
        cdef Value name, passing
        cdef Value * value
        cdef bint object_seen = False
        if not take(scan, c'{'):
            return False
        while True:
            if not read_name(scan, &name):
                return False
            if is_named(scan, &name, "data", 4):
                if object_seen or not self._data():
                    return False
                object_seen = True
            else:
                value = self._head(&name, &passing)
                if not self._judged(value):
                    return False
            if not take(scan, c','):
                break
        if not take(scan, c'}') or not object_seen:
            return False
        skip_space(scan)
        return scan.at == scan.size and self._is_event()

    cdef bint _is_event(self) noexcept:
        """Whether what was read of the event is of the right kinds."""
        cdef Value * heads = self._heads
        return (
            heads[ID].tag == TEXT and not heads[ID].hard
            and heads[TYPE].tag == TEXT and not heads[TYPE].hard
            and heads[CREATED].tag == INTEGER and not heads[CREATED].hard
            and is_text_or_none(&heads[API_VERSION]) and is_text_or_none(&heads[ACCOUNT])
            and self._values[0].tag == TEXT and not self._values[0].hard
        )

    cdef Value * _head(self, Value * name, Value * passing) noexcept:
        """Where the value of a field of the event goes."""
        if is_named(&self._scan, name, "id", 2):
            return &self._heads[ID]
        if is_named(&self._scan, name, "type", 4):
            return &self._heads[TYPE]
        if is_named(&self._scan, name, "created", 7):
            return &self._heads[CREATED]
        if is_named(&self._scan, name, "account", 7):
            return &self._heads[ACCOUNT]
        if is_named(&self._scan, name, "api_version", 11):
            return &self._heads[API_VERSION]
        return passing

    cdef bint _data(self) except -1:
        cdef Scan * scan = &self._scan
        cdef Value name, passing
        cdef bint object_seen = False, is_good
        if not take(scan, c'{'):
            return False
        while True:
            if not read_name(scan, &name):
                return False
            if is_named(scan, &name, "object", 6):
                if object_seen or not self._object():
                    return False
                object_seen = True
            elif is_named(scan, &name, "previous_attributes", 19):
                scan.in_order = False
                is_good = read_canonical(scan, &self._heads[PREVIOUS])
                scan.in_order = True
                if not is_good:
                    return False
            elif not self._judged(&passing):
                return False
            if not take(scan, c','):
                break
        return take(scan, c'}') and object_seen

    cdef bytes _previous(self):
        cdef Value * value = &self._heads[PREVIOUS]
        if value.tag == ABSENT or value.hard:
            return raw_of(&self._scan, value)
        return PyBytes_FromStringAndSize(
            <const char *> self._scan.text + value.text_start, value.text_end - value.text_start
        )


def read_events(list records, dict envelopes, envelope_of, dict guesses, dict readers, kept):
    """What records say, as far as it can be read the short way.

    Args:
        records: of the inbox.
        envelopes: those that are known, by all of their header but the time of arrival.
        envelope_of: a record's envelope, time of arrival and key, whatever it is.
        guesses: the object type that a key's prefix tells.
        readers: by object type.
        kept: what was made of moved fields, by object type and key or what they are.

    Returns:
        For each record a candidate; or a candidate without its half, the bytes of its moved
        fields that were not met before, and those of its object; or none.
    """
    found = []
    for record in records:
        try:
            found.append(_read(record, envelopes, envelope_of, guesses, readers, kept))
        except Exception:
            # What is wrong with it is found again, and told, on the long way.
            found.append(None)
    return found


cdef object _read(record, dict envelopes, envelope_of, dict guesses, dict readers, kept):
    cdef EventReader reader
    cdef QuickCandidate found
    cdef list headers = record.headers
    cdef str key
    envelope = None
    if len(headers) == 1:
        name, told = headers[0]
        others, _, received_at = (<bytes> told).rpartition(b"=")
        envelope = envelopes.get(others) if name == ENVELOPE_HEADER else None
    if envelope is None:
        envelope, received_at, key = envelope_of(record)
    else:
        received_at, key = int(received_at), (<bytes> record.key).decode()
    object_name = guesses.get(prefix_of(key)) if envelope.kind is EVENT else None
    if object_name is None:
        return None
    reader = readers[object_name]
    made = kept.get((object_name, key)) if reader._moved_count else None
    found = reader.read(record, envelope, received_at, key, made)
    if found is None or not 0 < found.second < SECOND_MAX:
        return None
    if found.half is not None:
        return found
    moved = reader.moved()
    size = sum([len(one) for one in moved])
    made = kept.get((object_name, moved)) if size <= SHARED_FIELDS_BYTES_MAX else None
    if made is None:
        return found, moved, reader.body()
    return found if reader.make(found, made) else None


def prefix_of(str key not None):
    """What tells an object's type nearly always: `sub` of `sub_1`."""
    return key.rpartition("/")[2].partition("_")[0]
