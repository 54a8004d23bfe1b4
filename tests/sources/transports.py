"""Real ways to a test engine: TLS with certificates of its own, and an sshd."""

import asyncio
import contextlib
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine.dockerd import Engine
from tests.ports import free_port


def openssl(*args: str) -> None:
    subprocess.run(["openssl", *args], check=True, capture_output=True)


@dataclass(frozen=True)
class Certificates:
    """A CA, and what it signed for the engine and for a client."""

    folder: Path

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def sign(self, name: str) -> None:
        """Make `name`.pem and `name`.key."""
        subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        signer = ["-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key")]
        made = ["-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.pem")]
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *signer, *made)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Two authorities; `server` and `client` are the first one's."""
    made = Certificates(tmp_path_factory.mktemp("tls"))
    for name in ("ca", "other"):
        paths = ["-keyout", made.path(f"{name}.key"), "-out", made.path(f"{name}.pem")]
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", *paths)
    made.sign("server")
    made.sign("client")
    return made


@pytest.fixture
async def tls_port(engine: Engine, certificates: Certificates) -> AsyncIterator[int]:
    """A port that speaks TLS with client certificates in front of the engine."""
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=certificates.path("ca.pem")
    )
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificates.path("server.pem"), certificates.path("server.key"))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while part := await reader.read(65_536):
                writer.write(part)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(engine.socket)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


@dataclass
class Sshd:
    """An sshd of the test's own; `environment` is what a session found around it."""

    folder: Path
    port: int
    engine: Engine
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"root@127.0.0.1:{self.port}"

    @property
    def key_file(self) -> str:
        return str(self.folder / "user")

    @property
    def environment(self) -> str:
        return (self.folder / "environment").read_text()

    def make_key(self, name: str) -> str:
        """A new key; its fingerprint."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", path], check=True
        )
        done = subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, text=True)
        return done.stdout.split()[1]

    def start(self, command: str | None = None) -> None:
        """`command` is run in place of what is asked for; None: that is run, and its engine's."""
        to_engine = f"DOCKER_HOST=unix://{self.engine.socket} exec $SSH_ORIGINAL_COMMAND"
        config = self.folder / "config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\n"
            f"AuthorizedKeysFile {self.folder}/user.pub\nPidFile none\nStrictModes no\n"
            f"PermitRootLogin yes\nUsePAM no\nPasswordAuthentication no\nAcceptEnv *\n"
            f"ForceCommand env > {self.folder}/environment; {command or to_engine}\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["/usr/sbin/sshd", "-D", "-e", "-f", config], stdin=subprocess.DEVNULL, stderr=log
            )
        deadline = time.monotonic() + 10
        while b"Server listening" not in (self.folder / "log").read_bytes():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            (self.folder / "log").unlink()


@pytest.fixture
def sshd(engine: Engine, tmp_path: Path) -> Iterator[Sshd]:
    """A running sshd whose sessions reach the engine."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    made = Sshd(folder, free_port(), engine)
    made.make_key("user")
    made.make_key("host")
    made.start()
    yield made
    made.stop()
