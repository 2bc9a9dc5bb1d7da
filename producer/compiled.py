"""What `deploy/compile.py` makes, if it was made: short ways, each beside a long one.

Both do the same, and tests hold them to it.
"""

try:
    from producer.quick_events import FROM_EXTRA, FROM_MOVED, FROM_NOTHING, EventReader
    from producer.quick_values import ValueWriter

    IS_COMPILED = True
except ImportError:
    IS_COMPILED = False

__all__ = [
    "FROM_EXTRA",
    "FROM_MOVED",
    "FROM_NOTHING",
    "IS_COMPILED",
    "EventReader",
    "ValueWriter",
]
