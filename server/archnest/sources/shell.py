"""An interactive shell in one container, over a terminal that its engine keeps.

Docker leaves a shell running when its client goes away, so it is told to hang
up: each shell says its process id before it begins, and a second exec sends it
the signal that a closed terminal would send.
"""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import AsyncIterator
from typing import Any

from aiodocker.execs import Exec
from aiodocker.stream import Stream

from archnest.errors import NotAvailable, Problem, SourceUnavailable
from archnest.sources.connect import Client, Target, connected
from archnest.sources.failures import as_problem, printable

log = logging.getLogger(__name__)

SHELLS = ("sh", "/bin/sh", "bash", "ash", "/busybox/sh")
"""Tried in this order; the first that starts gives way to bash where there is one."""
SCRIPT = (
    "printf '\\001%s\\002' $$; export TERM=xterm-256color;"
    ' command -v bash >/dev/null 2>&1 && exec bash; exec "$0"'
)
STARTED = re.compile(rb"\x01([0-9]{1,10})\x02")
ABSENT = re.compile(
    r"executable file not found|no such file or directory|permission denied|not a directory", re.I
)
"""How runc and crun say that a program is not there or cannot be run."""
DETACH_KEYS = "ctrl-^,ctrl-^,ctrl-^"
"""The engine's own, Ctrl-P Ctrl-Q, would swallow the Ctrl-P of every shell's history."""
START_S = 15.0
MAX_COMPLAINT_BYTES = 4096
HANG_UP_S = 5.0
OBEY_S = 1.0
"""How long a shell may take to obey a hang-up before it is killed."""
SETTLE_S = 1.0
"""How long an engine may take to notice what has ended."""
PAUSE_S = 0.05
KILLED = 137


class Shell:
    """A running shell; open it with `opened`. All of it raises Problem kinds."""

    def __init__(self, client: Client, container_id: str, begun: "_Begun") -> None:
        self._client = client
        self._container_id = container_id
        self._begun = begun
        self._unread = begun.output

    async def read(self) -> bytes:
        """What it prints next; empty once it has ended."""
        if self._unread:
            unread, self._unread = self._unread, b""
            return unread
        try:
            message = await self._begun.stream.read_out()
        except Exception as error:
            raise as_problem(error) from error
        return message.data if message is not None else b""

    async def write(self, data: bytes) -> None:
        """Type; waits while the engine does not take more."""
        try:
            await self._begun.stream.write_in(data)
        except Exception as error:
            raise as_problem(error) from error

    async def resize(self, cols: int, rows: int) -> None:
        """Set the terminal's size; one that has just ended has none."""
        try:
            await self._begun.exec.resize(h=rows, w=cols)
        except Exception as error:
            problem = as_problem(error)
            if isinstance(problem, SourceUnavailable):
                raise problem from error

    async def exit_code(self) -> int | None:
        """The code it ended with; None while it runs."""
        try:
            state = await self._client.get(f"exec/{self._begun.exec.id}/json")
            return None if state["Running"] else int(state["ExitCode"] or 0)
        except Exception as error:
            raise as_problem(error) from error

    async def ending(self) -> int:
        """The exit code of a shell that has ended; raises NotAvailable when its container has."""
        deadline = time.monotonic() + SETTLE_S
        code = await self.exit_code()
        while code in (None, KILLED):
            await self._refuse_stopped()
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(PAUSE_S)
            code = await self.exit_code()
        return KILLED if code is None else code

    async def _refuse_stopped(self) -> None:
        try:
            state = (await self._client.get(f"containers/{self._container_id}/json"))["State"]
        except Exception as error:
            raise as_problem(error) from error
        if not state["Running"]:
            raise NotAvailable("the container has stopped")

    async def hang_up(self) -> None:
        """End it if it still runs; what it left in the foreground hangs up with it."""
        try:
            async with asyncio.timeout(HANG_UP_S):
                if not await self._obeys("HUP"):
                    await self._obeys("KILL")
        except (Problem, TimeoutError) as error:
            log.warning("a shell in %s may still run: %s", self._container_id[:12], error)

    async def _obeys(self, signal: str) -> bool:
        """Whether it has ended a while after the signal."""
        if await self.exit_code() is not None:
            return True
        command = [self._begun.program, "-c", f"kill -{signal} {self._begun.pid}"]
        try:
            container = self._client.docker.containers.container(self._container_id)
            await (await container.exec(command)).start(detach=True)
        except Exception as error:
            raise as_problem(error) from error
        deadline = time.monotonic() + OBEY_S
        while await self.exit_code() is None:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(PAUSE_S)
        return True


class _Begun:
    """A shell that has said its process id."""

    def __init__(self, program: str, exec_: Exec, stream: Stream, said: bytes) -> None:
        match = STARTED.match(said)
        assert match is not None
        self.program = program
        self.exec = exec_
        self.stream = stream
        self.pid = int(match[1])
        self.output = said[match.end() :]


@contextlib.asynccontextmanager
async def opened(target: Target, container_id: str) -> AsyncIterator[Shell]:
    """A shell of the container, ended when left.

    Raises NotFound, NotAvailable when the container has no shell, EngineRefused
    when it does not run, or SourceUnavailable.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(connected(target))
            async with asyncio.timeout(START_S):
                begun = await _begin(client, container_id)
        except Problem:
            raise
        except Exception as error:
            raise as_problem(error) from error
        stack.push_async_callback(_close, begun.stream)
        shell = Shell(client, container_id, begun)
        stack.push_async_callback(shell.hang_up)
        yield shell


async def _begin(client: Client, container_id: str) -> _Begun:
    container: Any = client.docker.containers.container(container_id)
    for program in SHELLS:
        command = [program, "-c", SCRIPT, program]
        exec_ = await container.exec(command, stdin=True, tty=True, detach_keys=DETACH_KEYS)
        stream = exec_.start()
        try:
            said = await _first_words(stream)
            if STARTED.match(said):
                return _Begun(program, exec_, stream, said)
        except BaseException:
            await _close(stream)
            raise
        await _close(stream)
        complaint = said.decode("utf-8", "replace")
        if not ABSENT.search(complaint):
            raise SourceUnavailable(f"the shell did not start: {printable(complaint).strip()}")
    raise NotAvailable("this container has no shell")


async def _first_words(stream: Stream) -> bytes:
    """What comes first: the process id, or all of the complaint that there is no such shell."""
    said = b""
    while not STARTED.match(said) and len(said) < MAX_COMPLAINT_BYTES:
        message = await stream.read_out()
        if message is None:
            break
        said += message.data
    return said


async def _close(stream: Stream) -> None:
    """Close it for certain: what the engine has not taken would keep its connection open."""
    response = stream._resp
    connection = response.connection if response is not None else None
    transport = connection.transport if connection is not None else None
    if connection is not None:
        await stream.close()
    if transport is not None:
        transport.abort()
