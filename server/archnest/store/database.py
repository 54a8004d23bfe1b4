"""The SQLite database: one writing connection with one task, readers beside it.

A cancelled request cannot stop a statement that runs in aiosqlite's thread,
so transactions belong to the writer task alone and callers only await its
result. Every write that waits when the writer becomes free shares one
transaction, so that one fsync serves them all; each has a savepoint of its
own, so that one that fails costs only itself.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from archnest.errors import Problem, StartRefused, StoreUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[aiosqlite.Connection], Awaitable[T]]

DATABASE_NAME = "archnest.db"
BUSY_TIMEOUT_S = 5.0
CALL_TIMEOUT_S = 30.0
"""A dead connection thread never answers; longer than this is such a death."""
COMMITS_TO_CHECKPOINT = 100
"""SQLite's own checkpoints, every 1000 pages, keep their failures to themselves."""


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    done: asyncio.Future[Any]


class _Writer(sqlite3.Connection):
    """Commits only into the file that its path still names.

    SQLite goes on writing into a file that was deleted; whatever it then
    promises is lost with the process.
    """

    def watch(self, path: Path) -> None:
        """Remember which file the path names."""
        self._path = path
        self._file = _identity(path)

    def commit(self) -> None:
        """As SQLite's; raises OperationalError when the file is another or none."""
        if _identity(self._path) != self._file:
            raise sqlite3.OperationalError(
                f"{self._path} was deleted or replaced while in use: put it back, or stop the"
                " server and put a backup in its place with `archnest restore FILE`"
            )
        super().commit()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
        self._checkpoint_at = COMMITS_TO_CHECKPOINT
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
                await asyncio.to_thread(_watch, writer, path)
                await _execute_all(
                    writer,
                    "PRAGMA journal_mode = WAL",
                    "PRAGMA synchronous = FULL",
                    "PRAGMA foreign_keys = ON",
                    "PRAGMA journal_size_limit = 67108864",
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

    async def write(self, work: Work[T]) -> T:
        """Run `work` inside the writer's transaction; returns once it is durable.

        What `work` raises undoes its own statements and reaches the caller.
        Raises StoreUnavailable when SQLite cannot write.
        """
        job = _Job(work, asyncio.get_running_loop().create_future())
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
            if self.commits >= self._checkpoint_at:
                self._checkpoint_at = self.commits + COMMITS_TO_CHECKPOINT
                await self._checkpoint()

    async def _commit(self, batch: list[_Job]) -> None:
        """Run a batch in one transaction and tell each job its own outcome."""
        outcomes: list[tuple[_Job, Any, BaseException | None]] = []
        try:
            await self._writer.execute("BEGIN IMMEDIATE")
            for job in batch:
                outcomes.append(await self._run(job, alone=len(batch) == 1))
            if len(batch) == 1 and outcomes[0][2] is not None:
                await self._writer.rollback()
            else:
                await self._writer.commit()
                self.commits += 1
                self._writing.end()
        except (sqlite3.Error, ValueError) as error:
            await self._fail(batch, error)
        else:
            for job, result, failure in outcomes:
                _settle(job, result, failure)

    async def _run(self, job: _Job, *, alone: bool) -> tuple[_Job, Any, BaseException | None]:
        # A job alone in its transaction needs no savepoint: each one is two
        # more trips to the connection's thread.
        if not alone:
            await self._writer.execute("SAVEPOINT job")
        try:
            result = await job.work(self._writer)
        except Exception as error:
            if not self._writer.in_transaction:
                raise  # SQLite undid the whole transaction, so all of the batch has failed
            if not alone:
                await _execute_all(self._writer, "ROLLBACK TO job", "RELEASE job")
            problem = _as_problem(error)
            if problem is not error:
                self._writing.tell(str(error))
            return job, None, problem
        if not alone:
            await self._writer.execute("RELEASE job")
        return job, result, None

    async def _fail(self, batch: list[_Job], error: Exception) -> None:
        self._writing.tell(str(error))
        with contextlib.suppress(sqlite3.Error, ValueError):
            await self._writer.rollback()
        for job in batch:
            _settle(job, None, StoreUnavailable(f"the database cannot be written: {error}"))

    async def _checkpoint(self) -> None:
        """Fold the log into the database's file as far as readers let it."""
        try:
            await _execute_all(self._writer, "PRAGMA wal_checkpoint(PASSIVE)")
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


def _watch(writer: aiosqlite.Connection, path: Path) -> None:
    connection = writer._conn
    assert isinstance(connection, _Writer)
    connection.watch(path)


async def _execute_all(connection: aiosqlite.Connection, *statements: str) -> None:
    for statement in statements:
        cursor = await connection.execute(statement)
        await cursor.close()


async def _nothing(connection: aiosqlite.Connection) -> None:
    return None


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
