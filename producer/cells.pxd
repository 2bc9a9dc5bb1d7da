"""The columns of a half: which values fit them, and where their bytes end."""

from libc.stdint cimport uint64_t

from producer.json_scan cimport (
    ABSENT,
    FALSE_,
    INTEGER,
    NULL_,
    NUMBER,
    TEXT,
    TRUE_,
    Bytes,
    Value,
)

cdef enum Kind:
    STRING
    DECIMAL
    BOOLEAN
    WHOLE
    TIMESTAMP
    FLOAT
    REFERENCE
    JSON

cdef struct Field:
    Bytes name
    Py_ssize_t length
    Kind kind
    bint wants_text
    Py_ssize_t moved


cdef inline Py_ssize_t behind_cell(Bytes half, Py_ssize_t at, Kind kind) noexcept nogil:
    """Where the cell ends that begins at a place of a half."""
    cdef uint64_t length = 0
    cdef int shift = 0
    at += 1
    if half[at - 1] == 0:
        return at
    if kind == BOOLEAN:
        return at + 1
    if kind == FLOAT:
        return at + 8
    while True:
        length |= <uint64_t> (half[at] & 0x7f) << shift
        shift += 7
        at += 1
        if half[at - 1] < 0x80:
            break
    if kind == WHOLE or kind == TIMESTAMP:
        return at
    return at + <Py_ssize_t> (length >> 1)


cdef inline bint fits(Kind kind, Value * value) noexcept nogil:
    """Whether a value may stand in a column of this kind."""
    if value.tag == NULL_ or kind == JSON:
        return True
    if kind == STRING or kind == REFERENCE:
        return value.tag == TEXT
    if kind == BOOLEAN:
        return value.tag == TRUE_ or value.tag == FALSE_
    if kind == WHOLE:
        return value.tag == INTEGER and not value.hard
    if kind == TIMESTAMP:
        # Eleven digits reach the year 5138; what is farther away is looked at more closely.
        return value.tag == INTEGER and not value.hard and value.end - value.start <= 11
    if kind == DECIMAL:
        return value.tag == TEXT and not value.hard
    return value.tag == INTEGER or value.tag == NUMBER


cdef inline bint is_text_or_none(Value * value) noexcept nogil:
    return value.tag == ABSENT or value.tag == NULL_ or value.tag == TEXT and not value.hard
