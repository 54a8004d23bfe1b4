"""Reads pushed reports; what a host sent before is not worked through again.

From one report to the next little but the statistics moves, and agents send
them as the last field of a container. So what comes before them is decoded,
checked, masked and encoded once, and from then on found by what was sent. A
report of another form is decoded as a whole. What is stored is always our own
encoding of checked and masked structs, never a piece of what was sent.
"""

import contextlib
import re
from array import array
from collections.abc import Awaitable, Callable, Collection, Sequence

import msgspec
from msgspec import field

from archnest.masking import mask_container
from archnest.model.limits import MAX_CONTAINERS
from archnest.model.report import Container, Report, Stats

SLICE_BYTES = 16_384
"""Read, masked and encoded in about a millisecond."""
NOT_ANY = -2
"""Neither a container nor the one before the first."""
Pause = Callable[[], Awaitable[None]]

_decode = msgspec.json.Decoder(Report).decode
_decode_container = msgspec.json.Decoder(Container).decode
_decode_stats = msgspec.json.Decoder(list[Stats | None]).decode
_encode = msgspec.json.Encoder().encode
_FAULTS = (msgspec.MsgspecError, UnicodeError, RecursionError)

# In JSON a text cannot hold these, for its quotes would be escaped.
_CONTAINERS = re.compile(rb',[ \t\r\n]*"containers":[ \t\r\n]*\[')
_STATS = b'"stats":'
_PROBE = Stats(pids=2**63 - 1)
"""Decoded in the place of a container's last field it shows that these are its statistics."""
_PROBE_TAIL = _STATS + _encode(_PROBE) + b"}"
# Where our own encoding of a container is cut; a label called so has a text there.
_STATS_CUT = b',"stats":'
_CUTS = (_STATS_CUT + b"{", _STATS_CUT + b"null")
_HIDDEN_CUT = b',"imageId":'
"""The first of the fields that only a container's own view shows."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A report's containers as they are stored."""

    containers_json: bytes = b"[]"
    names: dict[str, str] = field(default_factory=dict)
    """Container id to name, in the report's order."""
    cuts: "array[int]" = field(default_factory=lambda: array("I"))
    """Three numbers a container: where it begins, where its statistics do, and where
    the fields that lists do not show."""
    keys: tuple[int, ...] = ()
    """For each container the hash of what was sent of it before its statistics; empty
    when the report had another form.

    It is Python's, SipHash with a key of this process. Two texts that shared one could
    only make a host show another of its own masked values.
    """
    lengths: "array[int]" = field(default_factory=lambda: array("I"))
    """How many bytes those were."""

    def rows(self) -> list[bytes]:
        """Each container's object without the fields that lists do not show."""
        starts, ends = self.cuts[::3], self.cuts[2::3]
        return [self.containers_json[a:b] + b"}" for a, b in zip(starts, ends, strict=True)]

    def texts(self, ids: Collection[str]) -> list[bytes]:
        """The objects of containers with these ids, where each has its own."""
        bounds = [*self.cuts[::3], len(self.containers_json)]
        return [
            self.containers_json[bounds[number] : bounds[number + 1] - 1]
            for number, one in enumerate(self.names)
            if one in ids
        ]


class Sent:
    """A report as it was sent; raises what msgspec raises, naming the field."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._begin: int | None = None
        """Where the containers do; None when the report is of another form."""
        self.report: Report = self._without_containers() or _decode(data)
        """Its containers may be unread, and before `read` what comes after them, too."""

    async def read(self, before: Reading, pause: Pause) -> Reading:
        """Its containers, given the host's reading as it stands.

        `pause` is awaited after each SLICE_BYTES of what was not there yet.
        """
        if self._begin is not None:
            with contextlib.suppress(*_FAULTS, _OtherForm):
                pieces = _Pieces(self._data, self._begin, before.lengths)
                return await _recalled(pieces, before, pause)
            self.report = _decode(self._data)
        return await _read_all(self.report.containers, pause)

    def _without_containers(self) -> Report | None:
        begin = _CONTAINERS.search(self._data)
        if begin is None:
            return None
        try:
            report = _decode(self._data[: begin.end()] + b"]}")
        except _FAULTS:
            return None
        self._begin = begin.end()
        return report


class _OtherForm(Exception):
    """The statistics are not the last field of each container."""


class _Pieces:
    """A report's containers, cut where their statistics begin and end.

    They are its containers once each is seen to be a whole one by itself, for
    nothing but commas stands between them and nothing behind them. Raises
    _OtherForm.
    """

    def __init__(self, data: bytes, start: int, lengths: Sequence[int]) -> None:
        """`lengths` of the heads in the host's last report may save a search."""
        self.heads: list[bytes] = []
        self.stats: list[bytes] = []
        known = iter(lengths)
        for _ in range(MAX_CONTAINERS):
            at = start + next(known, 0)
            begin = at + len(_STATS)
            if data[at:begin] != _STATS:
                at = data.find(_STATS, start)
                if at < 0:
                    raise _OtherForm
                begin = at + len(_STATS)
            opening = data[begin : begin + 4]
            if opening == b"null":
                end = begin + 4
            elif opening.lstrip()[:1] == b"{":
                end = data.find(b"}", begin) + 1
            else:
                raise _OtherForm
            self.heads.append(data[start:at])
            self.stats.append(data[begin:end])
            start = end + 2
            if data[end:start] != b"},":
                break
        if data[end:].split() != [b"}]}"]:
            raise _OtherForm


def encoded(containers: Sequence[Container]) -> Reading:
    """Containers that did not come as JSON, masked."""
    made = _Made(Reading())
    for one in containers:
        made.add(one)
    return made.reading()


async def _read_all(containers: Sequence[Container], pause: Pause) -> Reading:
    made = _Made(Reading())
    worked_bytes = 0
    for one in containers:
        worked_bytes += made.add(one)
        if worked_bytes > SLICE_BYTES:
            worked_bytes = 0
            await pause()
    return made.reading()


async def _recalled(pieces: _Pieces, before: Reading, pause: Pause) -> Reading:
    """Read only what was not there before.

    Raises _OtherForm where a piece is no whole container, and what msgspec raises.
    """
    told = b"[%b]" % b",".join(pieces.stats)
    decoded = _decode_stats(told)
    # Each begins with a brace or is null; together they are so many whole ones only if
    # there is no other brace.
    if len(decoded) != len(pieces.stats) or told.count(b"{") != len(decoded) - decoded.count(None):
        raise _OtherForm
    stats = [_encode(one) for one in decoded]
    keys = tuple(map(hash, pieces.heads))
    if keys == before.keys:
        return _with_stats(before, stats)
    made = _Made(before)
    worked_bytes = 0
    for key, head, one in zip(keys, pieces.heads, stats, strict=True):
        if made.repeat(key, one):
            continue
        container = _decode_container(head + _PROBE_TAIL)
        if container.stats != _PROBE:
            raise _OtherForm
        made.add(container, one)
        worked_bytes += len(head)
        if worked_bytes > SLICE_BYTES:
            worked_bytes = 0
            await pause()
    return made.reading(keys, array("I", map(len, pieces.heads)))


def _with_stats(before: Reading, stats: list[bytes]) -> Reading:
    """The same containers with other statistics, as nine in ten reports are."""
    text, cuts = before.containers_json, before.cuts
    pieces: list[bytes] = []
    moved: list[int] = []
    done = shift = 0
    for one, start, at, hidden in zip(stats, cuts[::3], cuts[1::3], cuts[2::3], strict=True):
        pieces += (text[done:at], one)
        end = at + shift + len(one)
        moved += (start + shift, at + shift, end)
        done, shift = hidden, end - hidden
    pieces.append(text[done:])
    return Reading(b"".join(pieces), before.names, array("I", moved), before.keys, before.lengths)


class _Made:
    """A reading while it grows, container by container.

    What follows each other in the one before is taken over in one piece, from
    the end of one container's statistics to the beginning of the next one's.
    """

    def __init__(self, before: Reading) -> None:
        self._before = before
        self._text = before.containers_json
        self._known = list(before.names.items())
        # Of containers that share an id only one has its name there.
        is_whole = len(self._known) == len(before.keys)
        self._numbers = {key: n for n, key in enumerate(before.keys)} if is_whole else {}
        self._names: list[tuple[str, str]] = []
        self._cuts: list[int] = []
        self._pieces: list[bytes] = [b"["]
        self._length = 1
        self._number = NOT_ANY
        """Of the container taken over last, when its end is still to come."""
        self._rest = 0
        """From where on in the text before that end stands."""

    def repeat(self, key: int, stats: bytes) -> bool:
        """Take over a container with other statistics, if there is one of this key."""
        number = self._numbers.get(key)
        if number is None:
            return False
        start, at, hidden = self._before.cuts[3 * number : 3 * number + 3]
        if number != self._number + 1:
            self._begin()
            self._rest = start
        shift = self._length - self._rest
        self._pieces += (self._text[self._rest : at], stats)
        self._length = at + shift + len(stats)
        self._cuts += (start + shift, at + shift, self._length)
        self._names.append(self._known[number])
        self._number, self._rest = number, hidden
        return True

    def add(self, container: Container, stats: bytes | None = None) -> int:
        """Take in a container, with these statistics in place of its own; its bytes."""
        masked = mask_container(container)
        text = _encode(masked)
        at = text.index(_CUTS[container.stats is None]) + len(_STATS_CUT)
        hidden = text.index(_HIDDEN_CUT, at)
        self._begin()
        one = stats or text[at:hidden]
        self._pieces += (text[:at], one, text[hidden:])
        start = self._length
        self._cuts += (start, start + at, start + at + len(one))
        self._length += at + len(one) + len(text) - hidden
        self._names.append((masked.id, masked.name))
        return len(text)

    def _begin(self) -> None:
        """End the container taken over last, and begin another."""
        if self._number >= 0:
            cuts = self._before.cuts
            following = 3 * self._number + 3
            end = cuts[following] if following < len(cuts) else len(self._text)
            self._pieces.append(self._text[self._rest : end - 1])
            self._length += end - 1 - self._rest
            self._number = NOT_ANY
        if self._names:
            self._pieces.append(b",")
            self._length += 1

    def reading(self, keys: tuple[int, ...] = (), lengths: "array[int] | None" = None) -> Reading:
        """All of it, to be found by these keys."""
        self._begin()
        if self._names:
            self._pieces.pop()
        return Reading(
            b"".join((*self._pieces, b"]")),
            dict(self._names),
            array("I", self._cuts),
            keys,
            lengths or array("I"),
        )
