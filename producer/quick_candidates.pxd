"""What readers of events fill in, and what writers of records read, without Python between."""

from libc.stdint cimport int64_t

cdef enum:
    MICROS_PER_SECOND = 1_000_000

cdef class QuickCandidate:
    cdef readonly object record
    cdef readonly object envelope
    cdef readonly str name
    cdef readonly str table
    cdef readonly str object_name
    cdef readonly str key
    cdef readonly str account_id
    cdef readonly str event_id
    cdef readonly str event_type
    cdef readonly str api_version
    cdef readonly object operation
    cdef readonly bytes previous
    cdef readonly bytes half
    cdef readonly bytes body_hash
    cdef readonly tuple lists
    cdef readonly int64_t second
    cdef readonly int64_t received_at
    cdef readonly int64_t partition
    cdef readonly int64_t offset
    cdef public bint stub
    cdef bytes digest
    cdef bint previous_is_canonical
    cdef bint owns
    cdef bint all_owned
    cdef object _observation

    cdef bint follows(self, entry, dict in_step) except -1
    cdef str place(self)
