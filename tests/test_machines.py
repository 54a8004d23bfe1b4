"""Which machines report as one host, and when that is a clash."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from archnest.machines import MAX_MACHINES, NO_MARKS, WINDOW_S, Marks, Sightings, is_same

NAS: Marks = ("boot-1", "engine-1", "machine-1", "nas")
# A clone shares what was copied with its disk.
CLONE: Marks = ("boot-2", "engine-1", "machine-1", "nas")
NAMES = {NAS: "10.0.0.1", CLONE: "10.0.0.2"}
MARK = st.none() | st.sampled_from("abc")
MARKS = st.tuples(MARK, MARK, MARK, MARK)


def seen(*reports: tuple[float, Marks]) -> Sightings:
    """What is known after reports at these seconds."""
    sightings = Sightings()
    for at, marks in reports:
        sightings.note(marks, NAMES.get(marks), at, at)
    return sightings


def addresses(sightings: Sightings) -> list[str | None] | None:
    machines = sightings.machines()
    return None if machines is None else [one.address for one in machines]


def test_the_return_of_a_machine_after_another_is_a_clash_that_names_both() -> None:
    sightings = seen((0, NAS), (10, CLONE))
    assert sightings.machines() is None
    assert sightings.note(NAS, "10.0.0.1", 30, 30)
    machines = sightings.machines()
    assert machines is not None
    assert [(one.hostname, one.address) for one in machines] == [
        ("nas", "10.0.0.1"),
        ("nas", "10.0.0.2"),
    ]
    assert machines[0].last_seen_at == "1970-01-01T00:00:30.000Z"


def test_a_restart_a_new_name_and_a_new_installation_are_no_clash() -> None:
    reboots = [(float(30 * n), (f"boot-{n}", *NAS[1:])) for n in range(20)]
    assert seen(*reboots).machines() is None
    renamed = (*NAS[:3], "attic")
    assert seen((0, NAS), (30, renamed), (60, NAS)).machines() is None
    assert (
        seen((0, NAS), (30, ("b", "e", "m", "nas")), (60, ("b", "e", "m", "nas"))).machines()
        is None
    )


def test_a_mark_that_is_told_at_times_only_is_no_other_machine() -> None:
    hung = (NAS[0], None, *NAS[2:])
    assert seen((0, NAS), (30, hung), (60, NAS), (90, hung)).machines() is None
    old_agent = (None, NAS[1], None, NAS[3])
    assert seen((0, old_agent), (30, NAS), (60, old_agent)).machines() is None


def test_old_agents_are_told_apart_by_engine_and_name() -> None:
    one, other = (None, None, None, "nas"), (None, None, None, "pi")
    assert seen((0, one), (10, other), (30, one)).is_clash


def test_a_clash_ends_when_one_alone_has_reported_for_a_while() -> None:
    sightings = seen((0, NAS), (10, CLONE), (30, NAS))
    assert not sightings.note(NAS, "10.0.0.1", 600, 10 + WINDOW_S)
    assert addresses(sightings) == ["10.0.0.1", "10.0.0.2"]
    assert sightings.note(NAS, "10.0.0.1", 640, 11 + WINDOW_S)
    assert sightings.machines() is None


def test_a_machine_that_returns_after_long_is_no_clash() -> None:
    assert seen((0, NAS), (10, CLONE), (30 + WINDOW_S, NAS)).machines() is None


@given(st.lists(MARKS, max_size=30))
def test_whatever_comes_is_bounded_and_a_clash_names_several(told: list[Marks]) -> None:
    sightings = Sightings()
    clashes = 0
    for number, marks in enumerate(told):
        before = sightings.is_clash
        assert sightings.note(marks, None, number, number) == (sightings.is_clash != before)
        machines = sightings.machines()
        clashes += machines is not None
        assert machines is None or 2 <= len(machines) <= MAX_MACHINES
    if len(set(told)) < 2:
        assert clashes == 0


@given(MARKS, MARKS)
def test_sameness_asks_nobody_first(one: Marks, other: Marks) -> None:
    assert is_same(one, one)
    assert is_same(one, other) == is_same(other, one)
    assert is_same(one, NO_MARKS)


@given(st.lists(st.sampled_from([NAS, CLONE]), min_size=1, max_size=20))
def test_two_machines_clash_exactly_when_one_returns(told: list[Marks]) -> None:
    changes = sum(before != after for before, after in itertools.pairwise(told))
    assert seen(*enumerate(told)).is_clash == (changes > 1)
