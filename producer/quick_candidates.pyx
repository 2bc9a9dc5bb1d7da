# cython: language_level=3, boundscheck=False, wraparound=False
"""Events that may be published, as compiled code reads them; compiled.

Nearly all events simply follow what was published last of their object: they are told apart here,
published and remembered, and no object of Python's is made for them on the way but the bytes that
Kafka is given. Whatever needs more thought is decided upon as any other candidate is.
"""

cimport cython
from libc.stdint cimport int64_t

from producer.observation import Observation
from producer.order import Entry
from schemas.inbox import Kind
from schemas.meta import Operation

cdef object EVENT = Kind.EVENT
cdef object DELETED = Operation.DELETED


@cython.final
@cython.no_gc
cdef class QuickCandidate:
    """An event with its object's half of the record: a `Candidate`, and once decided a `Change`.

    Attributes:
        (those of both, and of their observation)
        stub: whether the body shows no more than that the object is gone.
    """

    @property
    def observation(self):
        """What was observed; made only when somebody asks."""
        if self._observation is None:
            self._observation = Observation(
                kind=EVENT,
                source=self.envelope.source,
                evidence=None,
                object_name=self.object_name,
                key=self.key,
                account_id=self.account_id,
                second=self.second,
                operation=self.operation,
                event_id=self.event_id,
                event_type=self.event_type,
                api_version=self.api_version,
                previous=self.previous,
                value=self.record.value,
                received_at=self.received_at,
                partition=self.partition,
                offset=self.offset,
                finer=self.envelope.finer,
            )
        return self._observation

    @property
    def is_whole(self):
        """Whether its half is made."""
        return self.half is not None

    @property
    def size(self):
        """Bytes of what it holds."""
        return len(<bytes> self.record.value) + len(self.half)

    @property
    def entry(self):
        """What is remembered of an event that follows."""
        return self.placed(-1)

    def placed(self, int64_t record_offset):
        """The same, once its record stands somewhere."""
        return Entry(
            event_at=self.second * MICROS_PER_SECOND,
            operation=self.operation,
            body_hash=self.body_hash,
            event_ids=(self.event_id,),
            inbox=self.place(),
            record_offset=record_offset,
        )

    cdef str place(self):
        return f"{self.partition}:{self.offset}"

    cdef bint follows(self, entry, dict in_step) except -1:
        """Whether it is published whatever it says, and nothing follows for other objects."""
        if self.operation is DELETED:
            return False
        if entry is not None:
            if entry.operation is DELETED:
                return False
            if self.second <= <int64_t> entry.event_at // MICROS_PER_SECOND:
                return False
        if self.lists or self.owns:
            return self.all_owned and in_step.get(self.name) == self.digest
        return True


def followers(candidates, dict entries, busy, dict in_step):
    """Those of a batch that simply follow what was published of their object, and the others.

    Args:
        candidates: in the order of the inbox.
        entries: what was published last, by name.
        busy: names of objects of which there is more to decide in this batch.
        in_step: for parents, the digest of the lists that show exactly the children that live.
    """
    cdef QuickCandidate quick
    cdef set once = set(), again = set(busy)
    for one in candidates:
        name = one.name
        if name in once:
            again.add(name)
        else:
            once.add(name)
    found, others = [], []
    for one in candidates:
        if type(one) is QuickCandidate:
            quick = <QuickCandidate> one
            if quick.name not in again and quick.follows(entries.get(quick.name), in_step):
                found.append(quick)
                continue
        others.append(one)
    return found, others
