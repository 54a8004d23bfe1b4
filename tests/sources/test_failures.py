"""What each failure is called, where no test can bring it about as root."""

import asyncio
import errno
from typing import Any

import pytest
from aiodocker import DockerError
from aiohttp import ServerDisconnectedError
from aiohttp.http_exceptions import (
    ContentEncodingError,
    ContentLengthError,
    TransferEncodingError,
)

from archnest.errors import Conflict, EngineRefused
from archnest.sources.failures import MAX_SAID, SourceFailure, as_problem, explained


def caused(inner: Exception) -> Exception:
    """As libraries wrap what failed."""
    outer = OSError("cannot connect")
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (PermissionError(errno.EACCES, "", "/run/docker.sock"), "no-permission", "docker.sock"),
        (OSError(errno.EHOSTUNREACH, ""), "unreachable", "no way"),
        (TimeoutError(), "timed-out", "in time"),
        (ConnectionResetError(errno.ECONNRESET, ""), "disconnected", "closed"),
        (BrokenPipeError(errno.EPIPE, ""), "disconnected", "closed"),
        (ServerDisconnectedError(), "disconnected", "closed"),
        (TransferEncodingError("not enough data"), "disconnected", "closed"),
        (ContentLengthError("not enough data"), "disconnected", "closed"),
        (ContentEncodingError("no gzip"), "not-an-engine", "Engine API"),
        (Conflict("an agent reports it"), "conflict", "an agent reports it"),
        (SourceFailure("api-too-old", "too old"), "api-too-old", "too old"),
        (RuntimeError("a\x1b[31mfault\n"), "failed", "a [31mfault "),
    ],
)
def test_the_innermost_cause_names_a_failure(error: Exception, kind: str, words: str) -> None:
    for wrapped in (error, caused(error), ExceptionGroup("tasks", [caused(error)])):
        found = explained(wrapped)
        assert found.kind == kind
        assert words in found.detail


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('{"message": "it is paused:\\nno"}', "it is paused: no"),
        ("it is paused", "it is paused"),
        ('{"error": "paused"}', '{"error": "paused"}'),
        ('["paused"]', '["paused"]'),
        ("404", "404"),
        ("[" * 100_000, "[" * MAX_SAID),
        ('{"message": null}', "status 500, without a reason"),
        ("{}", "status 500, without a reason"),
        ("[]", "status 500, without a reason"),
        ("null", "status 500, without a reason"),
        ("", "status 500, without a reason"),
        (None, "status 500, without a reason"),
    ],
    ids=lambda text: str(text)[:20],
)
def test_an_engines_refusal_is_told_in_its_own_words(message: Any, words: str) -> None:
    refused = as_problem(DockerError(500, message))
    assert (type(refused), refused.detail) == (EngineRefused, words)
    assert words[:400] in explained(DockerError(500, message)).detail


async def test_the_first_task_to_fail_is_the_reason() -> None:
    async def refused() -> None:
        raise ConnectionRefusedError

    async def both() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(refused())
            tasks.create_task(asyncio.sleep(60))

    with pytest.raises(BaseExceptionGroup) as raised:
        await both()
    assert explained(raised.value).kind == "refused"
