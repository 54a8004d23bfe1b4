"""The fleet: revisions, silence and what a reader who was away lacks."""

import pytest

from archnest.fleet import MAX_ROWS, MAX_TOMBSTONES, Changed, Fleet
from archnest.picture import Picture
from archnest.recall import Head, Reading


class Clock:
    """A clock that only moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def picture(host_id: str, containers: int = 0) -> Picture:
    reading = Reading((Head(b"", "", "", 0, b""),) * containers)
    return Picture(host_id, None, "agent", 1_000.0, None, None, None, reading, ())


def fleet_of(*host_ids: str, clock: Clock | None = None) -> Fleet:
    fleet = Fleet(90_000, clock or Clock())
    for host_id in host_ids:
        fleet.replace(picture(host_id))
    return fleet


def changed(fleet: Fleet, since: str | None) -> tuple[list[str], list[str]] | None:
    answer = fleet.changed_since(since)
    if answer is None:
        return None
    assert (answer.revision, answer.is_more) == (fleet.revision, False)
    return sorted(ids_of(answer)), answer.removed


def ids_of(answer: Changed) -> list[str]:
    return [entry.picture.host_id for entry in answer.entries]


def test_only_hosts_changed_since_a_revision_are_given() -> None:
    fleet = fleet_of("a", "b")
    before = fleet.revision
    fleet.replace(picture("b"))
    assert changed(fleet, before) == (["b"], [])
    assert changed(fleet, fleet.revision) == ([], [])


def test_a_removed_host_is_told_until_it_returns() -> None:
    fleet = fleet_of("a", "b")
    before = fleet.revision
    fleet.remove("a")
    assert changed(fleet, before) == ([], ["a"])
    fleet.replace(picture("a"))
    assert changed(fleet, before) == (["a"], [])


def test_what_is_too_much_for_one_answer_comes_in_several_oldest_first() -> None:
    fleet = fleet_of("gone first", "a", "b", "gone last")
    since: str | None = fleet.revision
    fleet.remove("gone first")
    for host_id in ("b", "a", "c"):
        fleet.replace(picture(host_id, MAX_ROWS // 2))
    fleet.remove("gone last")
    told = []
    while since != fleet.revision:
        answer = fleet.changed_since(since)
        assert answer is not None
        told.append((ids_of(answer), answer.removed, answer.is_more))
        since = answer.revision
    assert told == [(["b", "a"], ["gone first"], True), (["c"], ["gone last"], False)]


def test_a_host_too_large_for_one_answer_comes_by_itself() -> None:
    fleet = fleet_of()
    before = fleet.revision
    fleet.replace(picture("large", 2 * MAX_ROWS))
    fleet.replace(picture("small"))
    first = fleet.changed_since(before)
    assert first is not None
    assert (ids_of(first), first.is_more) == (["large"], True)
    assert changed(fleet, first.revision) == (["small"], [])


def test_who_reads_slower_than_hosts_report_still_hears_of_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("archnest.fleet.MAX_ROWS", 5)
    hosts = [f"h{number}" for number in range(200)]
    fleet = fleet_of(*hosts)
    since, told = fleet.revision, set()
    for number in range(200):
        for host_id in (hosts * 2)[20 * number % 200 :][:20]:
            fleet.replace(picture(host_id, 1))
        answer = fleet.changed_since(since)
        assert answer is not None
        told.update(ids_of(answer))
        since = answer.revision
    assert told == set(hosts)


def test_an_unknown_revision_means_everything() -> None:
    fleet = fleet_of("a")
    for since in (None, "", "x", "other-1", f"{fleet.boot_id}-99", f"{fleet.boot_id}-²", "-"):
        assert fleet.changed_since(since) is None


def test_a_revision_older_than_the_remembered_removals_means_everything() -> None:
    fleet = fleet_of(*(f"h{number}" for number in range(MAX_TOMBSTONES + 1)))
    before = fleet.revision
    for number in range(MAX_TOMBSTONES + 1):
        fleet.remove(f"h{number}")
    assert fleet.changed_since(before) is None


def test_a_silent_host_turns_stale_and_that_is_a_change() -> None:
    clock = Clock()
    fleet = fleet_of("quiet", clock=clock)
    clock.now += 60
    fleet.replace(picture("busy"))
    before = fleet.revision
    clock.now += 30
    assert fleet.revision == before
    clock.now += 0.1
    assert changed(fleet, before) == (["quiet"], [])
    assert fleet.entry("quiet").stale
    assert not fleet.entry("busy").stale


def test_a_report_ends_staleness() -> None:
    clock = Clock()
    fleet = fleet_of("a", clock=clock)
    clock.now += 91
    assert fleet.entry("a").stale
    fleet.replace(picture("a"))
    assert not fleet.entry("a").stale


def test_a_host_loaded_old_is_stale_at_once_and_one_from_the_future_is_not() -> None:
    fleet = Fleet(90_000, Clock())
    fleet.replace(picture("old"), age_s=90.1)
    fleet.replace(picture("young"), age_s=89.9)
    assert fleet.entry("old").stale
    assert not fleet.entry("young").stale
