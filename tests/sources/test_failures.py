"""What each failure is called, where no test can bring it about as root."""

import asyncio
import errno

import pytest

from archnest.errors import Conflict
from archnest.sources.failures import SourceFailure, explained


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
