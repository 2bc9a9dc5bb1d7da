"""What `deploy/compile.py` makes, if it was made: short ways, each beside a long one.

Both do the same, and tests hold them to it.
"""

try:
    from producer.quick_bodies import FROM_EXTRA, FROM_MOVED, FROM_NOTHING
    from producer.quick_candidates import QuickCandidate, followers
    from producer.quick_events import (
        SHARED_FIELDS_BYTES_MAX,
        EventReader,
        prefix_of,
        read_events,
    )
    from producer.quick_values import ValueWriter

    IS_COMPILED = True
except ImportError:
    IS_COMPILED = False

    class QuickCandidate:  # type: ignore[no-redef]
        """There are none."""


__all__ = [
    "FROM_EXTRA",
    "FROM_MOVED",
    "FROM_NOTHING",
    "IS_COMPILED",
    "SHARED_FIELDS_BYTES_MAX",
    "EventReader",
    "QuickCandidate",
    "ValueWriter",
    "followers",
    "prefix_of",
    "read_events",
]
