"""Slows guessing down without ever locking anyone out for good.

Failures are counted per account and address together, per address and per
account. Each has some free tries, then a wait that doubles with every further
failure up to a ceiling and is forgotten a day after the last one.

Whoever guesses from many addresses could still take every try that an account
has left. So an address from which the account was once signed in is *known*
to it: there only the count of the two together applies.
"""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network

from archnest.errors import TooManyAttempts, WrongCredentials
from archnest.store import login_failures as store
from archnest.store.database import Database

FORGOTTEN_AFTER_S = 86_400.0
MAX_SUBJECTS = 10_000
"""Counts kept; whoever invents names pushes out the oldest, not the disk's end."""
KNOWN_FOR_S = 30 * 86_400.0
MAX_KNOWN = 1_000


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


def subjects(username: str | None, address: IPv4Address | IPv6Address | None) -> list[str]:
    """What a try is counted under; an IPv6 customer owns a whole /64.

    A try without a name is counted for its address alone.
    """
    place = str(address) if address is not None else "unknown"
    if address is not None and address.version == 6:
        place = str(ip_network((address, 64), strict=False))
    if username is None:
        return [f"address:{place}"]
    name = _name(username)
    return [f"pair:{name}@{place}", f"address:{place}", f"user:{name}"]


class Throttle:
    """Counts of failed sign-ins, in memory and in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[str, tuple[int, float]] = {}
        self._known: dict[str, float] = {}
        self._in_flight: Counter[str] = Counter()

    async def load(self, now: float) -> None:
        """Take up what was counted before the restart."""
        forgotten = []
        for subject, (failures, last_at) in (await store.all_failures(self._database)).items():
            is_known = subject.startswith("known:")
            if now - last_at >= (KNOWN_FOR_S if is_known else FORGOTTEN_AFTER_S):
                forgotten.append(subject)
            elif is_known:
                self._known[subject] = last_at
            else:
                self._counts[subject] = (failures, last_at)
        if forgotten:
            await store.save_failures(self._database, {}, forgotten)

    @contextlib.asynccontextmanager
    async def attempt(self, tried: Sequence[str], now: float) -> AsyncIterator[None]:
        """Make one try under these subjects; WrongCredentials inside is a failure.

        Raises TooManyAttempts while any of the subjects has to wait. Tries
        under way count as failures, or many at once would all be free.
        """
        self._check(tried, now)
        self._in_flight.update(tried)
        try:
            yield
        except WrongCredentials:
            await self._fail(tried, now)
            raise
        finally:
            self._in_flight.subtract(tried)
            self._in_flight = +self._in_flight
        await self._succeed(tried, now)

    async def forgive(self, username: str) -> None:
        """Forget an account's failures: they were guesses at a password it had."""
        own = [subject for subject in self._counts if _name_in(subject) == _name(username)]
        for subject in own:
            del self._counts[subject]
        if own:
            await store.save_failures(self._database, {}, own)

    def _check(self, tried: Sequence[str], now: float) -> None:
        known_at = self._known.get(_known(tried[0]), now - KNOWN_FOR_S)
        applying = tried[:1] if now - known_at < KNOWN_FOR_S else tried
        wait_s = max(self._left_s(subject, now) for subject in applying)
        if wait_s > 0:
            raise TooManyAttempts(
                "too many failed attempts: wait and try again", retry_after_s=int(wait_s) + 1
            )

    async def _fail(self, tried: Sequence[str], now: float) -> None:
        """Count one failure for each subject."""
        raised = {}
        for subject in tried:
            failures = self._count(subject, now)[0] + 1
            self._counts.pop(subject, None)
            self._counts[subject] = raised[subject] = (failures, now)
        forgotten = _shrink(self._counts, MAX_SUBJECTS)
        await store.save_failures(self._database, raised, forgotten)

    async def _succeed(self, tried: Sequence[str], now: float) -> None:
        """Forget the failures of who signed in; the address keeps its own.

        Else an attacker with one account could reset it between guesses.
        """
        own = [subject for subject in tried if not subject.startswith("address:")]
        forgotten = [one for one in own if self._counts.pop(one, None) is not None]
        added = {}
        known = _known(tried[0])
        if own and now - self._known.get(known, 0.0) >= FORGOTTEN_AFTER_S:
            self._known.pop(known, None)
            self._known[known] = now
            added[known] = (0, now)
            forgotten += _shrink(self._known, MAX_KNOWN)
        if added or forgotten:
            await store.save_failures(self._database, added, forgotten)

    def _count(self, subject: str, now: float) -> tuple[int, float]:
        """Failures that are not forgotten, and when the last one was."""
        failures, last_at = self._counts.get(subject, (0, now))
        if now - last_at >= FORGOTTEN_AFTER_S:
            return 0, now
        if last_at > now:
            # The clock was set back: a short wait must not become a long one.
            self._counts[subject] = (failures, now)
        return failures, min(last_at, now)

    def _left_s(self, subject: str, now: float) -> float:
        failures, last_at = self._count(subject, now)
        under_way = self._in_flight[subject]
        if under_way:
            failures, last_at = failures + under_way, now
        return LIMITS[subject.partition(":")[0]].wait_s(failures) - (now - last_at)


def _name(username: str) -> str:
    return username.lower()[:64]


def _name_in(subject: str) -> str | None:
    """The name a subject counts; names may hold an @, addresses do not."""
    kind, _, rest = subject.partition(":")
    return {"pair": rest.rpartition("@")[0], "user": rest}.get(kind)


def _known(pair: str) -> str:
    return "known:" + pair.partition(":")[2]


def _shrink(kept: dict[str, tuple[int, float]] | dict[str, float], size: int) -> list[str]:
    """Drop the oldest beyond the size; what was dropped."""
    dropped = list(kept)[: max(0, len(kept) - size)]
    for subject in dropped:
        del kept[subject]
    return dropped
