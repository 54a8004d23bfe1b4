"""What an engine can be told to do with one container."""

import asyncio

from aiodocker.containers import DockerContainer

from archnest.model.source import Action
from archnest.sources.connect import Target, connected
from archnest.sources.failures import as_problem

ACTION_S = 120.0
"""A container may take its stop timeout, 10 seconds as Docker sets it, and a slow disk longer."""


async def act(target: Target, container_id: str, action: Action, *, force: bool) -> None:
    """Have the engine do it; returns once it is done.

    `force` removes a container that runs. Raises NotFound, EngineRefused with
    the engine's own words, or SourceUnavailable.
    """
    try:
        async with asyncio.timeout(ACTION_S), connected(target, request_s=ACTION_S) as client:
            await _do(client.docker.containers.container(container_id), action, force)
    except Exception as error:
        raise as_problem(error) from error


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
