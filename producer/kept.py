"""What was made of bytes lately, found again by the bytes it was made of."""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """Values within a number of bytes, twice over at worst.

    The older half is let go whole: what is in use has moved into the younger one by then.

    Args:
        bytes_max: of one half, as those who keep values count them.
    """

    def __init__(self, *, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._young: dict[Key, tuple[Value, int]] = {}
        self._old: dict[Key, tuple[Value, int]] = {}

    def get(self, key: Key) -> Value | None:
        """The value; none if it is not known any more."""
        found = self._young.get(key)
        if found is None:
            found = self._old.pop(key, None)
            if found is None:
                return None
            self.keep(key, *found)
        return found[0]

    def keep(self, key: Key, value: Value, size: int) -> None:
        """Remember a value.

        Args:
            size: the bytes of key and value.
        """
        self.keep_all({key: (value, size)}, size)

    def keep_all(self, values: Mapping[Key, tuple[Value, int]], size: int) -> None:
        """Remember values, each beside its size.

        Args:
            size: of all of them.
        """
        if self._bytes + size > self._bytes_max:
            self._old, self._young, self._bytes = self._young, {}, 0
        self._young.update(values)
        self._bytes += size

    def clear(self) -> None:
        """Forget all."""
        self._young, self._old, self._bytes = {}, {}, 0
