"""The formulas of `docker stats`, for cgroup v1, v2 and podman."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archnest.sources.stats import Sample, stats_of

SECOND = 1_000_000_000


def sample(used: int, system: int | None, at_s: int = 0, **changes: Any) -> Sample:
    """A reading after `used` ns of CPU on a machine of 4 cores that counted `system` ns."""
    document = {
        "read": f"2026-06-20T19:30:{at_s:02}.123456789Z",
        "cpu_stats": {
            "cpu_usage": {"total_usage": used},
            "system_cpu_usage": system,
            "online_cpus": 4,
        },
        **changes,
    }
    return msgspec.convert(document, Sample)


def cpu(current: Sample, previous: Sample | None, *, wall_clock: bool = False) -> float | None:
    stats = stats_of(current, previous, wall_clock=wall_clock)
    assert stats is not None
    return stats.cpu_percent


def memory(**fields: Any) -> int | None:
    stats = stats_of(sample(0, 0, memory_stats=fields), None)
    assert stats is not None
    return stats.mem_usage


def test_one_core_fully_used_is_100() -> None:
    # Four cores count four seconds of machine time in one.
    assert cpu(sample(2 * SECOND, 14 * SECOND), sample(SECOND, 10 * SECOND)) == 100.0


def test_cores_are_counted_where_the_engine_does_not_say() -> None:
    old = {"cpu_usage": {"total_usage": SECOND, "percpu_usage": [1, 2]}, "system_cpu_usage": SECOND}
    current = msgspec.convert({"cpu_stats": old}, Sample)
    assert cpu(current, msgspec.convert({"cpu_stats": {"system_cpu_usage": 0}}, Sample)) == 200.0


@pytest.mark.parametrize(
    ("current", "previous"),
    [
        (sample(SECOND, SECOND), None),
        (sample(1, 2 * SECOND), sample(SECOND, SECOND)),
        (sample(2 * SECOND, SECOND), sample(SECOND, SECOND)),
        (sample(2 * SECOND, None), sample(SECOND, SECOND)),
    ],
    ids=["first sample", "backwards", "no time passed", "no machine time"],
)
def test_what_cannot_be_told_has_no_value(current: Sample, previous: Sample | None) -> None:
    assert cpu(current, previous) is None


def test_the_engines_own_earlier_reading_serves_for_the_first() -> None:
    before = {"cpu_usage": {"total_usage": SECOND}, "system_cpu_usage": 10 * SECOND}
    assert cpu(sample(2 * SECOND, 14 * SECOND, precpu_stats=before), None) == 100.0
    assert cpu(sample(SECOND, SECOND, precpu_stats={"cpu_usage": {"total_usage": 0}}), None) is None


def test_podman_is_measured_by_the_wall_clock() -> None:
    # Its system_cpu_usage is the cgroup's own time: the other formula would say 400.
    current, previous = sample(3 * SECOND, 3 * SECOND, at_s=4), sample(SECOND, SECOND)
    assert cpu(current, previous, wall_clock=True) == 50.0
    assert cpu(current, None, wall_clock=True) is None


def test_memory_leaves_out_the_page_cache_as_each_cgroup_names_it() -> None:
    assert memory(usage=100, stats={"total_inactive_file": 30, "inactive_file": 5}) == 70
    assert memory(usage=100, stats={"inactive_file": 40}) == 60
    assert memory(usage=100, stats={"inactive_file": 100}) == 100
    assert memory(usage=100) == 100
    assert memory() is None


def test_blocks_are_summed_by_either_name() -> None:
    v1 = [{"op": "Read", "value": 1}, {"op": "Write", "value": 2}, {"op": "Total", "value": 3}]
    v2 = [{"op": "read", "value": 4}, {"op": "write", "value": 5}]
    current = sample(0, 0, blkio_stats={"io_service_bytes_recursive": v1 + v2})
    stats = stats_of(current, None)
    assert stats is not None
    assert (stats.block_read_bytes, stats.block_write_bytes) == (5, 7)


def test_networks_are_summed_and_unlimited_is_no_value() -> None:
    networks = {"eth0": {"rx_bytes": 1, "tx_bytes": 2}, "eth1": {"rx_bytes": 3, "tx_bytes": 4}}
    stats = stats_of(sample(0, 0, networks=networks, memory_stats={"limit": 2**63}), None)
    assert stats is not None
    assert (stats.net_rx_bytes, stats.net_tx_bytes, stats.mem_limit) == (4, 6, None)


def test_a_container_that_does_not_run_has_none() -> None:
    assert stats_of(sample(0, 0, read="0001-01-01T00:00:00Z"), None) is None


counters = st.integers(0, 2**63)


@given(counters, counters, counters, counters)
def test_no_counters_make_a_share_that_is_negative_or_not_finite(
    a: int, b: int, c: int, d: int
) -> None:
    found = cpu(sample(a, b), sample(c, d))
    assert found is None or 0 <= found < float("inf")
