"""The SQLite database: one writing connection with one task, readers beside it.

A cancelled request cannot stop a statement that runs in aiosqlite's thread,
so transactions belong to the writer task alone and callers only await its
result. Every write that waits when the writer becomes free shares one
transaction, so that one fsync serves them all; each has a savepoint of its
own, so that one that fails costs only itself. A transaction is one trip to
the connection's thread: a trip costs more than storing a report does.
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from archnest.errors import Problem, StartRefused, StoreUnavailable

log = logging.getLogger(__name__)

R = TypeVar("R")
T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
"""Runs in the connection's thread, inside a transaction."""
Then = Callable[[T], object]
"""Takes over in memory what a write has changed, given what its work gave."""

DATABASE_NAME = "archnest.db"
BUSY_TIMEOUT_S = 5.0
CALL_TIMEOUT_S = 30.0
"""A dead connection thread never answers; longer than this is such a death."""
PAGE_BYTES = 16_384
"""Of a new database."""
CACHE_KIB = 16_384
"""Of pages in memory: the reports of some 300 hosts of 20 containers. To replace one, SQLite
looks at where it is; what is not here it reads from the log.
"""
MIN_LOG_BYTES = 4 * 2**20
MAX_LOG_BYTES = 128 * 2**20
"""The log is folded into the database's file when it is three times as long as that, but within
these. The longer it may grow, the more reports replace each other before they are written a
second time; but to make it longer costs more than to write it anew, and to fold it keeps the
reports waiting that come meanwhile. SQLite's own checkpoints come sooner and keep their failures
to themselves.
"""


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    size: int
    done: asyncio.Future[Any]


_Outcome = tuple[Any, Exception | None]


class _Writer(sqlite3.Connection):
    """Commits only into the file that its path still names.

    SQLite goes on writing into a file that was deleted; whatever it then
    promises is lost with the process.
    """

    def watch(self, path: Path) -> None:
        """Remember which file the path names."""
        self._path = path
        self._file = path.stat()

    def commit(self) -> None:
        """As SQLite's; raises OperationalError when the file is another or none."""
        try:
            found = self._path.stat()
        except OSError:
            found = None
        if found is None or not os.path.samestat(found, self._file):
            raise sqlite3.OperationalError(
                f"{self._path} was deleted or replaced while in use: put it back, or stop the"
                " server and put a backup in its place with `archnest restore FILE`"
            )
        self._file = found
        super().commit()

    @property
    def max_log_bytes(self) -> int:
        """How long the log may grow, by the size of the file at the last commit."""
        return min(max(3 * self._file.st_size, MIN_LOG_BYTES), MAX_LOG_BYTES)

    def transact(self, jobs: Sequence[_Job]) -> list[_Outcome]:
        """Run jobs in one transaction, each with its result or what it raised.

        Raises what SQLite does when all of them have failed.
        """
        try:
            self.execute("BEGIN IMMEDIATE")
            if len(jobs) == 1:
                outcomes = [self._run(jobs[0])]
                if outcomes[0][1] is not None:
                    self.rollback()
                    return outcomes
            else:
                outcomes = [self._run_apart(job) for job in jobs]
            self.commit()
        except (sqlite3.Error, ValueError):
            with contextlib.suppress(sqlite3.Error):
                self.rollback()
            raise
        return outcomes

    def _run(self, job: _Job) -> _Outcome:
        try:
            return job.work(self), None
        except Exception as error:
            if not self.in_transaction:
                raise  # SQLite undid the whole transaction, so all of the batch has failed
            return None, error

    def _run_apart(self, job: _Job) -> _Outcome:
        self.execute("SAVEPOINT job")
        outcome = self._run(job)
        if outcome[1] is not None:
            self.execute("ROLLBACK TO job")
        self.execute("RELEASE job")
        return outcome


class _Trouble:
    """One line of log when it begins and one when it is over.

    More would drown the rest: every agent runs into it every 30 s.
    """

    def __init__(self, begins: str, over: str) -> None:
        self._begins = begins
        self._over = over
        self._count = 0
        self._complaint = ""

    def tell(self, complaint: str) -> None:
        """Count a failure and log it, unless it is the same as the one before."""
        self._count += 1
        if complaint != self._complaint:
            self._complaint = complaint
            log.error(self._begins, complaint)

    def end(self) -> None:
        """Log that it is over, if there was any."""
        if self._complaint:
            log.warning(self._over, self._count)
            self._complaint, self._count = "", 0


class Database:
    """Reads and durable writes; open it with `Database.open`."""

    def __init__(self, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self._writer = writer
        self._reader = reader
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue(maxsize=10_000)
        self.commits = 0
        """Transactions committed since the start."""
        self._log_bytes = 0
        """About how many were written to the log since it was last folded."""
        self._writing = _Trouble(
            "the database refuses writes: %s",
            "the database takes writes again; %d were refused",
        )
        self._reading = _Trouble(
            "the database cannot be read: %s; if that lasts, stop the server and put a backup in"
            " its place with `archnest restore FILE`",
            "the database can be read again; %d reads failed",
        )
        self._folding = _Trouble(
            "the database's file cannot be written: %s; what comes in is kept in the -wal file"
            " beside it, which grows",
            "the database's file can be written again after %d attempts",
        )

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator["Database"]:
        """Open an existing, migrated database.

        On leaving, what is queued is still written. Raises StartRefused when
        SQLite cannot open it.
        """
        async with contextlib.AsyncExitStack() as stack:
            try:
                writer = await stack.enter_async_context(_connect(path, factory=_Writer))
                await _in_thread(writer, _writer(writer).watch, path)
                await _execute_all(
                    writer,
                    "PRAGMA journal_mode = WAL",
                    "PRAGMA synchronous = FULL",
                    "PRAGMA foreign_keys = ON",
                    "PRAGMA wal_autocheckpoint = 0",
                    f"PRAGMA cache_size = -{CACHE_KIB}",
                )
                reader = await stack.enter_async_context(_connect(path))
                await _execute_all(reader, "PRAGMA query_only = ON")
            except sqlite3.Error as error:
                raise StartRefused(f"the database {path} cannot be opened: {error}") from None
            reader.row_factory = sqlite3.Row
            database = cls(writer, reader)
            task = asyncio.create_task(database._write_for_ever(), name="database writer")
            try:
                yield database
            finally:
                await database._drain(task)

    async def write(self, work: Work[T], size: int = 0, then: Then[T] | None = None) -> T:
        """Run `work` inside the writer's transaction; returns once it is durable.

        `size` is about how many bytes it stores. What `work` raises undoes its
        own statements and reaches the caller. Raises StoreUnavailable when
        SQLite cannot write, or takes too long: such a write may still be done
        later. `then` is called whenever it is done, before the caller goes on
        or long after it gave up, and in the order of the writes.
        """
        job = _Job(work, size, asyncio.get_running_loop().create_future())
        if then is not None:
            job.done.add_done_callback(partial(_take_over, then))
        await self._jobs.put(job)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await asyncio.shield(job.done)
        except TimeoutError:
            raise StoreUnavailable("the database did not answer in time") from None

    async def read(self, sql: str, params: Iterable[Any] = ()) -> Sequence[sqlite3.Row]:
        """All rows of one query, on a connection that cannot write.

        Raises StoreUnavailable when SQLite cannot read.
        """
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                rows = list(await self._reader.execute_fetchall(sql, params))
        except (sqlite3.Error, TimeoutError, ValueError) as error:
            self._reading.tell(str(error) or "it did not answer in time")
            raise StoreUnavailable(f"the database cannot be read: {error}") from error
        self._reading.end()
        return rows

    async def _write_for_ever(self) -> None:
        while True:
            batch = [await self._jobs.get()]
            while not self._jobs.empty():
                batch.append(self._jobs.get_nowait())
            await self._commit(batch)
            max_bytes = _writer(self._writer).max_log_bytes
            if self._log_bytes >= max_bytes:
                self._log_bytes = 0
                await self._checkpoint(max_bytes)

    async def _commit(self, batch: list[_Job]) -> None:
        """Run a batch in one transaction and tell each job its own outcome."""
        try:
            outcomes = await _in_thread(self._writer, _writer(self._writer).transact, batch)
        except (sqlite3.Error, ValueError) as error:
            self._writing.tell(str(error))
            for job in batch:
                _settle(job, None, StoreUnavailable(f"the database cannot be written: {error}"))
            return
        if len(batch) > 1 or outcomes[0][1] is None:
            self.commits += 1
            self._log_bytes += sum(job.size + PAGE_BYTES for job in batch)
            self._writing.end()
        for job, (result, failure) in zip(batch, outcomes, strict=True):
            problem = None if failure is None else _as_problem(failure)
            if problem is not failure:
                self._writing.tell(str(failure))
            _settle(job, result, problem)

    async def _checkpoint(self, max_bytes: int) -> None:
        """Fold the log into the database's file as far as readers let it.

        Its own file, which is written anew from its start then, keeps this length at most.
        """
        try:
            await _execute_all(
                self._writer,
                f"PRAGMA journal_size_limit = {max_bytes}",
                "PRAGMA wal_checkpoint(PASSIVE)",
            )
        except (sqlite3.Error, ValueError) as error:
            self._folding.tell(str(error))
        else:
            self._folding.end()

    async def _drain(self, task: asyncio.Task[None]) -> None:
        """Let queued writes finish, then stop the writer task."""
        with contextlib.suppress(Problem, TimeoutError):
            async with asyncio.timeout(3):
                await self.write(_nothing)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _connect(path: Path, **options: Any) -> aiosqlite.Connection:
    uri = path.absolute().as_uri() + "?mode=rw"
    return aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S, **options)


def _writer(connection: aiosqlite.Connection) -> _Writer:
    own = connection._conn
    assert isinstance(own, _Writer)
    return own


async def _in_thread(
    connection: aiosqlite.Connection, function: Callable[[R], T], argument: R
) -> T:
    """Run a function in the connection's thread; aiosqlite itself offers single statements."""
    result: T = await connection._execute(function, argument)  # type: ignore[no-untyped-call]
    return result


async def _execute_all(connection: aiosqlite.Connection, *statements: str) -> None:
    for statement in statements:
        cursor = await connection.execute(statement)
        await cursor.close()


def _nothing(connection: sqlite3.Connection) -> None:
    return None


def _take_over(then: Then[T], done: asyncio.Future[T]) -> None:
    if not done.cancelled() and done.exception() is None:
        then(done.result())


def _settle(job: _Job, result: Any, failure: BaseException | None) -> None:
    if job.done.done():
        return
    if failure is None:
        job.done.set_result(result)
    else:
        job.done.set_exception(failure)
        job.done.exception()  # its caller may be gone; then nobody is to be warned


def _as_problem(error: Exception) -> Exception:
    if isinstance(error, sqlite3.IntegrityError) or not isinstance(error, sqlite3.Error):
        return error
    return StoreUnavailable(f"the database cannot be written: {error}")
