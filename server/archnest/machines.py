"""Which machines report under one hostId, and when those are two at once; pure.

No mark proves a machine: a cloned one shares its machine id and its engine's,
a restart changes the boot id, and either may be absent. So a change of marks
means nothing, for a machine may restart, be renamed or be installed anew. But
what it was before then never comes back: marks that return after others were
seen are those of a second machine.
"""

from dataclasses import dataclass

from archnest.model.host import Machine
from archnest.model.report import Report
from archnest.timestamps import rfc3339

WINDOW_S = 600.0
"""Marks that return later than this say nothing, and a clash ends after so long without."""
MAX_MACHINES = 4
"""Remembered for a host, so that one that changes its marks each time stays bounded."""
MAX_NAME = 255

Marks = tuple[str | None, str | None, str | None, str | None]
"""Boot id, engine id, machine id's hash, hostname; None where it is not told."""
NO_MARKS: Marks = (None, None, None, None)


def marks_of(report: Report) -> Marks:
    """What a report tells of the machine that sent it."""
    marks, engine = report.marks, report.engine
    return (
        marks.boot_id if marks else None,
        engine.id if engine else None,
        marks.machine_id if marks else None,
        report.hostname[:MAX_NAME] if report.hostname else None,
    )


def is_same(one: Marks, other: Marks) -> bool:
    """Whether both may be one machine; what either does not tell speaks for it.

    Of one boot and one engine they are one whatever their names: it was renamed,
    or a second agent runs in a container that has a name of its own.
    """
    if one[0] is not None and one[1] is not None and one[:2] == other[:2]:
        return True
    return all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))


@dataclass(slots=True)
class _Seen:
    marks: Marks
    address: str | None
    at: float
    """Unix seconds."""
    elapsed: float
    """The same on a clock that is never set."""


class Sightings:
    """The machines that lately reported as one host."""

    def __init__(self) -> None:
        self._seen: list[_Seen] = []
        """In the order in which they came first."""
        self._latest: _Seen | None = None
        self.is_clash = False

    def note(self, marks: Marks, address: str | None, at: float, elapsed: float) -> bool:
        """A report came, `at` unix seconds; true when a clash begins or ends with it."""
        latest = self._latest
        if latest is None or (marks != latest.marks and not is_same(marks, latest.marks)):
            return self._note_another(marks, address, at, elapsed)
        latest.marks = _joined(latest.marks, marks)
        latest.address, latest.at, latest.elapsed = address, at, elapsed
        return len(self._seen) > 1 and self._drop_old(elapsed)

    def machines(self) -> list[Machine] | None:
        """Those that clash, in the order in which they came first; None without a clash."""
        if not self.is_clash:
            return None
        return [Machine(one.marks[3], one.address, rfc3339(one.at)) for one in self._seen]

    def _note_another(self, marks: Marks, address: str | None, at: float, elapsed: float) -> bool:
        self._drop_old(elapsed)
        before = self.is_clash
        known = next((one for one in self._seen if is_same(one.marks, marks)), None)
        if known is None:
            known = _Seen(marks, address, at, elapsed)
            self._seen.append(known)
            if len(self._seen) > MAX_MACHINES:
                self._seen.remove(min(self._seen, key=lambda one: one.elapsed))
        else:
            self.is_clash = True
            known.marks = _joined(known.marks, marks)
            known.address, known.at, known.elapsed = address, at, elapsed
        self._latest = known
        return self.is_clash != before

    def _drop_old(self, elapsed: float) -> bool:
        self._seen = [
            one for one in self._seen if one is self._latest or elapsed - one.elapsed <= WINDOW_S
        ]
        ended = self.is_clash and len(self._seen) < 2
        if ended:
            self.is_clash = False
        return ended


def _joined(known: Marks, told: Marks) -> Marks:
    """What was told now, and before that where it is silent now."""
    if known == told:
        return known
    boot, engine, machine, name = (
        new if new is not None else old for old, new in zip(known, told, strict=True)
    )
    return boot, engine, machine, name
