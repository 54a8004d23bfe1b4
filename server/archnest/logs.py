"""The server's log: one line an event on stderr, as text or as JSON."""

import json
import logging
import sys
import time
from dataclasses import dataclass

from archnest.config import Config
from archnest.timestamps import rfc3339

BURST = 50
EVERY_S = 3.0
"""In a day of attack 30,000 lines, some megabytes."""


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


@dataclass
class _Allowance:
    """How many lines a logger may still write, and when that was worked out."""

    left: float
    at: float
    left_out: int = 0


class Bounded(logging.Filter):
    """Lets each logger write BURST lines at once and then one every EVERY_S.

    Whoever can connect could else fill the disk: a malformed request is a line
    of aiohttp's, a WebSocket from elsewhere one of ours. The next line that is
    written tells how many were not.
    """

    def __init__(self) -> None:
        super().__init__()
        self._allowances: dict[str, _Allowance] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        allowance = self._allowances.setdefault(record.name, _Allowance(BURST, now))
        allowance.left = min(BURST, allowance.left + (now - allowance.at) / EVERY_S)
        allowance.at = now
        if allowance.left < 1:
            allowance.left_out += 1
            return False
        allowance.left -= 1
        if allowance.left_out:
            record.msg = f"{record.getMessage()} ({allowance.left_out} lines before were left out)"
            record.args = ()
            allowance.left_out = 0
        return True


def without_traceback(record: logging.LogRecord) -> bool:
    """Keep of an exception only what it is: aiohttp gives one for each malformed request."""
    if record.exc_info and record.exc_info[1] is not None:
        record.msg = f"{record.getMessage()}: {type(record.exc_info[1]).__name__}"
        record.args, record.exc_info = (), None
    return True


def configure(config: Config) -> None:
    """Send every log line to stderr in the format the operator chose."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if config.log_format == "json" else TextFormatter())
    handler.addFilter(Bounded())
    logging.basicConfig(level=config.log_level.upper(), handlers=[handler], force=True)
    for name in ("aiohttp.server", "aiohttp.web", "aiohttp.access", "asyncio"):
        logger = logging.getLogger(name)
        logger.filters.clear()
        logger.addFilter(without_traceback)
    for name in ("aiosqlite", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))


def _text(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.exc_info:
        text += "\n" + logging.Formatter().formatException(record.exc_info)
    return text
