"""JSON, read in one pass over the bytes: where a value stands, and what its canonical text is.

What is plain is done here, and only that. A value that needs a second look (a fraction, an escape,
a name that stands twice) is marked as hard, and is left to Python.

Bytes objects of Python end with a zero byte that is not part of them. No JSON token holds one, so
every loop over the bytes ends there at the latest.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy

from producer.avro_bytes cimport grown

ctypedef const unsigned char * Bytes

cdef enum Tag:
    ABSENT
    NULL_
    FALSE_
    TRUE_
    INTEGER
    NUMBER
    TEXT
    NESTED

cdef enum:
    DEPTH_MAX = 60
    MEMBERS_MAX = 8_192
    DIGITS_MAX = 18

cdef struct Value:
    Tag tag
    bint hard
    bint known
    Py_ssize_t start
    Py_ssize_t end
    Py_ssize_t text_start
    Py_ssize_t text_end

cdef struct Member:
    Py_ssize_t name
    Py_ssize_t name_end
    Py_ssize_t start
    Py_ssize_t end

cdef struct Scan:
    Bytes json
    Py_ssize_t size
    Py_ssize_t at
    unsigned char * text
    Py_ssize_t text_at
    unsigned char * spare
    Member * members
    Py_ssize_t members_at
    Py_ssize_t room
    bint in_order
    bint hard


cdef extern from *:
    """
    static const unsigned char ENDS_TEXT[256] = {[0 ... 31] = 1, ['"'] = 1, ['\\\\'] = 1};
    static const unsigned char ENDS_SKIP[256] = {
        [0] = 1, ['"'] = 1, ['{'] = 1, ['}'] = 1, ['['] = 1, [']'] = 1
    };
    """
    const unsigned char ENDS_TEXT[256]
    const unsigned char ENDS_SKIP[256]


cdef inline bint begin(Scan * scan, bytes value) except -1:
    """Make ready to read a text; false if it is no UTF-8."""
    cdef Py_ssize_t at, size = PyBytes_GET_SIZE(value)
    cdef Bytes json = <Bytes> PyBytes_AS_STRING(value)
    cdef unsigned char together = 0
    if scan.members == NULL:
        scan.members = <Member *> grown(NULL, MEMBERS_MAX * sizeof(Member))
    if size >= scan.room:
        # Canonical text is never longer than what it was made of.
        scan.text = <unsigned char *> grown(scan.text, 2 * size + 1)
        scan.spare = <unsigned char *> grown(scan.spare, 2 * size + 1)
        scan.room = 2 * size + 1
    for at in range(size):
        together |= json[at]
    if together & 0x80:
        try:
            PyUnicode_DecodeUTF8(<const char *> json, size, NULL)
        except UnicodeDecodeError:
            return False
    scan.json, scan.size, scan.at, scan.in_order = json, size, 0, True
    scan.text_at = scan.members_at = 0
    return True


cdef inline void end(Scan * scan) noexcept:
    """Give back what it took."""
    free(scan.members)
    free(scan.text)
    free(scan.spare)


cdef inline void skip_space(Scan * scan) noexcept nogil:
    cdef Bytes json = scan.json
    cdef Py_ssize_t at = scan.at
    cdef uint64_t eight
    if json[at] > 32:
        return
    if json[at] == 10:
        # Stripe's JSON is indented: after a line's end there are many spaces.
        at += 1
        while at + 8 <= scan.size:
            memcpy(&eight, json + at, 8)
            if eight != <uint64_t> 0x2020202020202020ULL:
                break
            at += 8
    while json[at] == 32 or json[at] == 10 or json[at] == 13 or json[at] == 9:
        at += 1
    scan.at = at


cdef inline bint take(Scan * scan, unsigned char wanted) noexcept nogil:
    """Go past white space and this byte, if it is there."""
    skip_space(scan)
    if scan.json[scan.at] != wanted:
        return False
    scan.at += 1
    return True


cdef inline Py_ssize_t text_end(Scan * scan) noexcept nogil:
    """From behind an opening quote to behind the closing one; where the text ends, or -1."""
    cdef Bytes json = scan.json
    cdef Py_ssize_t at = scan.at
    while True:
        while not ENDS_TEXT[json[at]]:
            at += 1
        if json[at] == c'"':
            scan.at = at + 1
            return at
        if json[at] != c'\\' or json[at + 1] < 0x20:
            return -1
        scan.hard = True
        at += 2


cdef inline Tag number(Scan * scan) noexcept nogil:
    """Go past a number; absent if it is none. What is no short whole number is hard."""
    cdef Bytes json = scan.json
    cdef Py_ssize_t at = scan.at
    cdef Py_ssize_t first
    if json[at] == c'-':
        at += 1
    first = at
    while c'0' <= json[at] <= c'9':
        at += 1
    if at == first:
        return ABSENT
    if json[first] == c'0' and (at - first > 1 or first != scan.at) or at - first > DIGITS_MAX:
        scan.hard = True
    if json[at] != c'.' and json[at] | 32 != c'e':
        scan.at = at
        return INTEGER
    scan.hard = True
    while c'0' <= json[at] <= c'9' or json[at] in (c'.', c'e', c'E', c'+', c'-'):
        at += 1
    scan.at = at
    return NUMBER


cdef inline bint word(Scan * scan, const char * wanted, Py_ssize_t length) noexcept nogil:
    """Go past a word, if it is there."""
    cdef Py_ssize_t at
    for at in range(length):
        # Byte by byte, so that nothing behind the end is looked at.
        if scan.json[scan.at + at] != <unsigned char> wanted[at]:
            return False
    scan.at += length
    return True


cdef inline void put(Scan * scan, unsigned char one) noexcept nogil:
    scan.text[scan.text_at] = one
    scan.text_at += 1


cdef inline void copy(Scan * scan, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    memcpy(scan.text + scan.text_at, scan.json + start, end - start)
    scan.text_at += end - start


cdef inline Tag canonical(Scan * scan, int depth) noexcept nogil:
    """Write one value with sorted names and no spaces; absent if it is no JSON.

    If it sets `hard`, what was written is not to be used, and the bytes are yet to be judged.
    """
    cdef Py_ssize_t start
    cdef unsigned char first
    cdef Tag tag
    skip_space(scan)
    start = scan.at
    first = scan.json[start]
    if first == c'{':
        return object_(scan, depth)
    if first == c'[':
        return array(scan, depth)
    tag = scalar(scan)
    if tag != ABSENT:
        copy(scan, start, scan.at)
    return tag


cdef inline Tag scalar(Scan * scan) noexcept nogil:
    cdef unsigned char first = scan.json[scan.at]
    if first == c'"':
        scan.at += 1
        return ABSENT if text_end(scan) < 0 else TEXT
    if first == c'n':
        return NULL_ if word(scan, "null", 4) else ABSENT
    if first == c't':
        return TRUE_ if word(scan, "true", 4) else ABSENT
    if first == c'f':
        return FALSE_ if word(scan, "false", 5) else ABSENT
    return number(scan)


cdef inline Tag array(Scan * scan, int depth) noexcept nogil:
    if depth >= DEPTH_MAX:
        return ABSENT
    scan.at += 1
    put(scan, c'[')
    if take(scan, c']'):
        put(scan, c']')
        return NESTED
    while True:
        if canonical(scan, depth + 1) == ABSENT:
            return ABSENT
        if take(scan, c','):
            put(scan, c',')
        elif take(scan, c']'):
            put(scan, c']')
            return NESTED
        else:
            return ABSENT


cdef inline Tag object_(Scan * scan, int depth) noexcept nogil:
    cdef Py_ssize_t first = scan.members_at
    cdef Member * member
    cdef bint sorted_ = True
    if depth >= DEPTH_MAX:
        return ABSENT
    scan.at += 1
    put(scan, c'{')
    if take(scan, c'}'):
        put(scan, c'}')
        return NESTED
    while True:
        if scan.members_at >= MEMBERS_MAX or not take(scan, c'"'):
            return ABSENT
        member = scan.members + scan.members_at
        member.name = scan.at
        member.name_end = text_end(scan)
        if member.name_end < 0:
            return ABSENT
        if scan.members_at > first and sorted_:
            sorted_ = before(scan.json, member - 1, member)
        member.start = scan.text_at
        copy(scan, member.name - 1, member.name_end + 1)
        put(scan, c':')
        scan.members_at += 1
        if not take(scan, c':') or canonical(scan, depth + 1) == ABSENT:
            return ABSENT
        # An object within moved no member: it gave back the places that it took.
        member.end = scan.text_at
        if take(scan, c','):
            put(scan, c',')
        elif take(scan, c'}'):
            break
        else:
            return ABSENT
    if not sorted_ and scan.in_order:
        sort(scan, first)
    put(scan, c'}')
    scan.members_at = first
    return NESTED


cdef inline bint before(Bytes json, Member * one, Member * other) noexcept nogil:
    cdef Py_ssize_t length = one.name_end - one.name
    cdef Py_ssize_t other_length = other.name_end - other.name
    cdef int order = memcmp(
        json + one.name, json + other.name, length if length < other_length else other_length
    )
    return order < 0 or order == 0 and length < other_length


cdef inline void sort(Scan * scan, Py_ssize_t first) noexcept nogil:
    """Write the members of an object again, by name; one name twice is hard."""
    cdef Py_ssize_t start = scan.members[first].start
    cdef Py_ssize_t at, to, length
    cdef Member member
    for at in range(first + 1, scan.members_at):
        member = scan.members[at]
        to = at
        while to > first and before(scan.json, &member, scan.members + to - 1):
            scan.members[to] = scan.members[to - 1]
            to -= 1
        if to > first and not before(scan.json, scan.members + to - 1, &member):
            scan.hard = True
        scan.members[to] = member
    memcpy(scan.spare, scan.text + start, scan.text_at - start)
    scan.text_at = start
    for at in range(first, scan.members_at):
        member = scan.members[at]
        if at > first:
            put(scan, c',')
        length = member.end - member.start
        memcpy(scan.text + scan.text_at, scan.spare + member.start - start, length)
        scan.text_at += length


cdef inline bint is_open(unsigned char one) noexcept nogil:
    return one == c'{' or one == c'['


cdef inline Tag skip(Scan * scan) noexcept nogil:
    """Go past a value that is judged by others; absent if it does not end."""
    cdef Bytes json = scan.json
    cdef int depth = 0
    if not is_open(json[scan.at]):
        return scalar(scan)
    while True:
        while not ENDS_SKIP[json[scan.at]]:
            scan.at += 1
        if json[scan.at] == 0:
            return ABSENT
        if json[scan.at] == c'"':
            scan.at += 1
            if text_end(scan) < 0:
                return ABSENT
            continue
        depth += 1 if json[scan.at] | 32 == c'{' else -1
        scan.at += 1
        if depth == 0:
            return NESTED


cdef inline bint read_name(Scan * scan, Value * name) noexcept nogil:
    """Read a name and the colon behind it; false if it is not plain."""
    if not take(scan, c'"'):
        return False
    scan.hard = False
    name.start = scan.at
    name.end = text_end(scan)
    return name.end >= 0 and not scan.hard and take(scan, c':')


cdef inline bint is_named(
    Scan * scan, Value * name, const void * wanted, Py_ssize_t length
) noexcept nogil:
    return (
        name.end - name.start == length and not memcmp(scan.json + name.start, wanted, length)
    )


cdef inline bint take_name(Scan * scan, Bytes wanted, Py_ssize_t length) noexcept nogil:
    """Go past a name and the colon behind it, if it is this one."""
    cdef Py_ssize_t at
    skip_space(scan)
    at = scan.at + 1
    if at + length >= scan.size or scan.json[at - 1] != c'"' or scan.json[at + length] != c'"':
        return False
    if memcmp(scan.json + at, wanted, length):
        return False
    scan.at = at + length + 1
    return take(scan, c':')


cdef inline bint read_canonical(Scan * scan, Value * value) noexcept nogil:
    """Read a value and write its canonical text; false if it is no JSON."""
    skip_space(scan)
    scan.hard = False
    value.start, value.text_start = scan.at, scan.text_at
    value.tag = canonical(scan, 0)
    value.end, value.text_end, value.hard = scan.at, scan.text_at, scan.hard
    return value.tag != ABSENT


cdef inline int64_t whole(Scan * scan, Value * value) noexcept nogil:
    """The number that a short whole number stands for."""
    cdef Py_ssize_t at = value.start
    cdef int64_t found = 0
    if scan.json[at] == c'-':
        at += 1
    while at < value.end:
        found = 10 * found + scan.json[at] - c'0'
        at += 1
    return -found if scan.json[value.start] == c'-' else found


cdef inline object text_in(Scan * scan, Value * value):
    """A plain text; none for everything else."""
    if value.tag != TEXT:
        return None
    return PyUnicode_DecodeUTF8(
        <const char *> scan.json + value.start + 1, value.end - value.start - 2, NULL
    )


cdef inline bytes raw_of(Scan * scan, Value * value):
    """A value's bytes; none at all where it is absent."""
    if value.tag == ABSENT:
        return b""
    return PyBytes_FromStringAndSize(
        <const char *> scan.json + value.start, value.end - value.start
    )
