"""Two machines with one hostId, reports that come late, and clocks that are wrong."""

import time
from typing import Any

import pytest

from archnest.timestamps import rfc3339
from tests.conftest import Client
from tests.factories import container, report

Headers = dict[str, str]


def of_machine(name: str, *names: str, at: float | None = None, **changes: Any) -> dict[str, Any]:
    """A report for `nas` by a machine that was cloned, so that only boot and name differ."""
    return report(
        "nas",
        *map(container, names),
        hostname=name,
        reportedAt=rfc3339(time.time() if at is None else at),
        marks={"bootId": f"boot-of-{name}", "machineId": "ab" * 32},
        **changes,
    )


async def host(client: Client, headers: Headers) -> dict[str, Any]:
    answer = await (await client.get("/api/hosts", headers=headers)).json()
    [found] = answer["hosts"]
    return dict(found)


async def shown_names(client: Client, headers: Headers) -> list[str]:
    path = "/api/agents/docker/hosts/nas/containers"
    answer = await (await client.get(path, headers=headers)).json()
    return [one["name"] for one in answer["containers"]]


async def test_two_machines_with_one_host_id_are_named(
    client: Client, member: Headers, push: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("docker01", "docker02"):
        assert (await push(of_machine(name))).status == 200
        assert (await host(client, member))["conflict"] is None
    assert (await push(of_machine("docker01"))).status == 200
    told = (await host(client, member))["conflict"]
    assert [(one["hostname"], one["address"]) for one in told] == [
        ("docker01", "127.0.0.1"),
        ("docker02", "127.0.0.1"),
    ]
    assert told[0]["lastSeenAt"] > told[1]["lastSeenAt"]
    assert "boot-of" not in str(told)
    await push(of_machine("docker02"))
    again = (await host(client, member))["conflict"]
    assert again[1]["lastSeenAt"] > told[1]["lastSeenAt"]
    [warning] = [one.getMessage() for one in caplog.records if "several machines" in one.message]
    assert "docker01 at 127.0.0.1, docker02 at 127.0.0.1" in warning


async def test_a_conflict_goes_with_its_host(client: Client, admin: Headers, push: Any) -> None:
    for name in ("docker01", "docker02", "docker01"):
        await push(of_machine(name))
    await client.delete("/api/agents/docker/hosts/nas", headers=admin)
    await push(of_machine("docker02"))
    assert (await host(client, admin))["conflict"] is None


async def test_agents_without_marks_are_told_apart_by_name(
    client: Client, member: Headers, push: Any
) -> None:
    for name in ("docker01", "docker02", "docker01"):
        await push(report("nas", hostname=name))
    assert len((await host(client, member))["conflict"]) == 2


async def test_a_late_report_never_replaces_a_newer_one_of_the_same_machine(
    client: Client, member: Headers, push: Any
) -> None:
    now = time.time()
    await push(of_machine("docker01", "new", at=now))
    late = await push(of_machine("docker01", "old", at=now - 20))
    assert late.status == 200
    assert await shown_names(client, member) == ["new"]
    equal = of_machine("docker01", "equal", at=now)
    assert (await push(equal)).status == 200
    assert await shown_names(client, member) == ["equal"]
    # Another machine's clock says nothing about this one's.
    await push(of_machine("docker02", "other", at=now - 20))
    assert await shown_names(client, member) == ["other"]


async def test_a_clock_that_was_ahead_and_is_put_right_silences_nobody(
    client: Client, member: Headers, push: Any
) -> None:
    now = time.time()
    await push(of_machine("docker01", "ahead", at=now + 3_600))
    assert (await host(client, member))["clockSkewS"] == pytest.approx(3_600, abs=30)
    await push(of_machine("docker01", "right", at=now))
    assert await shown_names(client, member) == ["right"]
    assert (await host(client, member))["clockSkewS"] == pytest.approx(0, abs=30)


@pytest.mark.parametrize(
    ("reported_at", "is_known"),
    [
        ("0001-01-01T00:00:00Z", True),
        ("9999-12-31T23:59:59.999999999Z", True),
        ("9999-12-31T23:59:59-23:59", True),
        ("0001-01-01T00:00:00+23:59", True),
        ("0000-00-00T00:00:00Z", False),
        ("2026-13-45T99:99:99Z", False),
        ("2026-06-20T19:30:00+99:99", False),
        (None, False),
    ],
)
async def test_no_clock_breaks_anything(
    client: Client, member: Headers, push: Any, reported_at: str | None, is_known: bool
) -> None:
    for _ in range(2):
        wild = of_machine("docker01", "web") | {"reportedAt": reported_at}
        assert (await push(wild)).status == 200
    skew = (await host(client, member))["clockSkewS"]
    assert (skew is not None) == is_known
    assert (await push(of_machine("docker01", "later"))).status == 200
    assert await shown_names(client, member) == ["later"]


@pytest.mark.parametrize("marks", [{"bootId": ""}, {"machineId": "x" * 129}, {"bootId": 7}, []])
async def test_marks_of_a_wrong_form_are_named(push: Any, marks: Any) -> None:
    response = await push(report("nas", marks=marks))
    assert response.status == 400
    assert (await response.json())["detail"].startswith("$.marks")
