"""A server to which bad things happen."""

import re
import sqlite3
import time
import urllib.error
from pathlib import Path
from typing import Any

from tests.factories import container
from tests.web.site import Site

PATIENCE_S = 30


class Server(Site):
    """A server whose folder suffers."""

    retry_after: str | None = None
    """What the last refusal said."""

    @property
    def database(self) -> Path:
        return self.data_dir / "archnest.db"

    def try_push(self, host_id: str, **fields: Any) -> int:
        """Report one container; the status."""
        try:
            self.push(host_id, container("web", **fields))
        except urllib.error.HTTPError as error:
            self.retry_after = error.headers["Retry-After"]
            return error.code
        return 200

    def hosts(self) -> set[str]:
        return {host["hostId"] for host in self.ask("GET", "/api/hosts")["hosts"]}

    def until_pushed(self, host_id: str) -> None:
        """Report until it is taken."""
        deadline = time.monotonic() + PATIENCE_S
        while self.try_push(host_id) != 200:
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)

    def complaints(self) -> list[str]:
        """What it logged from a warning up, all of it: the server ends here."""
        self.stop()
        return [line for line in self.output.splitlines() if re.search(" (error|warning) ", line)]


def stored(database: Path) -> set[str]:
    """The hosts in the database, which must be sound."""
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    rows = connection.execute("SELECT host_id FROM docker_agent_reports").fetchall()
    connection.close()
    return {row[0] for row in rows}
