# cython: language_level=3, boundscheck=False, wraparound=False
"""The objects in events, read to their half of a record in one pass over the bytes; compiled.

What is plain is done here, and only that. A value that needs a second look is given back to
Python, and an object in which anything is odd is given back whole. `tests/relay/two_ways.py` holds
this way and the long one together.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.tuple cimport PyTuple_GET_ITEM
from libc.stdlib cimport free
from libc.string cimport memcmp

from producer.avro_bytes cimport (
    grown,
    put_all,
    put_byte,
    put_double,
    put_long,
    put_null,
    put_text,
    put_text_of,
)
from producer.cells cimport (
    BOOLEAN,
    DECIMAL,
    FLOAT,
    JSON,
    REFERENCE,
    STRING,
    WHOLE,
    Field,
    Kind,
    behind_cell,
    fits,
)
from producer.json_scan cimport (
    ABSENT,
    NESTED,
    NULL_,
    TEXT,
    TRUE_,
    Bytes,
    Scan,
    Value,
    begin,
    end,
    is_named,
    is_open,
    raw_of,
    read_canonical,
    read_name,
    skip,
    skip_space,
    take,
    take_name,
    text_in,
    whole,
)

KINDS = ("string", "decimal", "boolean", "integer", "timestamp", "float", "reference", "json")
"""In the order of `Kind`."""

cdef enum:
    EXTRA = -1
    NOTHING = -2
    MOVED = -3

FROM_EXTRA, FROM_NOTHING, FROM_MOVED = EXTRA, NOTHING, MOVED


cdef class BodyReader:
    """Reads objects of one type; not for several threads at once.

    Args:
        object_name: Stripe's name of the type.
        fields: name and kind of each of the type's fields; the first is `id`.
        moved: places of the fields that columns which have several places are made of.
        columns: for each column the place of the field that alone it is made of, or one of
            `FROM_EXTRA`, `FROM_NOTHING` and `FROM_MOVED`; and its kind.
        learnt: names of further fields, which go into `extra`; sorted.
        judge: of values that need a second look.
    """

    def __cinit__(self, str object_name, fields, moved, columns, learnt, judge, *_):
        cdef Py_ssize_t at
        self._names = [name.encode() for name, _ in fields] + [name.encode() for name in learnt]
        named = object_name.encode()
        self._names.append(named)
        self._object_name = <Bytes> PyBytes_AS_STRING(named)
        self._object_name_length = len(named)
        self._object_at = [name for name, _ in fields].index("object")
        self._known_count, self._column_count = len(fields), len(columns)
        self._field_count, self._moved_count = len(fields) + len(learnt), len(moved)
        self._judge = judge
        self._fields = <Field *> grown(NULL, self._field_count * sizeof(Field))
        self._next = <Py_ssize_t *> grown(NULL, (self._field_count + 1) * sizeof(Py_ssize_t))
        self._values = <Value *> grown(NULL, self._field_count * sizeof(Value))
        self._columns = <Py_ssize_t *> grown(NULL, self._column_count * sizeof(Py_ssize_t))
        self._kinds = <Kind *> grown(NULL, self._column_count * sizeof(Kind))
        self._moved = <Py_ssize_t *> grown(NULL, self._moved_count * sizeof(Py_ssize_t))
        for at in range(self._field_count + 1):
            self._next[at] = at if at < self._field_count else 0
        for at in range(self._field_count):
            self._fields[at].name = <Bytes> PyBytes_AS_STRING(self._names[at])
            self._fields[at].length = len(self._names[at])
            self._fields[at].kind = KINDS.index(fields[at][1]) if at < self._known_count else JSON
            self._fields[at].wants_text = self._fields[at].kind == JSON
            self._fields[at].moved = -1
        for at in range(self._moved_count):
            self._moved[at] = moved[at]
            # Known bytes were judged when they became known.
            self._fields[moved[at]].wants_text = False
            self._fields[moved[at]].moved = at
        for at in range(self._column_count):
            self._columns[at] = columns[at][0]
            self._kinds[at] = KINDS.index(columns[at][1])

    def __dealloc__(self):
        free(self._fields)
        free(self._next)
        free(self._values)
        free(self._columns)
        free(self._kinds)
        free(self._moved)
        end(&self._scan)
        free(self._half.start)

    def moved(self):
        """The bytes of each moved field of the object that was read last; they are not judged."""
        cdef Py_ssize_t at
        places = [self._moved[at] for at in range(self._moved_count)]
        return tuple([raw_of(&self._scan, &self._values[at]) for at in places])

    def body(self):
        """The bytes of the object that was read last."""
        return PyBytes_FromStringAndSize(
            <const char *> self._scan.json + self._body_start, self._body_end - self._body_start
        )

    cdef bint _are_known(self) noexcept:
        cdef Py_ssize_t at, length
        cdef Value * value
        for at in range(self._moved_count):
            value = &self._values[self._moved[at]]
            if value.known:
                continue
            length = value.end - value.start if value.tag != ABSENT else 0
            known = <object> PyTuple_GET_ITEM(self._known, at)
            if PyBytes_GET_SIZE(known) != length:
                return False
            if length and memcmp(
                self._scan.json + value.start, PyBytes_AS_STRING(known), length
            ):
                return False
        return True

    cpdef bytes half(self, tuple moved_cells):
        """The half of the object that was read last; none if anything is odd.

        Args:
            moved_cells: Avro's bytes of each column that is made of moved fields, in order.
        """
        cdef Py_ssize_t at, of, given = 0
        self._half.used = 0
        for at in range(self._column_count):
            of = self._columns[at]
            if of >= 0:
                if not self._cell(&self._fields[of], &self._values[of]):
                    return None
            elif of == EXTRA:
                if not self._extra():
                    return None
            elif of == NOTHING:
                put_null(&self._half)
            else:
                put_all(&self._half, <bytes> moved_cells[given])
                given += 1
        return PyBytes_FromStringAndSize(<char *> self._half.start, self._half.used)

    cdef bint _begin(self, bytes value, tuple known) except -1:
        """Make ready to read an object within a text; false if it is no UTF-8.

        Args:
            known: what `moved` gave for the object before, if it was read before.
        """
        cdef Py_ssize_t at
        self._value, self._known = value, known
        if not begin(&self._scan, value):
            return False
        for at in range(self._field_count):
            self._values[at].tag, self._values[at].known = ABSENT, False
        return True

    cdef bint _object(self) except -1:
        """Read the object; false if a field is unknown, or is not of its kind."""
        cdef Scan * scan = &self._scan
        cdef Py_ssize_t at = -1
        cdef Value * value
        if not take(scan, c'{'):
            return False
        self._body_start = scan.at - 1
        while True:
            at = self._place(at)
            if at < 0:
                return False
            value = &self._values[at]
            if self._fields[at].wants_text:
                if not read_canonical(scan, value):
                    return False
            else:
                self._pass(&self._fields[at], value)
                if value.tag == ABSENT or not fits(self._fields[at].kind, value):
                    return False
            if not take(scan, c','):
                break
        if not take(scan, c'}'):
            return False
        self._body_end = scan.at
        return self._is_of_type()

    cdef void _pass(self, Field * field, Value * value) noexcept:
        """Go past a value of which no canonical text is needed."""
        cdef Scan * scan = &self._scan
        cdef Bytes known
        cdef Py_ssize_t length
        skip_space(scan)
        scan.hard = value.known = False
        value.start = scan.at
        if field.moved >= 0 and self._known is not None and is_open(scan.json[scan.at]):
            known = <Bytes> PyBytes_AS_STRING(<object> PyTuple_GET_ITEM(self._known, field.moved))
            length = PyBytes_GET_SIZE(<object> PyTuple_GET_ITEM(self._known, field.moved))
            if length and length <= scan.size - scan.at:
                if not memcmp(scan.json + scan.at, known, length):
                    # What opens with a bracket ends at its own, whatever comes then.
                    scan.at += length
                    value.tag, value.end, value.hard = NESTED, scan.at, False
                    value.known = True
                    return
        value.tag = skip(scan)
        value.end, value.hard = scan.at, scan.hard

    cdef bint _is_of_type(self) noexcept:
        """Whether the object says that it is of the type."""
        cdef Value * value = &self._values[self._object_at]
        cdef Py_ssize_t length = value.end - value.start - 2
        return (
            value.tag == TEXT
            and length == self._object_name_length
            and not memcmp(self._scan.json + value.start + 1, self._object_name, length)
        )

    cdef Py_ssize_t _place(self, Py_ssize_t before) noexcept:
        """Go past a name; the place of its field, -1 if there is none."""
        cdef Value name
        # Stripe's order is the same each time.
        cdef Py_ssize_t at = self._next[before + 1]
        if take_name(&self._scan, self._fields[at].name, self._fields[at].length):
            return at
        if not read_name(&self._scan, &name):
            return -1
        for at in range(self._field_count):
            if is_named(&self._scan, &name, self._fields[at].name, self._fields[at].length):
                self._next[before + 1] = at
                return at
        return -1

    cdef bint _judged(self, Value * value) except -1:
        """Read a value of which no more is needed than that it is JSON."""
        return read_canonical(&self._scan, value) and (not value.hard or self._is_json(value))

    cdef bint _is_json(self, Value * value) except -1:
        return self._judge.is_json(raw_of(&self._scan, value))

    cdef bint _cell(self, Field * field, Value * value) except -1:
        """Write one column; false if its value does not fit after all."""
        if value.tag == ABSENT or value.tag == NULL_:
            put_null(&self._half)
            return True
        if field.kind == JSON:
            return self._json(value)
        if field.kind == STRING or field.kind == REFERENCE:
            return self._string(value)
        if field.kind == DECIMAL or field.kind == FLOAT:
            return self._rare(field, value)
        put_byte(&self._half, 2)
        if field.kind == BOOLEAN:
            put_byte(&self._half, value.tag == TRUE_)
        elif field.kind == WHOLE:
            put_long(&self._half, whole(&self._scan, value))
        else:
            put_long(&self._half, whole(&self._scan, value) * 1_000_000)
        return True

    cdef bint _json(self, Value * value) except -1:
        if value.hard:
            return self._put(self._judge.text(raw_of(&self._scan, value)))
        put_text(
            &self._half, self._scan.text + value.text_start, value.text_end - value.text_start
        )
        return True

    cdef bint _string(self, Value * value) except -1:
        if value.hard:
            return self._put(self._judge.string(raw_of(&self._scan, value)))
        put_text(&self._half, self._scan.json + value.start + 1, value.end - value.start - 2)
        return True

    cdef bint _rare(self, Field * field, Value * value) except -1:
        """Write a column of a kind that is seldom met."""
        if field.kind == DECIMAL:
            return self._judge.is_decimal(text_in(&self._scan, value)) and self._string(value)
        found = self._judge.number(raw_of(&self._scan, value))
        if found is None:
            return False
        put_double(&self._half, found)
        return True

    cdef bint _put(self, bytes text) except -1:
        """Write a text that was made of a value; false if there is none."""
        if text is None:
            return False
        put_text_of(&self._half, text)
        return True

    cdef bint _extra(self) except -1:
        """Write the fields that the schema does not know; false if one cannot be written."""
        cdef Py_ssize_t at
        cdef Value * value
        texts = []
        for at in range(self._known_count, self._field_count):
            value = &self._values[at]
            if value.tag != ABSENT:
                text = <bytes> self._judge.text(raw_of(&self._scan, value)) if value.hard else (
                    PyBytes_FromStringAndSize(
                        <const char *> self._scan.text + value.text_start,
                        value.text_end - value.text_start,
                    )
                )
                if text is None:
                    return False
                texts.append(b'"%b":%b' % (self._names[at], text))
        if not texts:
            put_null(&self._half)
            return True
        return self._put(b"{%b}" % b",".join(texts))

    def moved_cells(self, bytes half not None):
        """Avro's bytes of each column of a half that is made of moved fields, in order."""
        cdef Bytes start = <Bytes> PyBytes_AS_STRING(half)
        cdef Py_ssize_t at = 0, first, column
        found = []
        for column in range(self._column_count):
            first = at
            at = behind_cell(start, at, self._kinds[column])
            if self._columns[column] == MOVED:
                found.append(half[first:at])
        assert at == len(half)
        return tuple(found)