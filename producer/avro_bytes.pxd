"""Avro's binary form, written into room that grows."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy

cdef enum:
    VARINT_BYTES_MAX = 10

cdef struct Room:
    unsigned char * start
    Py_ssize_t used
    Py_ssize_t size


cdef inline void * grown(void * before, size_t size) except NULL:
    """The same memory, or new where there was none, of another size."""
    cdef void * found = realloc(before, size if size else 1)
    if found == NULL:
        raise MemoryError
    return found


cdef inline int want(Room * room, Py_ssize_t length) except -1:
    """Make room for so many bytes more."""
    if room.used + length > room.size:
        room.size = 2 * (room.used + length)
        room.start = <unsigned char *> grown(room.start, room.size)
    return 0


cdef inline int put_byte(Room * room, unsigned char one) except -1:
    want(room, 1)
    room.start[room.used] = one
    room.used += 1
    return 0


cdef inline int put_bytes(Room * room, const unsigned char * start, Py_ssize_t length) except -1:
    want(room, length)
    memcpy(room.start + room.used, start, length)
    room.used += length
    return 0


cdef inline int put_all(Room * room, bytes part) except -1:
    return put_bytes(room, <const unsigned char *> PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))


cdef inline int put_long(Room * room, int64_t number) except -1:
    """Zigzag, seven bits a byte."""
    cdef uint64_t left = (<uint64_t> number << 1) ^ <uint64_t> (number >> 63)
    want(room, VARINT_BYTES_MAX)
    while left >= 0x80:
        room.start[room.used] = <unsigned char> (left | 0x80)
        room.used += 1
        left >>= 7
    room.start[room.used] = <unsigned char> left
    room.used += 1
    return 0


cdef inline int put_text(Room * room, const unsigned char * start, Py_ssize_t length) except -1:
    """A text that may be null, and is not."""
    put_byte(room, 2)
    put_long(room, length)
    return put_bytes(room, start, length)


cdef inline int put_text_of(Room * room, bytes text) except -1:
    """The same, of UTF-8 that Python holds."""
    return put_text(room, <const unsigned char *> PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


cdef inline int put_double(Room * room, double number) except -1:
    """A double that may be null, and is not."""
    cdef uint64_t bits
    cdef int at
    memcpy(&bits, &number, sizeof(bits))
    put_byte(room, 2)
    for at in range(8):
        put_byte(room, <unsigned char> (bits >> 8 * at))
    return 0


cdef inline int put_null(Room * room) except -1:
    return put_byte(room, 0)
