"""Real servers on real ports."""

import asyncio
import contextlib
import itertools
import os
import random
import socket
import time

import aiohttp

MAX_WORKERS = 16
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
# Below those from which Linux takes one for each connection that goes out, and of
# those that workers of the tests do not share: others could take it before its server does.
# Above 10080, the last one that Chromium refuses to open (net::ERR_UNSAFE_PORT).
_own = range(11_000 + _worker % MAX_WORKERS, 20_000, MAX_WORKERS)
_first = random.randrange(len(_own))
_ports = itertools.cycle([*_own[_first:], *_own[:_first]])


def free_port() -> int:
    """A port on loopback that nothing listens on, and that nobody else is given soon."""
    while True:
        port = next(_ports)
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port


async def wait_until_alive(address: str, timeout_s: float = 20.0) -> None:
    """Return once the server answers; raises TimeoutError."""
    deadline = time.monotonic() + timeout_s
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{address}/healthz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"{address} did not answer within {timeout_s} s")
            await asyncio.sleep(0.05)


def wait_until_listening(port: int, timeout_s: float = 20.0) -> None:
    """Return once a process accepts connections there; raises TimeoutError."""
    deadline = time.monotonic() + timeout_s
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens on port {port} after {timeout_s} s")
        time.sleep(0.05)
