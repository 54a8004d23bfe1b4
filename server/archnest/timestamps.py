"""Unix seconds to and from RFC 3339 in UTC, to the millisecond."""

import re
from datetime import UTC, datetime
from functools import lru_cache


# A report's time is written to its row, its receipt and every poll.
@lru_cache(maxsize=4096)
def rfc3339(at: float) -> str:
    """Unix seconds as `2026-06-20T19:30:00.000Z`; sorts as text."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def unix_seconds(text: str) -> float:
    """The moment that `rfc3339` or SQLite's datetime('now') wrote.

    Raises ValueError for anything else.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def unix_nanoseconds(text: str) -> int:
    """A moment as Docker writes it, with up to nine digits after the second.

    Raises ValueError for anything else.
    """
    fraction = re.search(r"(?<=:\d\d)\.(\d{1,9})(?=Z|[+-]|$)", text)
    if fraction is None:
        return round(unix_seconds(text) * 1e6) * 1000
    whole = unix_seconds(text[: fraction.start()] + text[fraction.end() :])
    return round(whole) * 10**9 + int(fraction[1].ljust(9, "0"))
