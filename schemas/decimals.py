"""What a decimal is in a record: digits as text, which SQL takes as an exact number."""

import re
from typing import Final

DIGITS: Final = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
"""A regular expression for the whole text; `NaN` and `Infinity` are no amounts."""
CHARACTERS_MAX: Final = 1_000
"""Postgres takes no number of more than 131,072 digits, a large exponent's zeros included."""

_WHOLE: Final = re.compile(DIGITS)


def is_decimal(text: str) -> bool:
    """Whether a text is a decimal."""
    return len(text) <= CHARACTERS_MAX and _WHOLE.fullmatch(text) is not None
