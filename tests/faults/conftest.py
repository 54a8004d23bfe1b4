"""What the tests of faults share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.suffering import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server with an admin and the host kept."""
    one = Server(tmp_path)
    one.add_admin()
    one.start()
    assert one.try_push("kept") == 200
    assert one.token  # signing in writes, too
    yield one
    one.stop()
