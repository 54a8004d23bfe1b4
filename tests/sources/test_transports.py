"""Every way to an engine, and what each failure is called."""

import asyncio
import contextlib
import errno
import ssl
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from archnest.model.source import NewSource
from archnest.pollers import examined
from archnest.sources.connect import NEWEST_API, Target, connected, negotiated, shown_host_key
from archnest.sources.failures import SourceFailure
from archnest.tasks import ended
from tests.engine.dockerd import Engine
from tests.ports import free_port
from tests.sources.transports import Certificates, Sshd


def tcp(address: str, **files: str) -> NewSource:
    return NewSource("vm-1", "docker-tcp", address, **files)


def over_ssh(sshd: Sshd, host_key: str | None, **changes: Any) -> NewSource:
    fields = {"address": sshd.address, "key_file": sshd.key_file, **changes}
    return NewSource("vm-1", "docker-ssh", host_key=host_key, **fields)


async def problem(source: NewSource) -> str | None:
    return (await examined(source)).problem


async def test_a_socket_a_port_and_tls_reach_the_engine(
    engine: Engine, tls_port: int, certificates: Certificates
) -> None:
    files = {"ca_file": certificates.path("ca.pem")}
    files |= {"cert_file": certificates.path("client.pem")}
    files |= {"key_file": certificates.path("client.key")}
    for source in (
        NewSource("vm-1", "docker-socket", str(engine.socket)),
        tcp(f"127.0.0.1:{engine.tcp_port}"),
        tcp(f"127.0.0.1:{tls_port}", **files),
    ):
        result = await examined(source)
        assert result.ok, result.detail
        assert result.engine is not None
        assert result.engine.version == engine.api("/version")["Version"]


async def test_each_failure_of_tls_has_its_word(
    engine: Engine, tls_port: int, certificates: Certificates
) -> None:
    address, ca = f"127.0.0.1:{tls_port}", certificates.path("ca.pem")
    assert await problem(tcp(address, ca_file=certificates.path("other.pem"))) == "tls-failed"
    assert await problem(tcp(address, ca_file=ca)) == "authentication-failed"
    assert await problem(tcp(f"127.0.0.1:{engine.tcp_port}", ca_file=ca)) == "tls-failed"
    assert await problem(tcp(address, ca_file=certificates.path("none.pem"))) == "not-found"
    assert await problem(tcp(address, ca_file=certificates.path("ca.key"))) == "tls-failed"


async def test_a_client_certificate_that_is_refused_by_closing_is_told(
    certificates: Certificates,
) -> None:
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=certificates.path("other.pem")
    )
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificates.path("server.pem"), certificates.path("server.key"))
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context
    )
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    result = await examined(tcp(address, ca_file=certificates.path("ca.pem")))
    server.close()
    assert (result.problem, "certificate" in str(result.detail)) == ("authentication-failed", True)


async def test_a_missing_file_of_tls_is_named(certificates: Certificates) -> None:
    files = {
        "ca_file": certificates.path("ca.pem"),
        "cert_file": certificates.path("client.pem"),
        "key_file": certificates.path("client.key"),
    }
    missing = certificates.path("none.pem")
    for one in files:
        result = await examined(tcp("127.0.0.1:1", **{**files, one: missing}))
        assert (result.problem, result.detail) == ("not-found", f"there is no such file: {missing}")


async def test_each_failure_of_the_network_has_its_word(tmp_path: Path) -> None:
    assert await problem(tcp(f"127.0.0.1:{free_port()}")) == "refused"
    assert await problem(tcp("no-such-host.invalid:2375")) == "name-unknown"
    socket = str(tmp_path / "none.sock")
    assert await problem(NewSource("vm-1", "docker-socket", socket)) == "not-found"


@contextlib.asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """The address of a server that says this to everyone; nothing is silence."""
    ended: list[asyncio.Event] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(done := asyncio.Event())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if not answer:
            await reader.read()  # until the other side gives up
        writer.close()
        await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for one in ended:
        await asyncio.wait_for(one.wait(), 5)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "not-an-engine"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "not-an-engine"),
        (b"SSH-2.0-OpenSSH\r\n", "not-an-engine"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"ApiVersion":"1.20"}', "api-too-old"),
    ],
)
async def test_what_is_no_engine_is_told_so(answer: bytes, word: str) -> None:
    async with answering(answer) as address:
        assert await problem(tcp(address)) == word


async def test_silence_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archnest.sources.connect.REQUEST_S", 0.2)
    async with answering(b"") as address:
        assert await problem(tcp(address)) == "timed-out"


async def test_an_answer_without_end_is_cut(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.sources.connect.MAX_ANSWER_BYTES", 100)
    assert await problem(tcp(f"127.0.0.1:{engine.tcp_port}")) == "answer-too-large"


def test_the_highest_version_that_both_know_is_spoken() -> None:
    assert negotiated({"ApiVersion": "1.41", "MinAPIVersion": "1.12"}) == (1, 41)
    assert negotiated({"ApiVersion": "9.99", "MinAPIVersion": "1.44"}) == NEWEST_API
    with pytest.raises(SourceFailure, match="or newer"):
        negotiated({"ApiVersion": "9.99", "MinAPIVersion": "9.0"})


async def test_an_unknown_host_key_is_shown_and_the_accepted_one_works(sshd: Sshd) -> None:
    unknown = await examined(over_ssh(sshd, None))
    assert (unknown.ok, unknown.problem) == (False, "host-key-unknown")
    assert unknown.host_key is not None
    assert unknown.host_key in (unknown.detail or "")
    accepted = await examined(over_ssh(sshd, unknown.host_key))
    assert accepted.ok, accepted.detail


async def test_another_host_key_and_another_user_key_are_refused(sshd: Sshd) -> None:
    shown = (await examined(over_ssh(sshd, None))).host_key
    stranger = f"{sshd.folder}/stranger"
    sshd.make_key("stranger")
    assert await problem(over_ssh(sshd, shown, key_file=stranger)) == "authentication-failed"
    missing = f"{sshd.folder}/missing"
    assert await problem(over_ssh(sshd, shown, key_file=missing)) == "not-found"
    assert await problem(over_ssh(sshd, "SHA256:" + "A" * 43)) == "host-key-changed"


@pytest.mark.parametrize(
    ("command", "word", "words"),
    [
        ("exec /nowhere/docker", "not-found", "/nowhere/docker"),
        ("DOCKER_HOST=unix:///nowhere.sock exec $SSH_ORIGINAL_COMMAND", "not-found", "nowhere"),
        (
            "DOCKER_HOST=unix://{} exec setpriv --reuid 65534 --clear-groups $SSH_ORIGINAL_COMMAND",
            "no-permission",
            "permission denied",
        ),
        ("DOCKER_HOST=tcp://127.0.0.1:1 exec $SSH_ORIGINAL_COMMAND", "refused", "127.0.0.1:1"),
        ("exit 3", "ssh-failed", "status 3"),
        ("head -c 9000000 /dev/zero >&2; exit 3", "ssh-failed", "dial-stdio"),
    ],
)
async def test_why_the_engine_behind_ssh_is_not_reached_is_told(
    sshd: Sshd, command: str, word: str, words: str
) -> None:
    shown = (await examined(over_ssh(sshd, None))).host_key
    sshd.stop()
    sshd.start(command.format(sshd.engine.socket))
    result = await examined(over_ssh(sshd, shown))
    assert (result.problem, words in str(result.detail)) == (word, True), result.detail


async def test_nothing_of_the_environment_goes_over_ssh(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHNEST_AGENT_TOKEN", "never-to-be-sent")
    monkeypatch.setattr(tempfile, "tempdir", str(sshd.folder))
    shown = (await examined(over_ssh(sshd, None))).host_key
    assert (await examined(over_ssh(sshd, shown))).ok
    assert "SSH_CONNECTION" in sshd.environment
    assert "never-to-be-sent" not in sshd.environment
    assert "ARCHNEST" not in sshd.environment
    assert not list(sshd.folder.glob("tmp*")), "the socket's folder stayed behind"


async def test_a_socket_folder_goes_when_its_connection_is_given_up_while_made_or_closed(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.tasks.AGAIN_S", 0.01)
    monkeypatch.setattr(tempfile, "tempdir", str(sshd.folder))
    shown = (await examined(over_ssh(sshd, None))).host_key
    go_on, held = threading.Event(), threading.Event()

    class Slow(tempfile.TemporaryDirectory[str]):
        is_made = True

        def __init__(self) -> None:
            if self.is_made:
                self.hold()
            super().__init__()

        def cleanup(self) -> None:
            if not self.is_made:
                self.hold()
            super().cleanup()

        def hold(self) -> None:
            held.set()
            go_on.wait(20)

    monkeypatch.setattr(tempfile, "TemporaryDirectory", Slow)
    for Slow.is_made in (True, False):
        go_on.clear()
        held.clear()
        examining = asyncio.create_task(examined(over_ssh(sshd, shown)))
        await asyncio.to_thread(held.wait, 20)
        ending = asyncio.create_task(ended(examining))
        await asyncio.sleep(0.1)
        go_on.set()
        await ending
        async with asyncio.timeout(20):
            while list(sshd.folder.glob("tmp*")):
                await asyncio.sleep(0.01)


async def test_an_ssh_connection_that_is_given_up_and_then_fails_stays_given_up(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"key_file": sshd.key_file, "host_key": await shown_host_key(sshd.address)}

    def fail() -> None:
        time.sleep(0.2)
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", fail)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), connected(Target("docker-ssh", sshd.address, **known)):
            pass


async def test_an_ssh_connection_that_is_closed_while_it_is_used_is_no_error(sshd: Sshd) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    known = {"key_file": sshd.key_file, "host_key": await shown_host_key(sshd.address)}
    for hundredths in range(10):
        async with connected(Target("docker-ssh", sshd.address, **known)) as client:
            asking = [asyncio.create_task(client.get("events")) for _ in range(3)]
            await asyncio.sleep(hundredths / 100)
            for one in asking:
                one.cancel()
            await asyncio.wait(asking)
    await asyncio.sleep(0.5)
    assert told == []


def test_only_plain_tcp_beyond_this_machine_is_warned_of() -> None:
    assert Target("docker-tcp", "nas.lan:2375").warning
    assert Target("docker-tcp", "nas.lan:2376", ca_file="/ca.pem").warning is None
    assert Target("docker-tcp", "127.0.0.1:2375").warning is None
    assert Target("docker-tcp", "[::1]:2375").warning is None
    assert Target("docker-socket", "/var/run/docker.sock").warning is None


NO_HOSTS = ["a..b:1", ".a:1", "x" * 64 + ":1", "nas:0", "nas:99999", "http://nas:1", "n s:1"]


@pytest.mark.parametrize("address", ["nas", "a@b:1", *NO_HOSTS])
def test_addresses_of_another_form_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="form"):
        Target("docker-tcp", address).check()


@pytest.mark.parametrize("address", ["nas:1", *(f"root@{address}" for address in NO_HOSTS)])
def test_ssh_addresses_of_another_form_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="form"):
        Target("docker-ssh", address, key_file="/k").check()


@pytest.mark.parametrize("host", ["nas", "nas.lan.", "my_nas.lan", "192.0.2.1", "[fe80::1%eth0]"])
def test_addresses_of_hosts_are_taken(host: str) -> None:
    Target("docker-tcp", f"{host}:1").check()
    Target("docker-ssh", f"root@{host}", key_file="/k").check()


async def test_a_client_speaks_the_engines_version(engine: Engine) -> None:
    async with connected(Target("docker-socket", str(engine.socket))) as client:
        assert client.docker.api_version == "v" + engine.api("/version")["ApiVersion"]
