"""Child processes that end with their parent, and the server as one of them."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterable, Mapping

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Server:
    """`archnest serve` in a process of its own; its lines are passed on."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.listening = asyncio.Event()
        """Set once it takes requests; never set when it refuses to start."""
        self._passing_on = asyncio.create_task(self._pass_on_lines())

    @classmethod
    async def start(cls, environ: Mapping[str, str]) -> "Server":
        """Start it with these settings; secrets travel in `environ`, never in argv."""
        return cls(
            await start(sys.executable, "-m", "archnest", "serve", environ=environ, out=PIPE)
        )

    async def _pass_on_lines(self) -> None:
        # `serve` writes its first line to stdout when it has begun to listen. Asking
        # /healthz instead could be answered by another server on the same port.
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            print(line.decode(errors="replace"), end="", flush=True)
            self.listening.set()


async def start(*command: str, environ: Mapping[str, str], out: int | None = None) -> Process:
    """Start a program in a session of its own, without stdin.

    So Ctrl-C reaches only us and we decide in which order things end; should
    we be killed, the kernel sends it SIGTERM.
    """
    return await asyncio.create_subprocess_exec(
        *command,
        env=dict(environ),
        stdin=DEVNULL,
        stdout=out,
        start_new_session=True,
        preexec_fn=_end_with_parent,
    )


async def stop(processes: Iterable[Process], *, within_s: float) -> None:
    """End all of them and whatever they started, by force after `within_s`."""
    processes = list(processes)
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            for process in processes:
                await process.wait()
                # What it started may still be removing its temporary files, and
                # tells nobody but the kernel when it ends.
                while _signal_group(process, 0):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
    for process in processes:
        _signal_group(process, signal.SIGKILL)
        await process.wait()


def exit_code(process: Process) -> int:
    """The code to exit with for a child that ended, as a shell counts signals."""
    code = process.returncode or 0
    return code if code >= 0 else 128 - code


def _signal_group(process: Process, number: int) -> bool:
    """Whether anything of what it started is still there to get the signal."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def _end_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
