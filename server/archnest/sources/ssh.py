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

from archnest.sources.failures import SourceFailure, explained
from archnest.sources.ssh_address import ssh_address

CONNECT_S = 10.0
KEEPALIVE_S = 15.0
MAX_SESSIONS = 8
"""Each request has a session of its own, and sshd takes 10 a connection (MaxSessions)."""

# Each failure reaches the page as its source's error; asyncssh tells of every connection.
logging.getLogger("aiodocker.ssh").setLevel(logging.CRITICAL)
logging.getLogger("asyncssh").setLevel(logging.WARNING)


class _OnLoop(aiohttp.UnixConnector):
    """A connector that may be made in a thread, for a loop that runs elsewhere."""

    engine_loop: asyncio.AbstractEventLoop

    def __init__(self, path: str) -> None:
        super().__init__(path=path, limit=MAX_SESSIONS, loop=self.engine_loop)


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
        # as an error of its own.
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await super()._handle_docker_connection(reader, writer)
        finally:
            writer.close()

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
