# cython: language_level=3, boundscheck=False, wraparound=False
"""Records, written at once; compiled. `ChangeCodec` writes values in columns, too."""

from cpython.bytes cimport PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free

from producer.avro_bytes cimport (
    Room,
    put_all,
    put_byte,
    put_bytes,
    put_long,
    put_null,
    put_text_of,
)
from producer.quick_candidates cimport MICROS_PER_SECOND, QuickCandidate

from schemas import meta

cdef str ENTRY_HEADER = meta.ENTRY_HEADER


cdef const unsigned char * HEXADECIMAL = b"0123456789abcdef"

cdef enum:
    NOTHING_BYTES_MAX = 4


cdef class ValueWriter:
    """Writes one value after the other; not for several threads at once.

    Args:
        shown_before: makes of `previous_attributes` what a record shows of them.
    """

    cdef Room _room
    cdef object _shown_before

    def __init__(self, shown_before):
        self._shown_before = shown_before

    def __dealloc__(self):
        free(self._room.start)

    def value(
        self,
        bytes prefix not None,
        bytes half not None,
        int64_t event_at,
        str event_id,
        str event_type,
        operation,
        source,
        str api_version,
        str account_id,
        int64_t received_at,
        bytes previous,
    ):
        """The bytes of a record.

        Args:
            prefix: of its schema: a zero byte and the schema's id.
            half: of its object.
            event_id, event_type, account_id: empty is null.
            previous: JSON without spaces.
        """
        return self._written(
            prefix,
            half,
            event_at,
            event_id,
            event_type,
            operation,
            source,
            api_version,
            account_id,
            received_at,
            previous,
        )

    def ready(self, bytes prefix not None, QuickCandidate event not None):
        """The record of an event that follows: event, key, value, headers, milliseconds.

        Args:
            prefix: as above.
        """
        if event.half is None:
            raise ValueError("the event's half is not made")
        value = self._written(
            prefix,
            event.half,
            event.second * MICROS_PER_SECOND,
            event.event_id,
            event.event_type,
            event.operation,
            event.envelope.source,
            event.api_version,
            event.account_id,
            event.received_at,
            self._before(event),
        )
        headers = [(ENTRY_HEADER, self._header(event))]
        return event, event.record.key, value, headers, event.second * 1_000

    cdef bytes _header(self, QuickCandidate event):
        """What `headers_of` writes of the event's entry, which is no child's."""
        cdef Room * room = &self._room
        room.used = 0
        put_decimal(room, event.second * MICROS_PER_SECOND)
        put_byte(room, c' ')
        put_utf8(room, event.operation)
        put_byte(room, c' ')
        put_hexadecimal(room, event.body_hash)
        put_byte(room, c' ')
        put_decimal(room, event.partition)
        put_byte(room, c':')
        put_decimal(room, event.offset)
        put_bytes(room, b"  ", 2)
        put_utf8(room, event.event_id)
        return PyBytes_FromStringAndSize(<char *> room.start, room.used)

    cdef bytes _before(self, QuickCandidate event):
        # Canonical text has no spaces.
        if event.previous_is_canonical and PyBytes_GET_SIZE(event.previous) > NOTHING_BYTES_MAX:
            return event.previous
        return self._shown_before(event.previous)

    cdef bytes _written(
        self,
        bytes prefix,
        bytes half,
        int64_t event_at,
        str event_id,
        str event_type,
        operation,
        source,
        str api_version,
        str account_id,
        int64_t received_at,
        bytes previous,
    ):
        cdef Room * room = &self._room
        room.used = 0
        put_all(room, prefix)
        put_all(room, half)
        put_long(room, event_at)
        put_filled(room, event_id)
        put_filled(room, event_type)
        put_required(room, operation)
        put_required(room, source)
        put_string(room, api_version)
        put_filled(room, account_id)
        put_long(room, received_at)
        if previous is None:
            put_null(room)
        else:
            put_text_of(room, previous)
        return PyBytes_FromStringAndSize(<char *> room.start, room.used)


cdef int put_utf8(Room * room, text) except -1:
    cdef Py_ssize_t length
    cdef const char * start = PyUnicode_AsUTF8AndSize(text, &length)
    return put_bytes(room, <const unsigned char *> start, length)


cdef int put_decimal(Room * room, int64_t number) except -1:
    cdef char digits[24]
    cdef int length = snprintf(digits, sizeof(digits), b"%lld", <long long> number)
    return put_bytes(room, <unsigned char *> digits, length)


cdef int put_hexadecimal(Room * room, bytes found) except -1:
    cdef unsigned char one
    for one in found:
        put_byte(room, HEXADECIMAL[one >> 4])
        put_byte(room, HEXADECIMAL[one & 15])
    return 0


cdef int put_required(Room * room, text) except -1:
    cdef Py_ssize_t length
    cdef const char * start = PyUnicode_AsUTF8AndSize(text, &length)
    put_long(room, length)
    return put_bytes(room, <const unsigned char *> start, length)


cdef int put_filled(Room * room, str text) except -1:
    return put_string(room, text or None)


cdef int put_string(Room * room, str text) except -1:
    if text is None:
        return put_null(room)
    put_byte(room, 2)
    return put_required(room, text)
