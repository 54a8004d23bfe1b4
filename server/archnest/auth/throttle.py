"""Slows guessing down without ever locking anyone out for good.

Failures are counted per account and address together, per address and per
account. Each has some free tries, then a wait that doubles with every further
failure up to a ceiling; the account's own ceiling is short, so that whoever
hammers a name from elsewhere cannot keep its owner out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network

from archnest.errors import TooManyAttempts
from archnest.store import login_failures as store
from archnest.store.database import Database

FORGOTTEN_AFTER_S = 86_400.0
MAX_SUBJECTS = 10_000


@dataclass(frozen=True)
class Limit:
    """How many failures are free and how long the longest wait is."""

    free: int
    longest_s: float

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after the last of so many failures."""
        over = failures - self.free
        return min(2.0 ** min(over, 20), self.longest_s) if over >= 0 else 0.0


LIMITS = {
    "pair": Limit(free=5, longest_s=900),
    "address": Limit(free=20, longest_s=900),
    "user": Limit(free=10, longest_s=30),
}


def subjects(username: str, address: IPv4Address | IPv6Address | None) -> list[str]:
    """What a try is counted under; an IPv6 customer owns a whole /64."""
    name = username.lower()[:64]
    if address is None:
        return [f"user:{name}"]
    place = str(address)
    if address.version == 6:
        place = str(ip_network((address, 64), strict=False))
    return [f"pair:{name}@{place}", f"address:{place}", f"user:{name}"]


class Throttle:
    """Counts of failed sign-ins, in memory and in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[str, tuple[int, float]] = {}

    async def load(self) -> None:
        """Take up the counts from before the restart."""
        self._counts = await store.all_failures(self._database)

    def check(self, tried: Iterable[str], now: float) -> None:
        """Raise TooManyAttempts while any of the subjects has to wait."""
        wait_s = max((self._left_s(subject, now) for subject in tried), default=0.0)
        if wait_s > 0:
            raise TooManyAttempts(
                "too many failed attempts: wait and try again", retry_after_s=int(wait_s) + 1
            )

    async def fail(self, tried: Iterable[str], now: float) -> None:
        """Count one failure for each subject."""
        raised = {}
        for subject in tried:
            failures = self._failures(subject, now) + 1
            self._counts.pop(subject, None)
            self._counts[subject] = raised[subject] = (failures, now)
        forgotten = []
        while len(self._counts) > MAX_SUBJECTS:
            oldest = next(iter(self._counts))
            del self._counts[oldest]
            forgotten.append(oldest)
        await store.save_failures(self._database, raised, forgotten)

    async def succeed(self, tried: Iterable[str]) -> None:
        """Forget the failures of who signed in; the address keeps its own.

        Else an attacker with one account could reset it between guesses.
        """
        cleared = [
            subject
            for subject in tried
            if not subject.startswith("address:") and self._counts.pop(subject, None) is not None
        ]
        if cleared:
            await store.save_failures(self._database, {}, cleared)

    def _failures(self, subject: str, now: float) -> int:
        failures, last_at = self._counts.get(subject, (0, now))
        return failures if now - last_at < FORGOTTEN_AFTER_S else 0

    def _left_s(self, subject: str, now: float) -> float:
        failures, last_at = self._counts.get(subject, (0, now))
        wait_s = LIMITS[subject.partition(":")[0]].wait_s(failures)
        # A clock set back must not turn a short wait into a long one.
        return wait_s - max(0.0, now - last_at)
