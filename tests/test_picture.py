"""One host's picture: what a newer report makes of the older one."""

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from archnest import recall
from archnest.errors import Ambiguous, NotFound
from archnest.model.report import Container
from archnest.picture import MAX_GONE, Picture, from_record, gone_from_record
from archnest.store.hosts import GoneChanges
from tests.factories import container


def picture(*containers: dict[str, Any], at: float = 1_000.0, source: str = "agent") -> Picture:
    structs = msgspec.convert(list(containers), list[Container])
    return Picture(
        host_id="vm-1",
        hostname=None,
        source=source,
        received_at=at,
        reported_at=None,
        agent_version=None,
        engine=None,
        reading=recall.encoded(structs),
        gone=(),
    )


def gone_names(picture: Picture) -> list[str]:
    return [one.head.name for one in picture.gone]


def gone_changes(picture: Picture, stored: Picture | None) -> GoneChanges:
    changes = GoneChanges()
    picture.add_gone_changes(changes, stored)
    return changes


def test_a_container_the_newer_report_lacks_is_gone_as_last_seen() -> None:
    later = picture(container("db"), at=2_000.0).after(picture(container("web"), container("db")))
    assert gone_names(later) == ["web"]
    assert later.gone[0].at == "1970-01-01T00:33:20.000Z"
    assert later.gone[0].container().image == "nginx:1.27"


def test_a_container_that_stays_gone_keeps_its_first_time() -> None:
    first = picture(container("web"))
    second = picture(at=2_000.0).after(first)
    third = picture(at=3_000.0).after(second)
    assert third.gone == second.gone


def test_a_container_recreated_under_its_name_is_not_gone() -> None:
    recreated = picture(container("web", id="f" * 64)).after(picture(container("web")))
    assert recreated.gone == ()


def test_a_container_that_returns_is_no_longer_gone() -> None:
    without = picture().after(picture(container("web")))
    assert picture(container("web")).after(without).gone == ()


def test_gone_containers_are_bounded_and_the_newest_kept() -> None:
    host = picture()
    for number in range(MAX_GONE + 5):
        host = picture(container(f"job-{number}"), at=float(number)).after(host)
    host = picture(at=9_999.0).after(host)
    assert len(host.gone) == MAX_GONE
    assert gone_names(host)[0] == f"job-{MAX_GONE + 4}"


def test_of_gone_containers_only_changes_are_stored() -> None:
    first = picture(container("web"), container("job-1"), container("job-2"))
    second = picture(container("web"), at=2_000.0).after(first)
    changes = gone_changes(second, first)
    assert [(one.container_id, one.gone_at) for one in changes.newly] == [
        (container(name)["id"], "1970-01-01T00:33:20.000Z") for name in ("job-2", "job-1")
    ]
    assert (changes.anew, changes.back) == ([], [])
    again = container("job-2", id="e" * 64)
    third = picture(container("web"), again, at=3_000.0).after(second)
    assert gone_changes(third, second) == GoneChanges(back=[("vm-1", container("job-2")["id"])])
    fourth = picture(container("web"), again, at=4_000.0).after(third)
    assert not gone_changes(fourth, third)


def test_where_only_statistics_moved_nothing_is_worked_out() -> None:
    before = picture(container("web"), at=2_000.0).after(picture(container("job")))
    later = replace(before, received_at=3_000.0, gone=())
    assert later.after(before).gone is before.gone


def test_rows_hold_the_gone_ones_last_and_leave_out_long_fields() -> None:
    later = picture(container("db")).after(picture(container("web")))
    rows = [msgspec.json.decode(row) for row in later.rows()]
    assert [(row["name"], "goneAt" in row) for row in rows] == [("db", False), ("web", True)]
    assert not {"env", "mounts", "command", "entrypoint"} & set(rows[0])


def test_a_stored_picture_comes_back_equal() -> None:
    host = picture(container("db")).after(picture(container("web")))
    changes = gone_changes(host, None)
    stored = from_record(host.as_record(), [gone_from_record(one) for one in changes.newly])
    assert (changes.anew, changes.back) == (["vm-1"], [])
    assert replace(stored, reading=host.reading) == host
    assert stored.containers() == host.containers()


def test_what_was_stored_is_masked_by_todays_rule_whatever_its_order() -> None:
    record = picture().as_record()
    odd = {"state": "exited", "stats": None, **container("db", command="run --token x")}
    stored = from_record(record._replace(report_json=msgspec.json.encode([odd])))
    assert stored.find("db").command == "run --token ********"
    assert msgspec.json.decode(stored.rows()[0])["state"] == "running"


def test_after_a_restart_what_was_stored_is_found() -> None:
    stored = from_record(picture(container("web"), container("db")).as_record())
    sent = b'{"hostId":"vm-1","containers":%b}' % stored.containers_json

    async def pause() -> None:
        pass

    reading = asyncio.run(recall.Sent(sent).read(stored.reading, pause))
    assert reading == stored.reading
    assert reading.heads is stored.reading.heads


def test_containers_are_found_by_id_name_and_prefix() -> None:
    one, two = container("one", id="a" * 63 + "1"), container("two", id="a" * 63 + "2")
    host = picture(one, two, container("three"))
    assert host.find("two").name == "two"
    assert host.find("a" * 63 + "1").name == "one"
    assert host.find(container("three")["id"][:12]).name == "three"
    with pytest.raises(Ambiguous):
        host.find("a" * 12)
    for unknown in ("a" * 11, "nothing", ""):
        with pytest.raises(NotFound):
            host.find(unknown)


def test_of_two_with_one_id_the_first_is_found() -> None:
    host = picture(container("one", id="a" * 64), container("two", id="a" * 64))
    assert host.find("a" * 64).name == "one"


def test_nameless_containers_do_not_replace_each_other() -> None:
    before = picture(container("x", name=""), container("y", name=""))
    assert len(picture().after(before).gone) == 2
