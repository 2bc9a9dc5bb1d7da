"""Ids that look like Stripe's: a prefix and random letters, the same ones for the same seed.

**Invariant:** ids do not sort by time. Code that orders by id must fail here, as it would there.
"""

import random
import string

ALPHABET = string.ascii_letters + string.digits
CODE_ALPHABET = string.ascii_uppercase + string.digits
SHORT = 14
LONG = 24


class Identifiers:
    """A seeded source of ids, keys and secrets."""

    def __init__(self, *, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - ids of a simulation guard nothing

    def make(self, prefix: str, *, length: int = LONG) -> str:
        """A new id: `prefix` (with its underscore) and `length` random characters."""
        return prefix + "".join(self._random.choices(ALPHABET, k=length))

    def code(self, *, length: int = 8) -> str:
        """A new code that people type, such as a coupon's id."""
        return "".join(self._random.choices(CODE_ALPHABET, k=length))
