"""Real servers on real ports."""

import asyncio
import socket
import time

import aiohttp


def free_port() -> int:
    """A port on loopback that nothing listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


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
