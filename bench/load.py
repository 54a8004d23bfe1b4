"""Requests as fast as a few connections take them, and how long each waited."""

import asyncio
import re
import resource
import time
from collections.abc import Sequence

CONNECTIONS = 32
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def take_all_files() -> None:
    """Let this process open as many files, connections too, as the system grants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def drive(
    port: int, requests: Sequence[bytes], total: int, connections: int, *, expect: bytes
) -> list[float]:
    """Send `total` requests, the given ones in turn; the seconds each waited.

    Raises RuntimeError when an answer's status is not the expected one.
    """
    numbers = iter(range(total))
    waits: list[float] = []

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            started = time.perf_counter()
            writer.write(requests[number % len(requests)])
            head, _ = await answered(reader)
            if expect not in head[:20]:
                raise RuntimeError(f"the server answered {head[:40]!r}")
            waits.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return waits


async def answered(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head, await reader.readexactly(int(length[1])) if length else b""


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
