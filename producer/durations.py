"""Durations as people write them: `90s`, `15m`, `24h`, `7d`."""

import re
from typing import Final

from runtime.errors import WrongSetting


def seconds_of(text: str, *, option: str) -> float:
    """The seconds of a duration.

    Args:
        text: a whole number and a unit.
        option: whose value it is, for the message.

    Raises:
        WrongSetting: it is no duration, or an empty one.
    """
    found = _DURATION.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise WrongSetting(
            f"{option} {text}: not a duration. Give a number and s, m, h or d, for example "
            f"{option} 24h."
        )
    return float(int(found[1]) * _SECONDS[found[2]])


_DURATION: Final = re.compile(r"(\d{1,6})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
