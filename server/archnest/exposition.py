"""The fleet in Prometheus' text format; pure.

cAdvisor's names where it measures the same, so that its dashboards and alerts
work here; `archnest_` before what only ArchNest says. A container's labels are
host, name, project, service and image and never its id, so that replacing it
starts no new series. A silent host's series end, but for the time of its last
report and that it is not up: a value that nobody measured is no value.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from archnest.model.report import Engine, Stats
from archnest.picture import Picture
from archnest.timestamps import unix_seconds

MAX_LABEL = 256
"""Longer values are cut: each scrape carries them in every sample."""
PROJECT_LABELS = ("com.docker.compose.project", "com.docker.stack.namespace")
SERVICE_LABELS = ("com.docker.compose.service", "com.docker.swarm.service.name")
_RUNNING = ("running", "paused", "restarting")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Value = float | None
Labels = dict[str, str]


class Measured(msgspec.Struct, rename="camel", frozen=True):
    """The part of a container that has numbers and labels."""

    id: str
    name: str
    image: str
    state: str
    started_at: str | None = None
    exit_code: int | None = None
    oom_killed: bool | None = None
    restart_count: int | None = None
    health: str | None = None
    labels: dict[str, str] | None = None
    stats: Stats | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name, its type and what it says."""

    name: str
    type: str
    help: str

    @property
    def head(self) -> str:
        """The two lines before its samples."""
        return f"# HELP {self.name} {self.help}\n# TYPE {self.name} {self.type}\n"


def gauge(name: str, text: str) -> Family:
    """A family whose values go up and down."""
    return Family(name, "gauge", text)


def counter(name: str, text: str) -> Family:
    """A family whose values only rise, but for restarts."""
    return Family(name, "counter", text)


def _of_stats(name: str) -> Callable[[Measured, Picture], Value]:
    def value(container: Measured, _: Picture) -> Value:
        return getattr(container.stats, name, None)

    return value


def _cores(container: Measured, _: Picture) -> Value:
    percent = container.stats.cpu_percent if container.stats else None
    return round(percent / 100, 6) if percent is not None else None


def _memory_limit(container: Measured, picture: Picture) -> Value:
    """The limit, 0 for none: `docker stats` then tells the machine's memory."""
    limit = container.stats.mem_limit if container.stats else None
    total = picture.engine.mem_total if picture.engine else None
    return 0 if limit and total and limit >= total else limit


def _started(container: Measured, _: Picture) -> Value:
    if container.started_at is None or container.state not in _RUNNING:
        return None
    try:
        started_at = unix_seconds(container.started_at)
    except ValueError:
        return None
    # Podman says the year 1 of what was never started.
    return started_at if started_at > 0 else None


def _healthy(container: Measured, _: Picture) -> Value:
    return {"healthy": 1, "unhealthy": 0, "starting": 0}.get(container.health or "")


CONTAINER_FAMILIES: list[tuple[Family, Callable[[Measured, Picture], Value]]] = [
    (
        gauge("container_last_seen", "When the container was last reported, unix seconds."),
        lambda _, picture: picture.received_at,
    ),
    (gauge("container_start_time_seconds", "When it was started, unix seconds."), _started),
    (
        gauge("container_memory_working_set_bytes", "Memory in use without page cache."),
        _of_stats("mem_usage"),
    ),
    (gauge("container_spec_memory_limit_bytes", "Its memory limit, 0 for none."), _memory_limit),
    (
        counter("container_network_receive_bytes_total", "Received over all its networks."),
        _of_stats("net_rx_bytes"),
    ),
    (
        counter("container_network_transmit_bytes_total", "Sent over all its networks."),
        _of_stats("net_tx_bytes"),
    ),
    (
        counter("container_fs_reads_bytes_total", "Read from all block devices."),
        _of_stats("block_read_bytes"),
    ),
    (
        counter("container_fs_writes_bytes_total", "Written to all block devices."),
        _of_stats("block_write_bytes"),
    ),
    (gauge("container_threads", "Its processes and threads."), _of_stats("pids")),
    (
        gauge(
            "archnest_container_cpu_cores",
            "Cores in use when it was looked at; compare rate(container_cpu_usage_seconds_total).",
        ),
        _cores,
    ),
    (
        gauge("archnest_container_running", "1 when its state is running, else 0."),
        lambda one, _: one.state == "running",
    ),
    (
        gauge("archnest_container_healthy", "1 when its health check passes, 0 when not yet."),
        _healthy,
    ),
    (
        counter("archnest_container_restarts_total", "Restarts by its restart policy."),
        lambda one, _: one.restart_count,
    ),
    (
        gauge("archnest_container_exit_code", "The exit code of one that has ended."),
        lambda one, _: one.exit_code if one.state in ("exited", "dead") else None,
    ),
    (
        gauge("archnest_container_oom_killed", "1 when it last ended for want of memory."),
        lambda one, _: one.oom_killed,
    ),
]
HOST_FAMILIES: list[tuple[Family, Callable[[Picture, Engine], Value]]] = [
    (
        gauge("archnest_host_containers", "Containers in the host's latest report."),
        lambda picture, _: picture.count,
    ),
    (gauge("machine_cpu_cores", "The host's cores."), lambda _, engine: engine.cpus),
    (gauge("machine_memory_bytes", "The host's memory."), lambda _, engine: engine.mem_total),
]
LAST_REPORT = gauge(
    "archnest_host_last_report_timestamp_seconds",
    "When the host was last heard of, unix seconds; stays while it is silent.",
)
UP = gauge("archnest_host_up", "1 while the host is heard of, 0 when it is silent.")

_decode = msgspec.json.Decoder(list[Measured]).decode
_NO_ENGINE = Engine()


class Fleetwide:
    """Collects hosts one after the other; samples of one family have to stand together."""

    def __init__(self) -> None:
        self._samples: dict[Family, list[str]] = {
            LAST_REPORT: [],
            UP: [],
            **{family: [] for family, _ in HOST_FAMILIES},
            **{family: [] for family, _ in CONTAINER_FAMILIES},
        }

    def add(self, picture: Picture, *, stale: bool) -> None:
        """Take one host in."""
        host = labelled({"host": picture.host_id})
        self._take(LAST_REPORT, host, picture.received_at)
        self._take(UP, host, not stale)
        if stale:
            return
        for family, of_host in HOST_FAMILIES:
            self._take(family, host, of_host(picture, picture.engine or _NO_ENGINE))
        seen: set[str] = set()
        for container in _decode(picture.containers_json):
            labels = labelled(_labels(picture.host_id, container))
            # Prometheus refuses a series that is told twice.
            if labels in seen:
                continue
            seen.add(labels)
            for family, of_container in CONTAINER_FAMILIES:
                self._take(family, labels, of_container(container, picture))

    def text(self) -> Iterator[str]:
        """Every family with its samples, a family at a time; those without are left out."""
        for family, samples in self._samples.items():
            if samples:
                yield family.head + "".join(samples)

    def _take(self, family: Family, labels: str, value: Value) -> None:
        if value is not None:
            self._samples[family].append(f"{family.name}{labels} {number(value)}\n")


def family_text(family: Family, samples: Iterable[tuple[Labels, float]]) -> str:
    """One family with its samples."""
    lines = (f"{family.name}{labelled(labels)} {number(value)}\n" for labels, value in samples)
    return family.head + "".join(lines)


def labelled(labels: Labels) -> str:
    """`{host="vm-1"}`; nothing for no labels."""
    if not labels:
        return ""
    pairs = (f'{name}="{value[:MAX_LABEL].translate(_ESCAPES)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def number(value: float) -> str:
    """A value as Prometheus reads it; whole ones keep all their digits."""
    return str(int(value)) if isinstance(value, int) else repr(value)


def _labels(host_id: str, container: Measured) -> Labels:
    own = container.labels or {}
    return {
        "host": host_id,
        "name": container.name or container.id[:12],
        "project": _first(own, PROJECT_LABELS),
        "service": _first(own, SERVICE_LABELS),
        "image": container.image,
    }


def _first(labels: Labels, names: tuple[str, ...]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")
