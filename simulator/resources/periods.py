"""Billing periods: a number of days, weeks, months or years from an anchor, in UTC."""

import calendar
from datetime import UTC, datetime

DAY_SECONDS = 24 * 3_600
PERIODS_MAX = 100_000


def later(anchor: int, *, interval: str, count: int) -> int:
    """The unix time `count` intervals after `anchor`; a 31st may become a 30th."""
    if interval in {"day", "week"}:
        return anchor + count * DAY_SECONDS * (7 if interval == "week" else 1)
    start = datetime.fromtimestamp(anchor, tz=UTC)
    months = start.month - 1 + count * (12 if interval == "year" else 1)
    year, month = start.year + months // 12, months % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return int(start.replace(year=year, month=month, day=day).timestamp())


def period_end(anchor: int, *, start: int, interval: str, count: int) -> int:
    """The first end of a period after `start`, counted from `anchor`."""
    for step in range(1, PERIODS_MAX):
        end = later(anchor, interval=interval, count=step * count)
        if end > start:
            return end
    msg = f"no period of {count} {interval} after {start} in {PERIODS_MAX} steps"
    raise AssertionError(msg)
