"""Accounts changed from the command line take effect in the running server at once."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.factories import bearer
from tests.ports import free_port, wait_until_listening

ARCHNEST = str(Path(sys.executable).with_name("archnest"))
PASSWORD = "staple horse battery"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Longer than a unix socket's path may be."""
    return tmp_path / ("d" * 120)


@pytest.fixture
def url(data_dir: Path) -> Iterator[str]:
    """A running server under a base path that the commands do not know."""
    port = free_port()
    command = [ARCHNEST, "serve", "--listen", f"127.0.0.1:{port}", "--data-dir", str(data_dir)]
    process = subprocess.Popen(command, env={**os.environ, "ARCHNEST_BASE_PATH": "/nest/"})
    wait_until_listening(port)
    yield f"http://127.0.0.1:{port}/nest"
    process.terminate()
    process.wait(8)


async def user(data_dir: Path, *words: str) -> None:
    """Run `archnest user`; raises CalledProcessError unless it exits 0."""
    command = [ARCHNEST, "user", *words, "--data-dir", str(data_dir)]
    await asyncio.to_thread(
        subprocess.run, command, input=f"{PASSWORD}\n".encode(), check=True, timeout=30
    )


async def test_an_added_user_signs_in_and_a_removed_one_is_out_at_once(
    url: str, data_dir: Path
) -> None:
    await user(data_dir, "add", "mel", "--password-stdin")
    async with aiohttp.ClientSession() as session:
        credentials = {"username": "mel", "password": PASSWORD}
        async with session.post(f"{url}/api/auth/login", json=credentials) as response:
            token = bearer((await response.json())["token"])
        async with session.get(f"{url}/api/auth/me", headers=token) as response:
            assert response.status == 200
        await user(data_dir, "remove", "mel")
        async with session.get(f"{url}/api/auth/me", headers=token) as response:
            assert response.status == 401


async def test_the_socket_is_private(url: str, data_dir: Path) -> None:
    assert data_dir.stat().st_mode & 0o077 == 0
    assert (data_dir / "archnest.sock").stat().st_mode & 0o077 == 0


async def token(data_dir: Path, *words: str) -> str:
    """Run `archnest token`; what it prints."""
    command = [ARCHNEST, "token", *words, "--data-dir", str(data_dir)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().strip()


async def test_a_hosts_token_is_made_used_and_revoked_from_the_command_line(
    url: str, data_dir: Path
) -> None:
    made = await token(data_dir, "create", "nas")
    report, path = {"hostId": "nas", "containers": []}, f"{url}/api/agents/docker/report"
    async with aiohttp.ClientSession(headers=bearer(made)) as session:
        assert (await session.post(path, json=report)).status == 200
        assert "last used: 2" in await token(data_dir, "list")
        await token(data_dir, "revoke", made.split("_")[1])
        assert (await session.post(path, json=report)).status == 503


async def test_tokens_are_made_without_a_server_too(data_dir: Path) -> None:
    made = await token(data_dir, "create", "nas")
    [line] = (await token(data_dir, "list")).splitlines()
    assert line.split("\t")[:2] == [made.split("_")[1], "nas"]
    await token(data_dir, "revoke", made.split("_")[1])
    assert "revoked: 2" in await token(data_dir, "list")
