"""What a scrape says of the fleet."""

from typing import Any

import msgspec
import pytest

from archnest.exposition import MAX_LABEL, Fleetwide
from archnest.ingest import masked_picture
from archnest.model.report import Report
from tests.factories import container, report

NOW = 1_780_000_000.5


def scraped(document: dict[str, Any], *, stale: bool = False) -> dict[str, str]:
    """Every sample of one host: name and labels, and the value."""
    fleetwide = Fleetwide()
    fleetwide.add(masked_picture(msgspec.convert(document, Report), NOW, "agent"), stale=stale)
    lines = [line for line in "".join(fleetwide.text()).splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in lines}


WEB = '{host="vm-1",name="web",project="myapp",service="",image="nginx:1.27"}'


def test_a_container_has_cadvisors_metrics_in_their_units() -> None:
    samples = scraped(report("vm-1", container()))
    assert {name.removesuffix(WEB): value for name, value in samples.items() if WEB in name} == {
        "container_last_seen": "1780000000.5",
        "container_start_time_seconds": "1781971201.123456",
        "container_memory_working_set_bytes": "20971520",
        "container_spec_memory_limit_bytes": "536870912",
        "container_network_receive_bytes_total": "12345",
        "container_network_transmit_bytes_total": "67890",
        "container_fs_reads_bytes_total": "0",
        "container_fs_writes_bytes_total": "0",
        "container_threads": "3",
        "archnest_container_cpu_cores": "0.014",
        "archnest_container_running": "1",
        "archnest_container_healthy": "1",
        "archnest_container_restarts_total": "0",
        "archnest_container_oom_killed": "0",
    }


def test_what_is_not_reported_has_no_sample() -> None:
    bare = {"id": "1", "name": "web", "image": "nginx:1.27", "state": "exited"}
    samples = scraped({"hostId": "vm-1", "containers": [bare]})
    assert {name.partition("{")[0] for name in samples} == {
        "archnest_host_last_report_timestamp_seconds",
        "archnest_host_up",
        "archnest_host_containers",
        "container_last_seen",
        "archnest_container_running",
    }


def test_a_silent_host_keeps_only_its_last_report_and_that_it_is_not_up() -> None:
    assert scraped(report("vm-1", container()), stale=True) == {
        'archnest_host_last_report_timestamp_seconds{host="vm-1"}': "1780000000.5",
        'archnest_host_up{host="vm-1"}': "0",
    }


def test_the_machines_memory_is_no_limit() -> None:
    document = report("vm-1", container(), engine={"cpus": 4, "memTotal": 536870912})
    samples = scraped(document)
    assert samples[f"container_spec_memory_limit_bytes{WEB}"] == "0"
    assert samples['machine_memory_bytes{host="vm-1"}'] == "536870912"


@pytest.mark.parametrize("started", ["0001-01-01T00:00:00Z", "2026-02-31T00:00:00Z"])
def test_a_start_that_cannot_be_is_left_out(started: str) -> None:
    samples = scraped(report("vm-1", container(startedAt=started)))
    assert not any(name.startswith("container_start_time_seconds") for name in samples)


def test_projects_and_services_of_swarm_count_too_and_no_other_label() -> None:
    labels = {
        "com.docker.stack.namespace": "shop",
        "com.docker.swarm.service.name": "shop_web",
        "build": "1",
    }
    samples = scraped(report("vm-1", container(labels=labels)))
    series = '{host="vm-1",name="web",project="shop",service="shop_web",image="nginx:1.27"}'
    assert f"container_threads{series}" in samples


def test_the_same_labels_are_told_once_and_long_ones_are_cut() -> None:
    twins = [container(name, name="x" * 1_000, state=name) for name in ("running", "exited")]
    samples = scraped(report("vm-1", *twins))
    [running] = [name for name in samples if name.startswith("archnest_container_running")]
    assert f'name="{"x" * MAX_LABEL}"' in running
    assert samples[running] == "1"
