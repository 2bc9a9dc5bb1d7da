"""Record keys taken apart: whose object it is, and which."""

import re
from typing import Final


def account_of(key: str) -> str:
    """The connected account of a record key; "" for the merchant's own objects."""
    found = _ACCOUNT.match(key)
    return found[1] if found else ""


def object_id_of(key: str) -> str:
    """The object's own id, or its natural key, in a record key."""
    found = _ACCOUNT.match(key)
    return key[found.end() :] if found else key


_ACCOUNT: Final = re.compile(r"(acct_[A-Za-z0-9]+)/")
