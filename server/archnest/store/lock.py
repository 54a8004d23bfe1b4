"""One process at a time writes a data folder.

SQLite before 3.51.3 can corrupt a WAL database when two connections write or
checkpoint at once (https://sqlite.org/wal.html#walresetbug), and two servers
would each show half the truth.
"""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from archnest.errors import StartRefused

LOCK_NAME = "archnest.lock"
RETRY_S = 0.05


class DataFolderLock:
    """Held while its process writes the folder; ends with the process, however it ends."""

    def __init__(self, data_dir: Path, patience_s: float = 0.0) -> None:
        self._path = data_dir / LOCK_NAME
        self._patience_s = patience_s
        self._descriptor: int | None = None

    def __enter__(self) -> "DataFolderLock":
        """Take the lock or raise StartRefused when another process keeps it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + self._patience_s
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise StartRefused(
                    f"another archnest already uses the data folder {self._path.parent};"
                    " stop it first or name another folder with --data-dir"
                )
            time.sleep(RETRY_S)
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
