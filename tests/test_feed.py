"""Many readers: what each of them lacks is worked out for all."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from archnest import packing
from archnest.feed import Feed
from archnest.fleet import Fleet
from archnest.ingest import masked_picture
from archnest.model.report import Container, Report

HOSTS = 8


def report_to(fleet: Fleet, name: str, containers: int = 3) -> str:
    """Let a host report; the revision that a reader knows who asked right before."""
    before = fleet.revision
    shown = [
        Container(f"{name}-{number}", "web", "caddy:2", "running") for number in range(containers)
    ]
    fleet.replace(masked_picture(Report(name, shown), 1_000.0, "agent"))
    return before


async def told(feed: Feed, since: str) -> Any:
    """What such a reader is told, which is the same compressed or not."""
    answer = await feed.changes(since)
    packed = await answer.compressed()
    assert packed is not None
    body = b"".join(answer.pieces)
    assert gzip.decompress(b"".join(packed)) == body
    return json.loads(body)


async def test_a_host_is_compressed_once_for_readers_who_know_different_revisions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compressed: list[bytes] = []
    deflated = packing._deflated

    def counted(text: bytes) -> bytes:
        compressed.append(text)
        return deflated(text)

    monkeypatch.setattr(packing, "_deflated", counted)
    fleet = Fleet(90_000)
    feed = Feed(fleet, "1")
    known = [report_to(fleet, f"host-{number}") for number in range(HOSTS)]
    for number, since in enumerate(known[:-2]):
        answer = await told(feed, since)
        names = [one["host"]["hostId"] for one in answer["hosts"]]
        assert names == [f"host-{one}" for one in range(number, HOSTS)]
        assert [len(one["containers"]) for one in answer["hosts"]] == [3] * len(names)
    assert len(compressed) == HOSTS

    # A host that has reported again is another one.
    answer = await told(feed, report_to(fleet, "host-0", 9))
    assert len(compressed) == HOSTS + 1
    assert len(answer["hosts"][0]["containers"]) == 9


@pytest.mark.parametrize("rows", [0, 1, 400, 4_000])
async def test_a_host_of_many_containers_is_told_among_others(rows: int) -> None:
    fleet = Fleet(90_000)
    since = report_to(fleet, "small")
    report_to(fleet, "other", rows)
    report_to(fleet, "small")
    answer = await told(Feed(fleet, "1"), since)
    ids = {
        one["host"]["hostId"]: [row["id"] for row in one["containers"]] for one in answer["hosts"]
    }
    assert ids == {
        "small": ["small-0", "small-1", "small-2"],
        "other": [f"other-{number}" for number in range(rows)],
    }


async def test_who_knows_a_revision_before_it_is_takes_nothing_from_others() -> None:
    fleet = Fleet(90_000)
    feed = Feed(fleet, "1")
    known = report_to(fleet, "a")
    boot, number = fleet.revision.split("-")
    early = asyncio.create_task(feed.changes(f"{boot}-{int(number) + 1}"))
    fresh = asyncio.create_task(feed.changes(None))
    await asyncio.sleep(0)
    report_to(fleet, "b")
    for answer in (await early, await fresh):
        content = json.loads(b"".join(answer.pieces))
        assert content["full"]
        assert len(content["hosts"]) == 2
    # Many names for one revision would push the answers of others out.
    assert fleet.knows(known)
    assert not fleet.knows(known.replace("-", "-0"))


async def test_what_is_little_is_not_compressed() -> None:
    fleet = Fleet(90_000)
    since = report_to(fleet, "a")
    feed = Feed(fleet, "1")
    assert await (await feed.changes(fleet.revision)).compressed() is None
    fleet.remove("a")
    answer = await feed.changes(since)
    assert await answer.compressed() is None
    assert json.loads(b"".join(answer.pieces))["removed"] == ["a"]
