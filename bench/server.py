"""A server under measurement, and what the system says of it."""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from bench.load import answered, request
from bench.reports import TOKEN
from tests.ports import free_port, wait_until_listening

ARCHNEST = str(Path(sys.executable).with_name("archnest"))
ACCOUNT = ("bench", "bench-bench")
REVISION = re.compile(r'"revision":"([^"]+)"')


class Server:
    """`archnest serve` on the first core, over a data folder with one account."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.pid = 0
        self.start_s = 0.0
        """From the start of the process to its first answer."""
        if not data_dir.exists():
            add = [ARCHNEST, "user", "add", ACCOUNT[0], "--password-stdin"]
            subprocess.run(
                [*add, "--data-dir", str(data_dir)],
                input=f"{ACCOUNT[1]}\n".encode(),
                check=True,
                stdout=subprocess.DEVNULL,
            )

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        """Serve until left."""
        where = ["--listen", f"127.0.0.1:{self.port}", "--data-dir", str(self.data_dir)]
        begun = time.perf_counter()
        with process(ARCHNEST, "serve", *where, port=self.port, ARCHNEST_AGENT_TOKEN=TOKEN) as one:
            self.pid = one.pid
            asyncio.run(exchange(self.port, request("GET", "/healthz", {})))
            self.start_s = time.perf_counter() - begun
            yield self

    @property
    def resident_mb(self) -> float:
        """Resident memory in MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def cpu_s(self) -> float:
        """Seconds of processor it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def written(self) -> int:
        """Bytes handed to the disk since the start of the process."""
        lines = Path(f"/proc/{self.pid}/io").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))

    @property
    def stored_mb(self) -> float:
        """The database with its WAL, in MB."""
        return sum(one.stat().st_size for one in self.data_dir.glob("archnest.db*")) / 1e6

    def signed_in(self) -> dict[str, str]:
        """The header of a person's session."""
        body = json.dumps({"username": ACCOUNT[0], "password": ACCOUNT[1]}).encode()
        headers = {"Content-Type": "application/json"}
        answer = asyncio.run(exchange(self.port, request("POST", "/api/auth/login", headers, body)))
        return {"Authorization": f"Bearer {json.loads(body_of(answer))['token']}"}

    def idle_poll(self, person: dict[str, str]) -> bytes:
        """The page's poll when it knows the present state."""
        revision, etag = self._state(person)
        path = f"/api/containers?since={revision}"
        return request("GET", path, {**person, "If-None-Match": etag})

    def poll_ms(self, person: dict[str, str], revision: str) -> tuple[float, int]:
        """Milliseconds and bytes of one answer to a reader who knows `revision`."""

        async def poll() -> tuple[float, int]:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
            begun = time.perf_counter()
            writer.write(request("GET", f"/api/containers?since={revision}", person))
            _, body = await answered(reader)
            took_s = time.perf_counter() - begun
            writer.close()
            return took_s * 1000, len(body)

        return asyncio.run(poll())

    def revision(self, person: dict[str, str]) -> str:
        """The present one."""
        return asyncio.run(self.revision_now(person))

    async def revision_now(self, person: dict[str, str]) -> str:
        """The same, inside an event loop."""
        answer = await exchange(self.port, request("GET", "/api/hosts", person))
        return revision_in(body_of(answer))

    def _state(self, person: dict[str, str]) -> tuple[str, str]:
        revision = self.revision(person)
        path = f"/api/containers?since={revision}"
        head = asyncio.run(exchange(self.port, request("GET", path, person)))
        etag = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"etag:"))
        return revision, etag[5:].strip().decode()


@contextlib.contextmanager
def process(*command: str, port: int, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server on the first core, ended afterwards."""
    pinned = ["taskset", "-c", "0", *command]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen(pinned, env={**os.environ, **environ}, **quiet)
    try:
        wait_until_listening(port)
        yield running
    finally:
        running.terminate()
        running.wait()


async def exchange(port: int, sent: bytes) -> bytes:
    """The whole answer to one request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent.replace(b"Host: bench", b"Host: bench\r\nConnection: close"))
    answer = await reader.read()
    writer.close()
    return answer


def body_of(answer: bytes) -> bytes:
    """What follows the head."""
    return answer.partition(b"\r\n\r\n")[2]


def revision_in(body: bytes) -> str:
    """The revision an answer of the page's API names, at its beginning; gzip or not."""
    if body.startswith(b"\x1f\x8b"):
        body = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, 200)
    found = REVISION.search(body[:200].decode())
    assert found is not None, body[:200]
    return found[1]
