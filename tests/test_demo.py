"""The made-up fleet: it shows what a real one can, and the server takes it."""

import msgspec

from archnest.demo_fleet import FLEETING_S, fleet
from archnest.demo_services import FATES
from archnest.model.report import Report
from tests.factories import AGENT

NOW = 1_780_000_000.0


def test_a_fleet_shows_every_state_there_is() -> None:
    reports = [host.report(NOW) for host in fleet(8, 20, now=NOW)]
    shown = {container.state for report in reports for container in report.containers}
    assert shown == {state for state, *_ in FATES.values()}


def test_the_same_seed_makes_the_same_fleet() -> None:
    first, second = ([h.report(NOW) for h in fleet(3, 20, now=NOW, seed=5)] for _ in range(2))
    assert first == second
    assert first != [h.report(NOW) for h in fleet(3, 20, now=NOW, seed=6)]


def test_names_and_ids_are_unique_on_each_of_many_hosts() -> None:
    hosts = fleet(50, 120, now=NOW)
    assert len({host.host_id for host in hosts}) == 50
    for host in hosts:
        assert len({one.name for one in host.containers}) == 120


def test_counters_never_run_backwards() -> None:
    (host,) = fleet(1, 40, now=NOW)
    before = {c.id: c.stats for c in host.report(NOW).containers}
    after = {c.id: c.stats for c in host.report(NOW + 5).containers}
    pairs = [(before[one], after[one]) for one in before if before[one] and after.get(one)]
    assert pairs
    for old, new in pairs:
        assert old is not None
        assert new is not None
        assert (new.net_rx_bytes or 0) >= (old.net_rx_bytes or 0)
        assert (new.block_write_bytes or 0) >= (old.block_write_bytes or 0)


def test_a_fleeting_container_goes_and_comes_back() -> None:
    hosts = fleet(8, 20, now=NOW)

    def there(now: float) -> set[str]:
        return {c.id for host in hosts for c in host.report(now).containers}

    assert there(NOW) != there(NOW + FLEETING_S)
    assert there(NOW) == there(NOW + 2 * FLEETING_S)


async def test_the_server_takes_every_report(client) -> None:
    for host in fleet(8, 20, now=NOW):
        body = msgspec.json.encode(host.report(NOW))
        headers = {**AGENT, "Content-Type": "application/json"}
        answer = await client.post("/api/agents/docker/report", data=body, headers=headers)
        assert answer.status == 200, await answer.text()


def test_a_report_is_what_the_decoder_reads() -> None:
    (host,) = fleet(1, 20, now=NOW)
    report = host.report(NOW)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
