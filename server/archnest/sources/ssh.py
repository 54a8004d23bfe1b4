"""Engines behind SSH: `docker system dial-stdio` on the remote host.

A host key must have been accepted; nothing of the server's environment is
sent, no file of the user's ~/.ssh is read, and no agent is asked.
"""

import asyncio
import contextlib
import logging
from typing import Any

import aiohttp
import asyncssh
from aiodocker.ssh import SSHConnector

from archnest.sources.failures import SourceFailure, explained, printable
from archnest.sources.ssh_address import ssh_address
from archnest.tasks import ended

COMMAND = "docker system dial-stdio"
CONNECT_S = 10.0
KEEPALIVE_S = 15.0
LAST_WORDS_S = 5.0
MAX_WORDS_BYTES = 1024
NO_SUCH_COMMAND = 127
"""How a shell ends that does not find one."""
MAX_SESSIONS = 8
"""Each request has a session of its own, and sshd takes 10 a connection (MaxSessions)."""

# Each failure reaches the page as its source's error; asyncssh tells of every connection.
logging.getLogger("aiodocker.ssh").setLevel(logging.CRITICAL)
logging.getLogger("asyncssh").setLevel(logging.WARNING)


class _OnLoop(aiohttp.UnixConnector):
    """A connector that may be made in a thread, for a loop that runs elsewhere."""

    engine_loop: asyncio.AbstractEventLoop
    failure: SourceFailure | None = None
    """Why the engine behind it was not reached, where the connection's end does not tell."""

    def __init__(self, path: str) -> None:
        super().__init__(path=path, limit=MAX_SESSIONS, loop=self.engine_loop)


Process = asyncssh.SSHClientProcess[bytes]


class SshConnector(SSHConnector, _OnLoop):
    """aiodocker's connector, closed to everything that is not named."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        self.engine_loop = loop
        super().__init__(url, **options)

    def _load_ssh_config(self) -> dict[str, Any]:
        return {}

    def _setup_host_key_verification(self) -> None:
        """Nothing to set up: `known_hosts` always holds the accepted key alone."""

    def _clean_environment(self) -> dict[str, str]:
        return {}  # aiodocker would send the server's own, secrets included

    async def _handle_docker_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # Cancelled, aiodocker's leaves the writer open, and asyncio, until Python 3.12, logs it
        # as an error of its own; and it says nothing of why the command ended.
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await self._dial(reader, writer)
        except (OSError, asyncssh.Error) as error:
            self.failure = explained(error)
        finally:
            writer.close()

    async def _dial(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Run the command for one connection, until either side ends it."""
        assert self._ssh_conn is not None
        process: Process = await self._ssh_conn.create_process(COMMAND, encoding=None)
        sending = asyncio.create_task(self._relay_data(reader, process.stdin))  # type: ignore[arg-type]
        hearing = asyncio.create_task(self._hear(process, writer))
        self._relay_tasks |= {sending, hearing}
        try:
            await asyncio.wait([sending, hearing], return_when=asyncio.FIRST_COMPLETED)
            # A command that has ended takes nothing more, and has its last words to say.
            if not reader.at_eof():
                await hearing
        finally:
            for one in (sending, hearing):
                await ended(one)
                self._relay_tasks.discard(one)
            with contextlib.suppress(OSError):
                process.terminate()
            process.close()
            await process.wait_closed()

    async def _hear(self, process: "Process", writer: asyncio.StreamWriter) -> None:
        """Hand on what the engine says; note why the command ended if that was nothing."""
        saying = asyncio.create_task(_first_words(process.stderr))
        has_spoken = False
        try:
            # A connection that breaks off is noticed at its other end.
            with contextlib.suppress(OSError, asyncssh.Error):
                while data := await process.stdout.read(65_536):
                    has_spoken = True
                    writer.write(data)
                    await writer.drain()
                if not has_spoken:
                    async with asyncio.timeout(LAST_WORDS_S):
                        words = await saying
                        await process.wait_closed()
                    self.failure = _unreached(words, process.exit_status)
        finally:
            await ended(saying)

    async def close(self) -> None:  # type: ignore[override]
        """Close the connection; the socket's folder is removed in a thread."""
        folder, self._temp_dir = self._temp_dir, _Kept()  # type: ignore[assignment]
        try:
            await super().close()
        finally:
            # One cancellation may be followed by others.
            await asyncio.shield(asyncio.to_thread(folder.cleanup))


class _Kept:
    """Stands for a folder that aiodocker would remove on the event loop."""

    name = ""

    def cleanup(self) -> None:
        """Leave it be."""


async def ssh_connector(address: str, key_file: str | None, host_key: str | None) -> SshConnector:
    """A connector to the engine behind `address`; the key file must not ask for a passphrase.

    Raises SourceFailure when the host key is unknown or another one.
    """
    where = ssh_address(address)
    shown = await shown_host_key(address)
    fingerprint = shown.get_fingerprint()
    if host_key is None:
        raise SourceFailure(
            "host-key-unknown", f"the SSH host shows the key {fingerprint}: accept it", fingerprint
        )
    accepted = asyncssh.import_public_key(host_key)
    if shown != accepted:
        known = accepted.get_fingerprint()
        detail = f"the SSH host shows the key {fingerprint}, and {known} was accepted: refused"
        raise SourceFailure("host-key-changed", detail, fingerprint)
    options: dict[str, Any] = {
        "known_hosts": ([accepted], [], []),
        "server_host_key_algs": _signatures(accepted),
        "client_keys": [key_file] if key_file else None,
        "agent_path": None,
        "config": None,
        # A few bytes could inflate to more than the server's memory.
        "compression_algs": ["none"],
        "x509_trusted_certs": None,
        "connect_timeout": CONNECT_S,
        "login_timeout": CONNECT_S,
        "keepalive_interval": KEEPALIVE_S,
    }
    loop = asyncio.get_running_loop()
    # Its constructor makes a folder for its socket.
    making = asyncio.create_task(asyncio.to_thread(SshConnector, where.url, loop, **options))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        # Nobody else would close what the thread makes.
        await asyncio.shield(_close_once_made(making))
        raise


async def _first_words(stderr: asyncssh.SSHReader[bytes]) -> str:
    """What a command says first on stderr, read to its end: it must not wait for a reader."""
    words = b""
    while part := await stderr.read(4096):
        words += part[: MAX_WORDS_BYTES - len(words)]
    return words.decode("utf-8", "replace").strip()


def _unreached(words: str, status: int | None) -> SourceFailure | None:
    """Why the command ended before the engine said anything; None when nothing tells."""
    if not words and not status:
        return None
    said = words.lower()
    kind = "ssh-failed"
    if status == NO_SUCH_COMMAND or "no such file" in said:
        kind = "not-found"
    elif "permission denied" in said:
        kind = "no-permission"
    elif "connection refused" in said:
        kind = "refused"
    words = printable(words) or f"it ended with status {status}"
    return SourceFailure(kind, f"`{COMMAND}` failed on the SSH host: {words}")


async def _close_once_made(making: asyncio.Task[SshConnector]) -> None:
    # Whoever gave it up wants to hear of no failure, either.
    with contextlib.suppress(Exception):
        await (await making).close()


async def shown_host_key(address: str) -> asyncssh.SSHKey:
    """The key that the host shows now; raises SourceFailure when it shows none."""
    where = ssh_address(address)
    try:
        async with asyncio.timeout(CONNECT_S):
            key = await asyncssh.get_server_host_key(where.host, where.port, config=None)
    except (OSError, asyncssh.Error) as error:
        raise explained(error) from error
    if key is None:
        raise SourceFailure("ssh-failed", "the SSH host shows no key")
    return key


def as_stored(key: asyncssh.SSHKey) -> str:
    """The key in one line of OpenSSH's form, without its comment."""
    return b" ".join(key.export_public_key().split()[:2]).decode()


def _signatures(key: asyncssh.SSHKey) -> list[str]:
    """The algorithms by which a host proves that it holds this very key."""
    return [name.decode() for name in key.sig_algorithms]
