"""What the tests of faults share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.suffering import Server


@pytest.fixture(scope="session")
def with_admin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an admin, to be copied: making one takes a program's start."""
    one = Server(tmp_path_factory.mktemp("prepared"))
    one.add_admin()
    return one.data_dir


@pytest.fixture
def server(tmp_path: Path, with_admin: Path) -> Iterator[Server]:
    """A running server with an admin and the host kept."""
    one = Server(tmp_path)
    shutil.copytree(with_admin, one.data_dir)
    one.start()
    assert one.try_push("kept") == 200
    assert one.token  # signing in writes, too
    yield one
    one.stop()
