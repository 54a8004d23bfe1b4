"""Engine API statistics as `docker stats` shows them; pure.

Formulas are those of docker/cli, cli/command/container/stats_helpers.go.
"""

import math
from collections.abc import Iterable

from msgspec import Struct, field

from archnest.model.report import Stats
from archnest.timestamps import unix_seconds

NANOSECONDS = 1e9
MOST = 10**17
"""The agent's bound: its jq 1.6 writes larger numbers as 1e+17."""


class CpuUsage(Struct):
    """Nanoseconds of CPU time used, summed over all cores since the start."""

    total_usage: int = 0
    percpu_usage: list[int] | None = None


class CpuStats(Struct):
    """One reading of the container's and the machine's CPU counters."""

    cpu_usage: CpuUsage = field(default_factory=CpuUsage)
    system_cpu_usage: int | None = None
    online_cpus: int | None = None


class MemoryStats(Struct):
    """Bytes; `stats` has cgroup v1's or v2's own names."""

    usage: int | None = None
    limit: int | None = None
    stats: dict[str, int] | None = None


class NetworkStats(Struct):
    """One interface's counters since the start."""

    rx_bytes: int = 0
    tx_bytes: int = 0


class BlkioEntry(Struct):
    """Bytes of one operation on one device."""

    op: str = ""
    value: int = 0


class BlkioStats(Struct):
    """Disk counters; None where the engine has none."""

    io_service_bytes_recursive: list[BlkioEntry] | None = None


class PidsStats(Struct):
    """How many processes the container runs."""

    current: int | None = None


class Sample(Struct):
    """One answer of `GET /containers/{id}/stats`, as far as it is used."""

    read: str = ""
    """RFC 3339 by the engine's clock; of the year 1 for a container that does not run."""
    cpu_stats: CpuStats = field(default_factory=CpuStats)
    precpu_stats: CpuStats | None = None
    """The engine's own reading a second before; empty where it took only one."""
    memory_stats: MemoryStats = field(default_factory=MemoryStats)
    networks: dict[str, NetworkStats] | None = None
    blkio_stats: BlkioStats = field(default_factory=BlkioStats)
    pids_stats: PidsStats = field(default_factory=PidsStats)


def cpu_percent(
    current: CpuStats, previous: CpuStats | None, elapsed_s: float | None = None
) -> float | None:
    """Share of one core times 100, between two samples; 100 is one core fully used.

    docker/cli's calculateCPUPercentUnix: the container's delta over the
    machine's delta, times the cores online. Podman's `system_cpu_usage` is
    not the machine's time, so for podman give `elapsed_s`, the wall clock
    between the samples, instead. None for a first sample, for a counter that
    ran backwards (a restart) and when no time passed: never 0, never a spike.
    """
    if previous is None:
        return None
    used = current.cpu_usage.total_usage - previous.cpu_usage.total_usage
    if used < 0:
        return None
    if elapsed_s is not None:
        return used / NANOSECONDS / elapsed_s * 100 if elapsed_s > 0 else None
    if current.system_cpu_usage is None or previous.system_cpu_usage is None:
        return None
    passed = current.system_cpu_usage - previous.system_cpu_usage
    cores = current.online_cpus or len(current.cpu_usage.percpu_usage or ())
    if passed <= 0 or cores <= 0:
        return None
    return used / passed * cores * 100


def memory_usage(memory: MemoryStats) -> int | None:
    """Bytes in use without the page cache that can be dropped at once.

    docker/cli's calculateMemUsageUnixNoCache: usage minus
    `total_inactive_file` on cgroup v1, minus `inactive_file` on v2, each only
    when smaller than the usage.
    """
    if memory.usage is None:
        return None
    stats = memory.stats or {}
    for key in ("total_inactive_file", "inactive_file"):
        if key in stats and stats[key] < memory.usage:
            return memory.usage - stats[key]
    return memory.usage


def block_bytes(blkio: BlkioStats) -> tuple[int, int] | tuple[None, None]:
    """Bytes read and written; cgroup v1 says `Read`, v2 says `read`."""
    entries = blkio.io_service_bytes_recursive
    if entries is None:
        return None, None
    return _sum(entries, "r"), _sum(entries, "w")


def stats_of(current: Sample, previous: Sample | None, *, wall_clock: bool = False) -> Stats | None:
    """The report's statistics of one sample, with the one before it for CPU.

    Without a previous sample the engine's own reading before it serves, where
    there is one. `wall_clock` divides by the time between the samples, for
    podman. None when the container does not run.
    """
    if current.read.startswith("0001-"):
        return None
    before = previous.cpu_stats if previous else _own_before(current)
    elapsed_s = None
    if wall_clock:
        elapsed_s = _elapsed_s(previous, current)
    percent = cpu_percent(current.cpu_stats, before, elapsed_s)
    read, written = block_bytes(current.blkio_stats)
    networks = current.networks
    return Stats(
        cpu_percent=round(percent, 4) if percent is not None and math.isfinite(percent) else None,
        mem_usage=_count(memory_usage(current.memory_stats)),
        mem_limit=_count(current.memory_stats.limit),
        net_rx_bytes=_total(one.rx_bytes for one in networks.values()) if networks else None,
        net_tx_bytes=_total(one.tx_bytes for one in networks.values()) if networks else None,
        block_read_bytes=_count(read),
        block_write_bytes=_count(written),
        pids=_count(current.pids_stats.current),
    )


def _own_before(current: Sample) -> CpuStats | None:
    before = current.precpu_stats
    return before if before is not None and before.system_cpu_usage else None


def _elapsed_s(previous: Sample | None, current: Sample) -> float:
    """Seconds between two samples by the engine's clock; 0 when that is not known."""
    if previous is None:
        return 0.0
    try:
        return unix_seconds(current.read) - unix_seconds(previous.read)
    except ValueError:
        return 0.0


def _sum(entries: list[BlkioEntry], letter: str) -> int:
    return sum(entry.value for entry in entries if entry.op[:1].lower() == letter)


def _total(values: Iterable[int]) -> int | None:
    return _count(sum(values))


def _count(value: int | None) -> int | None:
    """Engines fill unlimited or broken counters with 2^64 - 1; that is no value."""
    return value if value is not None and 0 <= value < MOST else None
