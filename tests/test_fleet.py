"""The fleet: revisions, silence and what a reader who was away lacks."""

from archnest.fleet import MAX_TOMBSTONES, Fleet
from archnest.picture import Picture


class Clock:
    """A clock that only moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def picture(host_id: str) -> Picture:
    return Picture(host_id, None, "agent", 1_000.0, None, None, None, b"[]", {}, ())


def fleet_of(*host_ids: str, clock: Clock | None = None) -> Fleet:
    fleet = Fleet(90_000, clock or Clock())
    for host_id in host_ids:
        fleet.replace(picture(host_id))
    return fleet


def changed(fleet: Fleet, since: str | None) -> tuple[list[str], list[str]] | None:
    answer = fleet.changed_since(since)
    return answer and (sorted(entry.picture.host_id for entry in answer[0]), answer[1])


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
