"""The archnest command: 0 done, 1 failed with one plain line, 2 wrong usage."""

import io
import json
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archnest import __version__, cli
from archnest.auth.passwords import Passwords
from archnest.store.database import DATABASE_NAME
from archnest.store.lock import DataFolderLock
from tests.sources.transports import openssl

ARCHNEST = str(Path(sys.executable).with_name("archnest"))
PASSWORD = "correct horse battery"
PATIENCE_S = 60

Outcome = tuple[int, str, str]
Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _event_loop_never_blocked() -> None:
    """A command has its event loop to itself, so here it may block."""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def archnest(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Run a command here; its exit code, stdout and stderr."""
    monkeypatch.setenv("ARCHNEST_DATA_DIR", str(data_dir))
    umask = os.umask(0o022)

    def run(*words: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            code = cli.main(words)
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    yield run
    os.umask(umask)


@pytest.fixture
def with_users(archnest: Command) -> Command:
    """The command on a folder with an admin, ada, and a member, mel."""
    assert add(archnest, "ada", "--role", "admin")[0] == 0
    assert add(archnest, "mel")[0] == 0
    return archnest


def add(archnest: Command, *words: str, password: str = PASSWORD) -> Outcome:
    return archnest("user", "add", *words, "--password-stdin", stdin=f"{password}\n".encode())


def users(archnest: Command) -> list[list[str]]:
    code, out, _ = archnest("user", "list")
    assert code == 0
    return [line.split("\t")[:2] for line in out.splitlines()]


def assert_fails(outcome: Outcome, *words: str) -> None:
    """Exit 1, nothing on stdout, one plain line on stderr that says these words."""
    code, out, err = outcome
    assert (code, out) == (1, "")
    assert err.startswith("archnest: ")
    assert err.endswith("\n")
    assert err.removesuffix("\n").isprintable()
    assert [word for word in words if word not in err] == []


class TestUsage:
    @pytest.mark.parametrize(
        "words",
        [
            (),
            ("fly",),
            ("user",),
            ("user", "fly"),
            ("user", "add"),
            ("user", "add", "eve", "--role", "owner"),
            ("user", "passwd"),
            ("user", "remove"),
            ("user", "list", "extra"),
            ("backup",),
            ("serve", "--port", "1"),
            ("serve", "extra"),
        ],
        ids=" ".join,
    )
    def test_a_wrong_one_exits_2_and_is_told(
        self, archnest: Command, data_dir: Path, words: tuple[str, ...]
    ) -> None:
        code, out, err = archnest(*words)
        assert (code, out) == (2, "")
        assert err.startswith("usage: archnest")
        assert not data_dir.exists()

    def test_help_is_no_failure(self, archnest: Command) -> None:
        code, out, err = archnest("--help")
        assert (code, err) == (0, "")
        for word in ("serve", "user", "migrate", "backup", "openapi"):
            assert word in out

    def test_the_version_is_printed(self, archnest: Command) -> None:
        assert archnest("--version") == (0, f"archnest {__version__}\n", "")

    def test_the_api_is_printed_as_one_openapi_document(
        self, archnest: Command, data_dir: Path
    ) -> None:
        code, out, err = archnest("openapi")
        assert (code, err) == (0, "")
        described = json.loads(out)
        assert described["openapi"].startswith("3.1")
        assert "/api/openapi.json" in described["paths"]
        assert not data_dir.exists()

    def test_a_wrong_setting_is_named(
        self, archnest: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARCHNEST_SESSION_TTL_S", "soon")
        assert_fails(archnest("user", "list"), "ARCHNEST_SESSION_TTL_S", "'soon'")

    def test_a_wrong_address_stops_serve(self, archnest: Command) -> None:
        assert_fails(archnest("serve", "--listen", "nowhere"), "ARCHNEST_LISTEN", "HOST:PORT")

    def test_an_address_that_does_not_resolve_stops_serve(self, archnest: Command) -> None:
        archnest("migrate")
        # No zone has this name, which needs no name server to tell.
        outcome = archnest("serve", "--listen", "[fe80::1%nosuch]:0")
        assert_fails(outcome, "ARCHNEST_LISTEN", "does not resolve: Name or service not known")

    def test_nobody_is_asked_for_the_passphrase_of_a_key(
        self, archnest: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
        made = ["-passout", "pass:secret", "-keyout", key, "-out", cert]
        openssl("req", "-x509", "-newkey", "rsa:2048", "-subj", "/CN=nest", *made)
        monkeypatch.setenv("ARCHNEST_TLS_CERT", cert)
        monkeypatch.setenv("ARCHNEST_TLS_KEY", key)
        archnest("migrate")
        outcome = archnest("serve", "--listen", "127.0.0.1:0")
        assert_fails(outcome, "ARCHNEST_TLS_KEY is wrong", "encrypted")


class TestAddingAUser:
    def test_makes_a_member_unless_told_otherwise(self, archnest: Command) -> None:
        assert add(archnest, "mel") == (0, "added mel (member)\n", "")
        assert add(archnest, "ada", "--role", "admin") == (0, "added ada (admin)\n", "")
        assert users(archnest) == [["ada", "admin"], ["mel", "member"]]

    def test_leaves_a_private_folder(self, archnest: Command, data_dir: Path) -> None:
        add(archnest, "ada")
        assert data_dir.stat().st_mode & 0o077 == 0
        assert [path for path in data_dir.iterdir() if path.stat().st_mode & 0o077] == []

    @pytest.mark.parametrize("name", ["", "a b", "-", ".", "..", "a/b", "ä", "x" * 65, "a\x1b[31m"])
    def test_takes_only_names_that_can_be_typed_and_addressed(
        self, archnest: Command, data_dir: Path, name: str
    ) -> None:
        assert_fails(
            archnest("user", "add", "--password-stdin", "--", name), "a username is 1 to 64"
        )
        assert not data_dir.exists()

    @pytest.mark.parametrize("password", ["", "seven77", "x" * 1025, "x" * 100_000])
    def test_takes_no_password_that_is_too_short_or_too_long(
        self, archnest: Command, password: str
    ) -> None:
        assert_fails(add(archnest, "ada", password=password), "8 to 1024 characters")
        assert add(archnest, "ada")[0] == 0

    @pytest.mark.parametrize(
        ("stdin", "reason"),
        [(b"", "no password"), (b"\xff\xfe is not text\n", "not UTF-8")],
    )
    def test_takes_no_password_that_is_none(
        self, archnest: Command, stdin: bytes, reason: str
    ) -> None:
        assert_fails(archnest("user", "add", "ada", "--password-stdin", stdin=stdin), reason)

    def test_takes_the_passwords_line_without_its_end(
        self, archnest: Command, data_dir: Path
    ) -> None:
        for name, stdin in (("unix", " päss wörd \nmore\n"), ("dos", "some words\r\n")):
            words = ("user", "add", name, "--password-stdin")
            assert archnest(*words, stdin=stdin.encode())[0] == 0
        assert fits(data_dir, "unix", " päss wörd ")
        assert fits(data_dir, "dos", "some words")

    def test_needs_a_terminal_to_ask_for_the_password(self, archnest: Command) -> None:
        assert_fails(archnest("user", "add", "ada"), "--password-stdin")

    def test_takes_no_name_twice(self, with_users: Command) -> None:
        assert_fails(add(with_users, "ADA"), "this username is taken")


class TestChangingUsers:
    def test_a_password_is_set(self, with_users: Command, data_dir: Path) -> None:
        words = ("user", "passwd", "mel", "--password-stdin")
        outcome = with_users(*words, stdin=b"another password")
        assert outcome == (0, "changed the password of mel\n", "")
        assert fits(data_dir, "mel", "another password")
        assert not fits(data_dir, "mel", PASSWORD)

    def test_a_user_is_removed(self, with_users: Command) -> None:
        assert with_users("user", "remove", "mel") == (0, "removed mel\n", "")
        assert users(with_users) == [["ada", "admin"]]

    def test_the_last_admin_is_not_removed(self, with_users: Command) -> None:
        assert_fails(with_users("user", "remove", "ada"), "the last admin")
        assert ["ada", "admin"] in users(with_users)

    def test_an_unknown_user_is_told(self, with_users: Command) -> None:
        assert_fails(with_users("user", "remove", "eve"), "no user has this name")
        words = ("user", "passwd", "eve", "--password-stdin")
        assert_fails(with_users(*words, stdin=b"long enough"), "no user has this name")

    @pytest.mark.parametrize("name", ["..", "../mel", "mel%2f", "m\udcffel", "mel\x00"])
    def test_what_is_no_name_reaches_nothing(self, with_users: Command, name: str) -> None:
        assert_fails(with_users("user", "remove", name), "a username is 1 to 64")
        assert len(users(with_users)) == 2

    @pytest.mark.parametrize("words", [("list",), ("remove", "ada")], ids=" ".join)
    def test_a_mistyped_folder_is_told_and_not_made(
        self, archnest: Command, data_dir: Path, words: tuple[str, ...]
    ) -> None:
        assert_fails(archnest("user", *words), "there is no database", "--data-dir")
        assert not data_dir.exists()


class TestMigrating:
    def test_says_what_it_applied_once(self, archnest: Command, data_dir: Path) -> None:
        code, out, _ = archnest("migrate")
        assert code == 0
        assert out.startswith("applied 0001_initial")
        assert archnest("migrate") == (0, "nothing to apply\n", "")
        assert (data_dir / DATABASE_NAME).is_file()

    def test_is_refused_while_another_process_holds_the_folder(
        self, with_users: Command, data_dir: Path
    ) -> None:
        with DataFolderLock(data_dir):
            assert_fails(with_users("migrate"), "another archnest", "--data-dir")

    def test_is_refused_where_the_database_is_none(self, archnest: Command, data_dir: Path) -> None:
        data_dir.mkdir(mode=0o700)
        (data_dir / DATABASE_NAME).write_text(
            "this is not a database, but it is long enough\n" * 99
        )
        for words in (("migrate",), ("user", "list"), ("serve", "--listen", "127.0.0.1:0")):
            assert_fails(archnest(*words), DATABASE_NAME)


def test_a_backup_is_written_once(with_users: Command, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    assert with_users("backup", str(target)) == (0, f"wrote {target}\n", "")
    assert_fails(with_users("backup", str(target)), "never overwrites")


def test_a_holder_of_the_folder_that_never_answers_is_told(
    with_users: Command, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.data_folder.PATIENCE_S", 0.2)
    with DataFolderLock(data_dir):
        assert_fails(with_users("user", "list"), "does not answer on its socket")


def test_a_folder_that_cannot_be_made_is_told(archnest: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = ("user", "add", "ada", "--password-stdin", "--data-dir", str(tmp_path / "file" / "x"))
    assert_fails(archnest(*words, stdin=b"long enough"), str(tmp_path / "file"))


def fits(data_dir: Path, username: str, password: str) -> bool:
    """Whether the stored hash is this password's."""
    database = sqlite3.connect(data_dir / DATABASE_NAME)
    try:
        (stored,) = database.execute(
            "SELECT password_hash FROM users WHERE username = ?", (username,)
        ).fetchone()
    finally:
        database.close()
    passwords = Passwords()
    try:
        return passwords._verify(stored, password)
    finally:
        passwords.close()


class TestInATerminal:
    """Typed passwords, readers that go away and disks that are full, as processes see them."""

    @pytest.fixture
    def typed(self, data_dir: Path) -> Callable[..., Outcome]:
        """Run `archnest user add ada` and type an answer to each prompt."""

        def run(*answers: bytes) -> Outcome:
            ours, theirs = pty.openpty()
            command = [ARCHNEST, "user", "add", "ada", "--data-dir", str(data_dir)]
            with subprocess.Popen(
                command,
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # without a controlling terminal it asks on stdin
            ) as process:
                assert process.stdout is not None
                assert process.stderr is not None
                err = b""
                # What is typed before the prompt is dropped.
                for answer in answers:
                    while not err.endswith(b": "):
                        err += process.stderr.read(1)
                    os.write(ours, answer)
                    err += b"\n"
                err += process.stderr.read()
                out = process.stdout.read()
            os.close(theirs)
            os.close(ours)
            return process.returncode, out.decode(), err.decode()

        return run

    def test_a_password_is_typed_twice_and_not_shown(
        self, typed: Callable[..., Outcome], data_dir: Path
    ) -> None:
        code, out, err = typed(*[f"{PASSWORD}\n".encode()] * 2)
        assert (code, out) == (0, "added ada (member)\n")
        assert PASSWORD not in err
        assert fits(data_dir, "ada", PASSWORD)

    @pytest.mark.parametrize(
        ("answers", "reason"),
        [
            ([b"correct horse\n", b"correct house\n"], "the two passwords differ"),
            ([b"\x04"], "no password was given"),
            ([b"\xff\xfe long enough\n"] * 2, "not UTF-8"),
        ],
    )
    def test_a_mistyped_one_is_told(
        self, typed: Callable[..., Outcome], answers: list[bytes], reason: str
    ) -> None:
        code, out, err = typed(*answers)
        assert (code, out) == (1, "")
        assert reason in err.splitlines()[-1]
        assert "Traceback" not in err

    def test_a_reader_that_goes_away_causes_no_noise(self) -> None:
        process = subprocess.Popen(
            [ARCHNEST, "openapi"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(PATIENCE_S) == 1

    def test_a_full_disk_is_a_failure(self) -> None:
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [ARCHNEST, "openapi"], stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE_S
            )
        assert done.returncode == 1
        assert done.stderr == b"archnest: failed: No space left on device\n"

    def test_what_is_printed_cannot_move_the_cursor(self, tmp_path: Path) -> None:
        name = os.fsencode(tmp_path) + b"/\x1b[2J\xff"
        command = [ARCHNEST.encode(), b"backup", name, b"--data-dir", name]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S)
        assert done.returncode == 1
        assert b"\x1b" not in done.stderr
        assert done.stderr.count(b"\n") == 1
