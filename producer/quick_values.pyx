# cython: language_level=3, boundscheck=False, wraparound=False
"""A record's whole value, written at once; compiled. `ChangeCodec` can do it in columns."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t
from libc.stdlib cimport free

from producer.avro_bytes cimport Room, put_byte, put_bytes, put_long, put_null

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
        str event_id not None,
        str event_type not None,
        operation,
        source,
        str api_version,
        str account_id not None,
        int64_t received_at,
        bytes previous not None,
    ):
        """The bytes of a record.

        Args:
            prefix: of its schema: a zero byte and the schema's id.
            half: of its object.
            event_id, event_type, account_id: empty ones are null in the record.
            previous: JSON without spaces; empty is null.
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
        if api_version is None:
            put_null(room)
        else:
            put_byte(room, 2)
            put_required(room, api_version)
        put_string(room, account_id)
        put_long(room, received_at)
        if previous:
            put_byte(room, 2)
            put_long(room, PyBytes_GET_SIZE(previous))
            put_all(room, previous)
        else:
            put_null(room)
        return PyBytes_FromStringAndSize(<char *> room.start, room.used)


cdef int put_all(Room * room, bytes part) except -1:
    return put_bytes(room, <const unsigned char *> PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))


cdef int put_required(Room * room, text) except -1:
    cdef Py_ssize_t length
    cdef const char * start = PyUnicode_AsUTF8AndSize(text, &length)
    put_long(room, length)
    return put_bytes(room, <const unsigned char *> start, length)


cdef int put_string(Room * room, str text) except -1:
    if not text:
        return put_null(room)
    put_byte(room, 2)
    return put_required(room, text)
