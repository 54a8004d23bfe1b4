"""`archnest user` reaches the accounts while a server starts, runs, stops, and without one."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archnest.app import SOCKET_NAME
from archnest.store.database import DATABASE_NAME
from archnest.store.lock import DataFolderLock
from tests.ports import free_port, wait_until_listening
from tests.running import until

ARCHNEST = str(Path(sys.executable).with_name("archnest"))
PASSWORD = b"correct horse battery\n"
PATIENCE_S = 60

ADD = ("add", "ada", "--role", "admin", "--password-stdin")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


class Server:
    """`archnest serve` on a folder and a free port."""

    def __init__(self, data_dir: Path) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [ARCHNEST, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", str(data_dir)]
        )


@pytest.fixture
def start(data_dir: Path) -> Iterator[Callable[[], Server]]:
    """Starts servers on the folder, which are stopped after the test."""
    started: list[Server] = []

    def serve() -> Server:
        started.append(Server(data_dir))
        return started[-1]

    yield serve
    for server in started:
        server.process.terminate()
        server.process.wait(PATIENCE_S)


@pytest.fixture
def server(start: Callable[[], Server]) -> Server:
    """A server that is up."""
    started = start()
    wait_until_listening(started.port)
    return started


def begin(data_dir: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start `archnest user` with a password to read."""
    command = [ARCHNEST, "user", *words, "--data-dir", str(data_dir)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    process.stdin.write(PASSWORD)
    process.stdin.flush()
    return process


def end(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out.decode(), err.decode()


def user(data_dir: Path, *words: str) -> tuple[int, str, str]:
    return end(begin(data_dir, *words))


def archnest(data_dir: Path, *words: str) -> str:
    """What another command prints."""
    command = [ARCHNEST, *words, "--data-dir", str(data_dir)]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=PATIENCE_S
    ).stdout


def names(data_dir: Path) -> list[str]:
    code, out, err = user(data_dir, "list")
    assert (code, err) == (0, "")
    return [line.partition("\t")[0] for line in out.splitlines()]


ADD = ("add", "ada", "--role", "admin", "--password-stdin")


@pytest.mark.usefixtures("server")
class TestWhileAServerRuns:
    def test_it_is_asked_and_the_words_are_the_same(self, data_dir: Path) -> None:
        assert user(data_dir, *ADD) == (0, "added ada (admin)\n", "")
        assert user(data_dir, "add", "mel", "--password-stdin") == (0, "added mel (member)\n", "")
        changed = user(data_dir, "passwd", "mel", "--password-stdin")
        assert changed == (0, "changed the password of mel\n", "")
        code, out, _ = user(data_dir, "list")
        assert (code, out.count("\n")) == (0, 2)
        assert out.startswith("ada\tadmin\tlast signed in: never\n")
        assert user(data_dir, "remove", "mel") == (0, "removed mel\n", "")
        assert names(data_dir) == ["ada"]

    def test_its_refusals_are_told(self, data_dir: Path) -> None:
        user(data_dir, *ADD)
        assert [
            user(data_dir, *ADD),
            user(data_dir, "remove", "ada"),
            user(data_dir, "remove", "eve"),
        ] == [
            (1, "", "archnest: this username is taken\n"),
            (1, "", "archnest: the last admin cannot be removed or demoted\n"),
            (1, "", "archnest: no user has this name\n"),
        ]


@pytest.mark.parametrize("server_runs", [True, False])
def test_what_a_command_changes_is_in_the_record_with_and_without_a_server(
    data_dir: Path, start: Callable[[], Server], server_runs: bool
) -> None:
    if server_runs:
        wait_until_listening(start().port)
    for words in (ADD, ("passwd", "ADA", "--password-stdin"), ("add", "mel", "--password-stdin")):
        assert user(data_dir, *words)[0] == 0
    assert user(data_dir, "remove", "MEL")[0] == 0
    token_id = archnest(data_dir, "token", "create", "nas").split("_")[1]
    archnest(data_dir, "token", "revoke", token_id)
    with contextlib.closing(sqlite3.connect(data_dir / DATABASE_NAME)) as database:
        told = database.execute(
            "SELECT actor, address, action, host_id, target, outcome, detail FROM audit ORDER BY id"
        ).fetchall()
    assert {one[:2] for one in told} == {(None, None)}
    assert [one[2:] for one in told] == [
        ("user.add", None, "ada", "done", "role admin"),
        ("user.change", None, "ada", "done", "password"),
        ("user.add", None, "mel", "done", "role member"),
        ("user.remove", None, "mel", "done", None),
        ("agent-token.create", "nas", token_id, "done", None),
        ("agent-token.revoke", "nas", token_id, "done", None),
    ]


def test_commands_at_once_wait_for_each_other(data_dir: Path) -> None:
    users = [f"user{number}" for number in range(4)]
    running = [begin(data_dir, "add", name, "--password-stdin") for name in users]
    ended = [end(process) for process in running]
    assert [(code, err) for code, _, err in ended] == [(0, "")] * 4
    assert names(data_dir) == users


def test_a_command_waits_for_who_holds_the_folder_and_does_not_answer_yet(
    data_dir: Path,
) -> None:
    user(data_dir, *ADD)
    with DataFolderLock(data_dir):
        adding = begin(data_dir, "add", "mel", "--password-stdin")
        with pytest.raises(subprocess.TimeoutExpired):
            adding.wait(2)
    assert end(adding)[:2] == (0, "added mel (member)\n")
    assert names(data_dir) == ["ada", "mel"]


def test_the_socket_of_a_killed_server_stops_no_command(server: Server, data_dir: Path) -> None:
    # It listens before it can be asked here.
    until((data_dir / SOCKET_NAME).is_socket, "socket")
    server.process.kill()
    server.process.wait(PATIENCE_S)
    assert (data_dir / SOCKET_NAME).is_socket()
    assert user(data_dir, *ADD)[0] == 0
    assert names(data_dir) == ["ada"]
