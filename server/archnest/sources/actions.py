"""What an engine can be told to do with one container."""

import asyncio

from aiodocker.containers import DockerContainer

from archnest.model.source import Action
from archnest.sources.connect import Client, Target, as_object, connected
from archnest.sources.failures import as_problem

ACTION_S = 120.0
"""A container may take its stop timeout, 10 seconds as Docker sets it, and a slow disk longer."""
LONGEST_STOP_S = 3600
"""Of a stop timeout beyond, as that of a container that may take for ever, so much is waited."""


async def act(target: Target, container_id: str, action: Action, *, force: bool) -> None:
    """Have the engine do it; returns once it is done.

    `force` removes a container that runs. Raises NotFound, EngineRefused with
    the engine's own words, or SourceUnavailable.
    """
    try:
        async with (
            asyncio.timeout(ACTION_S) as deadline,
            connected(target, request_s=ACTION_S) as client,
        ):
            if action in ("stop", "restart"):
                longer_s = ACTION_S + await _stop_timeout_s(client, container_id)
                deadline.reschedule(asyncio.get_running_loop().time() + longer_s)
            await _do(client.docker.containers.container(container_id), action, force)
    except Exception as error:
        raise as_problem(error) from error


async def _stop_timeout_s(client: Client, container_id: str) -> int:
    """How long the container itself may take to stop, where it was made to take its time."""
    inspected = as_object(await client.get(f"containers/{container_id}/json"))
    told = as_object(inspected.get("Config") or {}).get("StopTimeout")
    if not isinstance(told, int):
        return 0
    return min(told, LONGEST_STOP_S) if told >= 0 else LONGEST_STOP_S


async def _do(container: DockerContainer, action: Action, force: bool) -> None:
    match action:
        case "start":
            await container.start()
        case "stop":
            await container.stop()
        case "restart":
            await container.restart()
        case "pause":
            await container.pause()
        case "unpause":
            await container.unpause()
        case "kill":
            await container.kill()
        case "remove":
            await container.delete(force=force)
