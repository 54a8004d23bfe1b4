"""Containers in every state and with every oddity that the agent must report."""

import random
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.dockerd import Engine

IMAGE = "archnest-test:1"
SETTLE_S = 30

SECRET = "hunter2"
HOSTILE = "<img src=x onerror=alert(1)>"
MULTI_LINE = "first line\nsecond=line\n\n  last\ttab"

ALONE = ["--network", "none"]
SLEEP = ["sleep", "100000"]
FLOOD = "while :; do yes 'a line of a log that floods' | head -n 2000; sleep 0.1; done"
"""As much as the server hands on of a log. `yes` alone would take a core and write 20 MB a
second, which the tests beside it wait for.
"""


def free_range(count: int) -> int:
    """The first of so many free ports in a row, for TCP and UDP."""
    while True:
        base = random.randrange(20000, 32000)
        sockets = [socket.socket(socket.AF_INET, kind) for kind in (1, 2) for _ in range(count)]
        try:
            for number, one in enumerate(sockets):
                one.bind(("0.0.0.0", base + number % count))
            return base
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()


def plain(folder: Path) -> dict[str, list[str]]:
    """Name to arguments of `docker run`, for those on no network of ours."""
    short = ["--health-interval", "1s", "--health-retries", "1"]
    return {
        "healthy": [*ALONE, "--health-cmd", "true", *short, IMAGE, *SLEEP],
        "unhealthy": [*ALONE, "--health-cmd", "false", *short, IMAGE, *SLEEP],
        "starting": [*ALONE, "--health-cmd", "true", "--health-interval", "1h", IMAGE, *SLEEP],
        "paused": [*ALONE, IMAGE, *SLEEP],
        "exited-3": [*ALONE, IMAGE, "sh", "-c", "exit 3"],
        "restarting": [*ALONE, "--restart", "always", IMAGE, "false"],
        "environment": [*ALONE, *environment(), IMAGE, *SLEEP],
        "secrets": [*ALONE, *secrets(), IMAGE, "sh", "-c", f"sleep 99999 # --token {SECRET}"],
        "mounts": [*ALONE, *mounts(folder), IMAGE, *SLEEP],
        "hostile": [*ALONE, *hostile(), IMAGE, *SLEEP],
        "limited": [*ALONE, "--memory", "64m", "--restart", "on-failure:3", IMAGE, *SLEEP],
        "shop-web-1": [
            *ALONE,
            *compose("shop", "web"),
            "--restart",
            "unless-stopped",
            IMAGE,
            *SLEEP,
        ],
        "shop-db-1": [*ALONE, *compose("shop", "db"), IMAGE, *SLEEP],
        "quoted": [*ALONE, "--entrypoint", "/bin/sh", IMAGE, "-c", 'sleep 99999 # it\'s "$HOME"'],
    }


def environment() -> list[str]:
    """Values that line-based tools break on."""
    values = {"MULTI": MULTI_LINE, "EQUALS": "a=b==c", "EMPTY": "", "UNICODE": "Grüße 🐳"}
    return [word for key, value in values.items() for word in ("--env", f"{key}={value}")]


def secrets() -> list[str]:
    """The secret in every place that the masking rule covers."""
    env = {"DB_PASSWORD": SECRET, "MULTI_SECRET": f"{SECRET}\n{SECRET}"}
    env |= {"DATABASE_URL": f"postgres://app:{SECRET}@db/app", "OPTS": f"-x --db-password={SECRET}"}
    labels = {"api.token": SECRET, "link": f"https://me:{SECRET}@example.org/"}
    words = [word for key, value in env.items() for word in ("--env", f"{key}={value}")]
    words += [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    return words


def mounts(folder: Path) -> list[str]:
    """Every kind of mount."""
    return [
        *("--volume", f"{folder}:/read-only:ro", "--volume", f"{folder}:/bind"),
        *("--volume", "named-volume:/named", "--volume", "/anonymous"),
        *("--tmpfs", "/scratch:size=1m", "--tmpfs", "/sealed:ro,size=1m"),
        *("--mount", "type=tmpfs,destination=/typed"),
    ]


def hostile() -> list[str]:
    """Text that would run or mislead on a careless page."""
    labels = {"title": HOSTILE, "größe": "über 🐳", "spoof": "a\u202egnp.exe", "<b>bold</b>": "x"}
    words = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    return [*words, "--env", f"HTML={HOSTILE}"]


def compose(project: str, service: str) -> list[str]:
    """The labels that Docker Compose gives."""
    prefix = "--label=com.docker.compose."
    return [f"{prefix}project={project}", f"{prefix}service={service}", f"{prefix}oneoff=False"]


def published() -> list[str]:
    """Several bindings, IPv6, udp, a range and one that is only exposed."""
    base = free_range(6)
    return [
        *("--publish", f"127.0.0.1:{base}:80", "--publish", f"[::1]:{base + 1}:80"),
        *("--publish", f"127.0.0.1:{base + 2}:53/udp"),
        *("--publish", f"127.0.0.1:{base + 3}-{base + 5}:7000-7002"),
        *("--expose", "9000"),
    ]


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Return once it holds; fail after SETTLE_S."""
    deadline = time.monotonic() + SETTLE_S
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"no {what} within {SETTLE_S} s")
        time.sleep(0.1)


def settled(state: dict[str, dict[str, Any]]) -> bool:
    """Whether each has come to the state that its name promises."""
    return bool(
        state["healthy"]["State"]["Health"]["Status"] == "healthy"
        and state["unhealthy"]["State"]["Health"]["Status"] == "unhealthy"
        and state["exited-3"]["State"]["Status"] == "exited"
        # By then it waits for seconds between its starts.
        and state["restarting"]["RestartCount"] >= 5
    )


@pytest.fixture(scope="session")
def awkward_containers(
    engine: "Engine", tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Name to full id of about a dozen awkward containers, settled."""
    folder = tmp_path_factory.mktemp("bind")
    for network in ("front", "back"):
        engine.docker("network", "create", network)
    run = {name: ["run", "-d", "--name", name, *args] for name, args in plain(folder).items()}
    run["created"] = ["create", "--name", "created", *ALONE, IMAGE, *SLEEP]
    run["ports"] = ["run", "-d", "--name", "ports", "--network", "front", *published()]
    run["ports"] += [IMAGE, *SLEEP]
    run["networks"] = ["run", "-d", "--name", "networks", "--network", "front", IMAGE, *SLEEP]
    with ThreadPoolExecutor(4) as pool:
        ids = dict(zip(run, pool.map(lambda args: engine.docker(*args), run.values()), strict=True))
    sidecar = ["--name", "sidecar", "--network", "container:networks", IMAGE, *SLEEP]
    ids["sidecar"] = engine.docker("run", "-d", *sidecar)
    engine.docker("pause", "paused")
    engine.docker("network", "connect", "back", "networks")
    names = ("healthy", "unhealthy", "exited-3", "restarting")
    wait_until(
        lambda: settled({name: engine.api(f"/containers/{name}/json") for name in names}),
        "settled containers",
    )
    return ids
