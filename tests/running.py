"""Programs of ours, started as people start them, and what they print."""

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.ports import free_port

PATIENCE_S = 30


class Running:
    """A started program and the lines it has printed."""

    def __init__(
        self,
        module: str,
        folder: Path,
        environ: dict[str, str],
        *,
        before: Sequence[str] = (),
        arguments: Sequence[str] = (),
    ) -> None:
        """`before` is a command that becomes the program, such as setpriv."""
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", module, *arguments],
            cwd=folder,
            env={
                "HOME": str(folder),
                "ARCHNEST_LISTEN": f"127.0.0.1:{self.port}",
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.output += line

    def prints(self, pattern: str) -> re.Match[str]:
        """Wait until the output holds the pattern."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            ended = not self._reader.is_alive()
            if match := re.search(pattern, self.output):
                return match
            assert not ended, f"it ended without {pattern}:\n{self.output}"
            assert time.monotonic() < deadline, f"no {pattern} in:\n{self.output}"
            time.sleep(0.05)

    def ends(self) -> int:
        """Wait for its end; its exit code."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code

    def child(self, word: str) -> int:
        """The pid of its child whose command line holds the word."""
        return until(lambda: self.children().get(word), f"a child {word}")

    def children(self) -> dict[str, int]:
        """Its children, by every word of their command lines."""
        pid = self.process.pid
        pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {Path(word).name: int(one) for one in pids for word in words_of(int(one))}

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """The JSON answer to a request."""
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def sign_in_first(self) -> str:
        """Make the first admin with the printed link; the session's token."""
        code = self.prints(r"/#/setup\?code=(\S+)")[1]
        body = {"code": code, "username": "ada", "password": "correct horse battery"}
        return str(self.ask("POST", "/api/auth/setup", body)["token"])

    def hosts(self, token: str) -> dict[str, Any]:
        """What the API tells of each host."""
        listed = self.ask("GET", "/api/agents/docker/hosts", token=token)["hosts"]
        return {host["hostId"]: host for host in listed}


def words_of(pid: int) -> list[str]:
    """The command line of a process; empty when it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return []


def until(found: Callable[[], Any], what: str) -> Any:
    """The first true value; fails after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := found()):
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.05)
    return value
