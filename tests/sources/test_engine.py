"""A real engine over its unix socket: the same picture as the agent's, live."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from archnest.masking import mask_container
from archnest.model.report import Container, Report
from archnest.sources.connect import Target
from archnest.sources.engine import watch
from tests.agent.script import printed
from tests.engine.dockerd import Engine

PATIENCE_S = 20


async def seen(
    target: Target, holds: Callable[[dict[str, Container]], bool]
) -> dict[str, Container]:
    """The containers by name of the first report for which it holds."""
    found: dict[str, Container] = {}

    async def publish(report: Report) -> None:
        containers = {one.name: one for one in report.containers}
        if holds(containers):
            found.update(containers)
            raise StopAsyncIteration

    with pytest.raises(BaseExceptionGroup):
        async with asyncio.timeout(PATIENCE_S):
            await watch("vm-1", target, publish)
    assert found
    return found


def with_cpu(names: list[str]) -> Callable[[dict[str, Container]], bool]:
    return lambda found: all(
        (stats := found[name].stats) is not None and stats.cpu_percent is not None for name in names
    )


async def test_the_picture_is_the_agents_field_by_field(
    engine: Engine, awkward_containers: dict[str, str]
) -> None:
    target = Target("docker-socket", str(engine.socket))
    running = ["healthy", "limited", "ports", "networks", "shop-web-1"]
    ours = await seen(target, with_cpu(running))
    document = await asyncio.to_thread(printed, engine.environ)
    theirs = {one.name: one for one in msgspec.convert(document, Report).containers}
    assert ours.keys() == theirs.keys()
    for name in awkward_containers:
        assert comparable(ours[name]) == comparable(theirs[name])


def comparable(container: Container) -> dict[str, Any]:
    """Everything but what two looks a second apart see differently."""
    fields: dict[str, Any] = msgspec.to_builtins(mask_container(container))
    # The engine keeps mounts in no order.
    fields["mounts"].sort(key=lambda mount: str(mount["destination"]))
    for name in ("status", "restartCount", "startedAt", "finishedAt"):
        if container.name == "restarting" or name == "status":
            del fields[name]
    if container.name == "restarting":
        del fields["state"], fields["exitCode"], fields["stats"]
    if stats := fields.get("stats"):
        for name in ("cpuPercent", "memUsage", "netRxBytes", "netTxBytes", "pids"):
            stats[name] = stats[name] is not None
    return fields
