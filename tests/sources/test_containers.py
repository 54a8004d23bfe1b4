"""What the awkward containers of a real engine do not show."""

from typing import Any

import msgspec
import pytest

from archnest.model.report import Container, Stats
from archnest.sources.containers import Inspected, Listed, container_of, unreadable


def made(stats: Stats | None = None, **fields: Any) -> Container:
    inspected = msgspec.convert({"Id": "ab" * 32, "Name": "/web", **fields}, Inspected)
    return container_of(inspected, Listed("ab" * 32, state="running"), stats)


def test_secrets_are_masked_before_anything_is_cut() -> None:
    value = "x" * 32_700 + " https://me:" + "hunter2" * 30 + "@example.org"
    found = made(
        Config={"Env": [f"LINK={value}", "DB_PASSWORD=hunter2"], "Labels": {"a.token": "h"}}
    )
    assert "hunter2" not in str(found)
    assert all(len(entry.value) <= 32_768 for entry in found.env or [])


def test_a_container_of_which_little_is_known_is_shown_with_that() -> None:
    found = made()
    assert (found.name, found.state, found.health, found.ports) == ("web", "running", "none", [])
    assert (found.restart_policy, found.env, found.labels, found.stats) == ("no", [], {}, None)
    listed = Listed("cd" * 32, ["/odd"], "nginx", "exited", "Exited (1) 3 hours ago")
    alone = unreadable(listed)
    assert (alone.name, alone.image, alone.state, alone.env) == ("odd", "nginx", "exited", None)


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ({"Status": "running", "ExitCode": 0}, None),
        ({"Status": "stopping", "ExitCode": 0}, None),
        ({"Status": "initialized", "ExitCode": 0}, None),
        ({"Status": "created", "ExitCode": 0}, None),
        ({"Status": "created", "ExitCode": 127}, 127),
        ({"Status": "exited", "ExitCode": 0}, 0),
    ],
)
def test_an_exit_code_is_shown_once_there_is_one(state: dict[str, Any], shown: int | None) -> None:
    assert made(State=state).exit_code == shown


def test_times_that_have_not_come_are_absent() -> None:
    found = made(Created="2026-06-20T16:00:00Z", State={"FinishedAt": "0001-01-01T00:00:00Z"})
    assert (found.created_at, found.finished_at) == ("2026-06-20T16:00:00Z", None)


def test_podmans_health_and_image_are_found_under_their_names() -> None:
    found = made(State={"Healthcheck": {"Status": "healthy"}}, ImageName="docker.io/nginx")
    assert (found.health, found.image) == ("healthy", "docker.io/nginx")


def test_mounts_come_in_one_order() -> None:
    paths = ["/z", "/ä", "/a b", "/Z", "/\U0001f433", "/a", "/\uffee"]
    mounts = [{"Type": "bind", "Source": "/s", "Destination": path, "RW": True} for path in paths]
    found = made(Mounts=mounts, HostConfig={"Tmpfs": {"/y": "", "/b": ""}})
    assert [one.destination for one in found.mounts or []] == sorted([*paths, "/y", "/b"])


@pytest.mark.parametrize(
    ("mode", "shown"),
    [("bridge", 5), ("mine", 5), ("none", None), ("host", None), ("container:" + "c" * 64, None)],
)
def test_traffic_is_of_a_network_of_its_own(mode: str, shown: int | None) -> None:
    state = {"Status": "running"}
    found = made(
        Stats(1.0, net_rx_bytes=5, net_tx_bytes=5), State=state, HostConfig={"NetworkMode": mode}
    )
    assert found.stats == Stats(1.0, net_rx_bytes=shown, net_tx_bytes=shown)
