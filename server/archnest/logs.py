"""The server's log: one line an event on stderr, as text or as JSON."""

import json
import logging
import sys
import time

from archnest.config import Config
from archnest.timestamps import rfc3339

BURST = 20
"""Lines per second that one logger of a foreign library may write."""


class TextFormatter(logging.Formatter):
    """`time level logger: message`, control characters escaped, one line."""

    def format(self, record: logging.LogRecord) -> str:
        line = (
            f"{rfc3339(record.created)} {record.levelname.lower()} {record.name}: {_text(record)}"
        )
        return line.encode("unicode_escape").decode("ascii").replace("\\\\", "\\")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": rfc3339(record.created),
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": _text(record),
            }
        )


class Bounded(logging.Filter):
    """Drops what exceeds BURST lines in a second, and the tracebacks of bad requests.

    aiohttp logs a whole traceback for each malformed request, so whoever can
    connect could fill the disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._second = 0
        self._count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            record.msg, record.args = f"{record.getMessage()}: {type(error).__name__}", ()
            record.exc_info = None
        return self._count <= BURST


def configure(config: Config) -> None:
    """Send every log line to stderr in the format the operator chose."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if config.log_format == "json" else TextFormatter())
    logging.basicConfig(level=config.log_level.upper(), handlers=[handler], force=True)
    for name in ("aiohttp.server", "aiohttp.web", "aiohttp.access", "asyncio"):
        logger = logging.getLogger(name)
        logger.filters.clear()
        logger.addFilter(Bounded())
    for name in ("aiosqlite", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))


def _text(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.exc_info:
        text += "\n" + logging.Formatter().formatException(record.exc_info)
    return text
