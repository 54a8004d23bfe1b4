"""A backup of a server that is busy is whole, and brings all of it back."""

import sqlite3
import subprocess
import threading
from pathlib import Path

from tests.factories import container
from tests.faults.suffering import PATIENCE_S, Server, stored
from tests.running import until
from tests.web.site import ARCHNEST

HOSTS = 6
COPIES = 3


def archnest(server: Server, command: str, copy: Path) -> None:
    """Run a command on the server's folder."""
    words = [ARCHNEST, command, str(copy), "--data-dir", str(server.data_dir)]
    subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE_S)


def counts(database: Path) -> dict[str, int]:
    """Which report of each host a sound database holds."""
    assert stored(database)
    connection = sqlite3.connect(database)
    rows = connection.execute(
        "SELECT host_id, json_extract(report_json, '$[0].restartCount') FROM docker_agent_reports"
    ).fetchall()
    connection.close()
    return dict(rows)


def test_a_backup_under_load_holds_all_that_was_acknowledged_and_comes_back(
    server: Server, tmp_path: Path
) -> None:
    acknowledged: dict[str, int] = {}
    ended = threading.Event()

    def push_on(host_id: str) -> None:
        number = 0
        while not ended.is_set():
            number += 1
            server.push(host_id, container("web", restartCount=number))
            acknowledged[host_id] = number

    threads = [threading.Thread(target=push_on, args=(f"h{n}",)) for n in range(HOSTS)]
    for thread in threads:
        thread.start()
    copies = [tmp_path / f"copy-{number}.db" for number in range(COPIES)]
    try:
        until(lambda: len(acknowledged) == HOSTS, "report of each host")
        for copy in copies:
            before = dict(acknowledged)
            archnest(server, "backup", copy)
            held = counts(copy)
            assert {host: n for host, n in before.items() if held.get(host, 0) < n} == {}
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert counts(copies[-1]) != counts(copies[0])
    server.stop()
    archnest(server, "restore", copies[0])
    assert counts(server.database) == counts(copies[0])
    server.start()
    assert server.hosts() == {"kept", *(f"h{n}" for n in range(HOSTS))}
