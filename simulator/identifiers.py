"""Ids that look like Stripe's: a prefix and random letters, the same ones for the same seed.

**Invariant:** ids do not sort by time. Code that orders by id must fail here, as it would there.
"""

import random
import string

ALPHABET = string.ascii_letters + string.digits
CODE_ALPHABET = string.ascii_uppercase + string.digits
LONG = 24


class Identifiers:
    """A seeded source of ids, keys and secrets.

    Each prefix has a sequence of its own: reading (which makes request ids) or another type's
    objects do not move the ids of the next customer.
    """

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._sequences: dict[str, random.Random] = {}

    def make(self, prefix: str, *, length: int = LONG) -> str:
        """A new id: `prefix` (with its underscore) and `length` random characters."""
        return prefix + "".join(self._sequence(prefix).choices(ALPHABET, k=length))

    def code(self, *, length: int = 8) -> str:
        """A new code that people type, such as a coupon's id."""
        return "".join(self._sequence("code").choices(CODE_ALPHABET, k=length))

    def number(self, name: str, *, at_most: int) -> int:
        """A number from 1 on, from the sequence of the field `name`."""
        return self._sequence(f"number of {name}").randint(1, at_most)

    def _sequence(self, name: str) -> random.Random:
        found = self._sequences.get(name)
        if found is None:
            # The ids of a simulation guard nothing: they need no secure randomness.
            found = random.Random(f"{self._seed}:{name}")  # noqa: S311
            self._sequences[name] = found
        return found
