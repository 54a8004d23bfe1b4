"""Running containers on a real engine, with the environment and labels that reports have here.

They all sleep, on the networks and volumes of their compose projects.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from bench.reports import CONTAINERS, Reports
from tests.engine.dockerd import Engine, image

PROJECT = "com.docker.compose.project"


def fill(engine: Engine, reports: Reports, numbers: range) -> None:
    """Run the containers of these numbers."""
    described = {number: _described(reports, number) for number in numbers}
    for one in described.values():
        network = f"{one['labels'][PROJECT]}_default"
        if network not in engine.docker("network", "ls", "--format", "{{.Name}}").split():
            engine.docker("network", "create", network)
        if not engine.docker("image", "ls", "-q", one["image"]):
            # Another label makes it another image, with an id of its own.
            label = f"LABEL org.opencontainers.image.ref.name={one['image']}"
            engine.docker("import", "--change", label, "-", one["image"], stdin=image())
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda number: engine.docker(*_run(number, described[number])), numbers))


def _described(reports: Reports, number: int) -> dict[str, Any]:
    host, place = divmod(number, CONTAINERS)
    containers = msgspec.json.decode(reports.body(host, 0))["containers"]
    one: dict[str, Any] = containers[place % len(containers)]
    return one


def _run(number: int, one: dict[str, Any]) -> list[str]:
    words = ["run", "-d", "--name", f"{one['name']}-{number}", "--restart", "unless-stopped"]
    words += ["--network", f"{one['labels'][PROJECT]}_default"]
    for mount in one["mounts"]:
        words += ["--volume", f"{mount['source']}:{mount['destination']}"]
    for port in {port["containerPort"] for port in one["ports"]}:
        words += ["--expose", str(port)]
    for entry in one["env"]:
        words += ["--env", f"{entry['key']}={entry['value']}"]
    for key, value in one["labels"].items():
        words += ["--label", f"{key}={value}"]
    return [*words, one["image"], "sleep", "1000000"]
