# cython: language_level=3, boundscheck=False, wraparound=False
"""A record's whole value, written at once; compiled. `ChangeCodec` can do it in columns."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t
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

cdef class ValueWriter:
    """Writes one value after the other; not for several threads at once."""

    cdef Room _room

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
            previous: JSON without spaces.
        """
        cdef Room * room = &self._room
        room.used = 0
        put_all(room, prefix)
        put_all(room, half)
        put_long(room, event_at)
        put_string(room, event_id)
        put_string(room, event_type)
        put_required(room, operation)
        put_required(room, source)
        put_string(room, api_version)
        put_string(room, account_id)
        put_long(room, received_at)
        if previous is None:
            put_null(room)
        else:
            put_text_of(room, previous)
        return PyBytes_FromStringAndSize(<char *> room.start, room.used)


cdef int put_required(Room * room, text) except -1:
    cdef Py_ssize_t length
    cdef const char * start = PyUnicode_AsUTF8AndSize(text, &length)
    put_long(room, length)
    return put_bytes(room, <const unsigned char *> start, length)


cdef int put_string(Room * room, str text) except -1:
    if text is None:
        return put_null(room)
    put_byte(room, 2)
    return put_required(room, text)
