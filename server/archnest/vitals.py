"""The server's own health in numbers: what it answers, keeps and costs."""

import resource
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from archnest import __version__
from archnest.exposition import counter, family_text, gauge
from archnest.fleet import Fleet
from archnest.ingest import Ingest
from archnest.store.database import DATABASE_NAME, Database
from archnest.streams import Streams

BUILD = gauge("archnest_build_info", "Always 1; the label tells the version.")
RESPONSES = counter("archnest_http_responses_total", "Answers by status.")
PROBLEMS = counter("archnest_problems_total", "Requests refused or failed, by kind of problem.")
HOSTS = gauge("archnest_hosts", "Hosts it knows, the silent ones too.")
REPORTS = counter("archnest_reports_total", "Reports made durable, pushed and asked for.")
WAITING = gauge("archnest_reports_waiting", "Reports that wait to be written.")
COMMITS = counter("archnest_store_commits_total", "Transactions committed.")
STORED = gauge("archnest_store_size_bytes", "The database on disk with its write-ahead log.")
STREAMS = gauge("archnest_streams_open", "Logs and terminals that are open.")
STARTED = gauge("process_start_time_seconds", "When the server was started, unix seconds.")
CPU = counter("process_cpu_seconds_total", "Processor time it has used.")
MEMORY = gauge("process_resident_memory_bytes", "Memory it has in use.")
OPEN_FILES = gauge("process_open_fds", "Files and connections it has open.")
MAX_FILES = gauge("process_max_fds", "How many it may have open.")


class Vitals:
    """Counts answers and reads the rest when asked."""

    def __init__(
        self, data_dir: Path, database: Database, fleet: Fleet, ingest: Ingest, streams: Streams
    ) -> None:
        self._data_dir = data_dir
        self._database = database
        self._fleet = fleet
        self._ingest = ingest
        self._streams = streams
        self._started_at = time.time()
        self._responses: Counter[int] = Counter()
        self._problems: Counter[str] = Counter()

    def note_response(self, status: int, problem: str | None) -> None:
        """Count an answer; `problem` is its kind when it is one."""
        self._responses[status] += 1
        if problem is not None:
            self._problems[problem] += 1

    def counted(self) -> str:
        """What the server itself counts, in Prometheus' text format."""
        return "".join(self._counted())

    def _counted(self) -> Iterator[str]:
        yield family_text(BUILD, [({"version": __version__}, 1)])
        yield family_text(
            RESPONSES, [({"code": str(code)}, n) for code, n in sorted(self._responses.items())]
        )
        yield family_text(PROBLEMS, [({"kind": kind}, n) for kind, n in self._problems.items()])
        yield family_text(HOSTS, [({}, len(self._fleet.entries()))])
        yield family_text(REPORTS, [({}, self._ingest.accepted)])
        yield family_text(WAITING, [({}, self._ingest.waiting)])
        yield family_text(COMMITS, [({}, self._database.commits)])
        yield family_text(STREAMS, [({}, len(self._streams))])
        yield family_text(STARTED, [({}, self._started_at)])

    def measured(self) -> str:
        """What the kernel is asked for; it may block."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        readings = [
            (STORED, sum(self._sizes())),
            (CPU, usage.ru_utime + usage.ru_stime),
            (MEMORY, pages * resource.getpagesize()),
            (OPEN_FILES, sum(1 for _ in Path("/proc/self/fd").iterdir())),
            (MAX_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        ]
        return "".join(family_text(family, [({}, value)]) for family, value in readings)

    def _sizes(self) -> Iterator[int]:
        for name in (DATABASE_NAME, f"{DATABASE_NAME}-wal"):
            path = self._data_dir / name
            if path.exists():
                yield path.stat().st_size
