"""What readers of events take over from the reader of bodies."""

from producer.avro_bytes cimport Room
from producer.cells cimport Field, Kind
from producer.json_scan cimport Bytes, Scan, Value

cdef class BodyReader:
    cdef list _names
    cdef Bytes _object_name
    cdef Py_ssize_t _object_name_length
    cdef Field * _fields
    cdef Py_ssize_t * _next
    cdef Value * _values
    cdef Py_ssize_t * _columns
    cdef Kind * _kinds
    cdef Py_ssize_t * _moved
    cdef Py_ssize_t _object_at
    cdef Py_ssize_t _field_count
    cdef Py_ssize_t _known_count
    cdef Py_ssize_t _column_count
    cdef Py_ssize_t _moved_count
    cdef object _judge
    cdef bytes _value
    cdef tuple _known
    cdef Scan _scan
    cdef Room _half
    cdef Py_ssize_t _body_start
    cdef Py_ssize_t _body_end

    cpdef bytes half(self, tuple moved_cells)
    cdef bint _begin(self, bytes value, tuple known) except -1
    cdef bint _are_known(self) noexcept
    cdef bint _object(self) except -1
    cdef void _pass(self, Field * field, Value * value) noexcept
    cdef bint _is_of_type(self) noexcept
    cdef Py_ssize_t _place(self, Py_ssize_t before) noexcept
    cdef bint _judged(self, Value * value) except -1
    cdef bint _is_json(self, Value * value) except -1
    cdef bint _cell(self, Field * field, Value * value) except -1
    cdef bint _json(self, Value * value) except -1
    cdef bint _string(self, Value * value) except -1
    cdef bint _rare(self, Field * field, Value * value) except -1
    cdef bint _put(self, bytes text) except -1
    cdef bint _extra(self) except -1
