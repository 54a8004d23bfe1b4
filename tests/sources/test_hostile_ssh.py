"""An SSH host that means harm gets no more than its own source failing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from archnest.model.source import NewSource, SourceTest
from archnest.pollers import examined


def at(port: int, key_file: Path, host_key: str | None = None) -> NewSource:
    address = f"root@127.0.0.1:{port}"
    return NewSource("vm-1", "docker-ssh", address, key_file=str(key_file), host_key=host_key)


@pytest.fixture
async def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "user"
    key = asyncssh.generate_private_key("ssh-ed25519")
    await asyncio.to_thread(key.write_private_key, path)
    return path


class Welcoming(asyncssh.SSHServer):
    """Lets everyone in."""

    def begin_auth(self, username: str) -> bool:
        return False


@asynccontextmanager
async def welcoming(
    process: Callable[[asyncssh.SSHServerProcess[bytes]], object], compression: str
) -> AsyncIterator[tuple[int, str]]:
    """The port and the fingerprint of an SSH host that runs this for every command."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[key],
        server_factory=Welcoming,
        process_factory=process,
        encoding=None,
        compression_algs=[compression],
    )
    try:
        yield server.get_port(), key.get_fingerprint()
    finally:
        server.close()
        await server.wait_closed()


async def hang_up(process: asyncssh.SSHServerProcess[bytes]) -> None:
    process.exit(1)


async def prattle(process: asyncssh.SSHServerProcess[bytes]) -> None:
    while True:
        process.stdout.write(b"x" * 65_536)
        await process.stdout.drain()


@pytest.mark.parametrize(
    ("process", "compression", "words"),
    [
        (hang_up, "none", ("ssh-failed",)),
        (prattle, "none", ("not-an-engine",)),
        # What inflates on arrival has no bound: it is never agreed to.
        (hang_up, "zlib@openssh.com", ("ssh-failed",)),
    ],
    ids=["nothing", "without-end", "compressed"],
)
async def test_it_fails_with_its_word(
    key_file: Path,
    process: Callable[[asyncssh.SSHServerProcess[bytes]], object],
    compression: str,
    words: tuple[str, ...],
) -> None:
    async with welcoming(process, compression) as (port, fingerprint):
        told: SourceTest = await examined(at(port, key_file, fingerprint))
    assert told.problem in words, told
