"""Reads pushed reports; what a host sent before is not worked through again.

From one report to the next little but the statistics moves, and agents send
them as the last field of a container. So what comes before them, its head, is
decoded, checked, masked and encoded once, and from then on found by what was
sent. A report of another form is decoded as a whole. What is stored is always
our own encoding of checked and masked structs, never a piece of what was sent.
"""

import contextlib
import re
from collections.abc import Awaitable, Callable, Collection, Sequence

import msgspec
from msgspec import field

from archnest.masking import mask_container
from archnest.model.limits import MAX_CONTAINERS
from archnest.model.report import Container, Report, Stats

SLICE_BYTES = 65_536
"""Decoded, masked and encoded in less than a millisecond, and mostly the whole of a report: what
others do in between would push it out of the processor's caches, which takes as long again.
"""
MAX_HASHED_BYTES = 16_384
"""Of a head. To hash a longer one wherever it could begin could take seconds."""
Pause = Callable[[], Awaitable[None]]


class _End(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A container's last field by itself."""

    stats: Stats | None


_decode = msgspec.json.Decoder(Report).decode
_decode_container = msgspec.json.Decoder(Container).decode
_decode_ends = msgspec.json.Decoder(list[_End]).decode
_encode = msgspec.json.Encoder().encode
_FAULTS = (msgspec.MsgspecError, UnicodeError, RecursionError)

# In JSON a text cannot hold these, for its quotes would be escaped.
_CONTAINERS = re.compile(rb',[ \t\r\n]*"containers":[ \t\r\n]*\[[ \t\r\n]*')
_STATS = b'"stats":'
_ALONE = b"{" + _STATS
_NEXT = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*,[ \t\r\n]*")
"""What stands between the statistics of a container and the next one."""
_LAST = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*\]")
"""What stands behind the statistics of the last one."""
_OTHER_STATS = re.compile(rb"[ \t\r\n]*(?:null|\{[^{}]*\})")
"""Statistics behind spaces, or none."""
_PROBE = Stats(pids=2**63 - 1)
"""Decoded in the place of a container's last field it shows that these are its statistics."""
_PROBE_END = _encode(_PROBE) + b"}"
_HIDDEN = b',"imageId":'
"""The first of the fields that only a container's own view shows."""


class Head(msgspec.Struct, frozen=True, gc=False):
    """What there is of a container but its statistics, in our own encoding."""

    text: bytes
    """Its object up to them, their field's name included."""
    id: str
    name: str
    hidden: int
    """Where in the text the fields begin that lists do not show."""
    key: bytes | tuple[int, int]
    """By what it is found: the text itself, or the hash and the length of what was sent in its
    place.

    The hash is Python's, SipHash with a key of this process. Two texts that shared one could
    only make a host show another of its own masked values.
    """


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A report's containers as they are stored."""

    heads: tuple[Head, ...] = ()
    ends: bytes = b"[]"
    """The list of the objects' ends, as objects that hold nothing but the statistics."""
    names: dict[str, str] = field(default_factory=dict)
    """Container id to name, in the report's order."""
    texts_bytes: int = 0
    """Of all heads."""

    @property
    def size(self) -> int:
        """Bytes of the containers as they are stored."""
        return self.texts_bytes + len(self.ends) - len(self.heads) * len(_ALONE)

    @property
    def containers_json(self) -> bytes:
        """The containers as they are stored."""
        pieces = [b""] * (2 * len(self.heads) + 1)
        pieces[::2] = self.ends.split(_ALONE)
        pieces[1::2] = [head.text for head in self.heads]
        return b"".join(pieces)

    def rows(self) -> list[bytes]:
        """Each container's object without the fields that lists do not show."""
        return [row(head, end) for head, end in zip(self.heads, self._ends(), strict=True)]

    def some(self, ids: Collection[str]) -> list[tuple[Head, bytes]]:
        """Containers with these ids: of each its head, and its statistics with what closes it."""
        if not ids:
            return []
        return [
            (head, end)
            for head, end in zip(self.heads, self._ends(), strict=True)
            if head.id in ids
        ]

    def _ends(self) -> list[bytes]:
        """Each container's statistics and what closes its object."""
        return [end[:-1] for end in self.ends.split(_ALONE)[1:]]


def row(head: Head, end: bytes) -> bytes:
    """A container's object without the fields that lists do not show."""
    return b"%b,%b%b" % (head.text[: head.hidden], _STATS, end)


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
        # To find nothing takes longer than to look for nothing.
        if self._begin is not None and (before.heads or len(self._data) > SLICE_BYTES):
            with contextlib.suppress(*_FAULTS, _OtherForm):
                cut = _Cut(self._data, self._begin, before.heads)
                if cut.rest != b"}":
                    self.report = self._with(cut.rest)
                return await _recalled(cut, before, pause)
        if self._begin is not None:
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

    def _with(self, rest: bytes) -> Report:
        """The report without its containers, given what stands behind them."""
        # Given twice, the second ones would be the report's.
        if b"containers" in rest or b"\\" in rest:
            raise _OtherForm
        return _decode(self._data[: self._begin] + b"]" + rest)


class _OtherForm(Exception):
    """The statistics are not the last field of each container."""


def encoded(containers: Sequence[Container]) -> Reading:
    """Containers that no agent sent just now, masked."""
    pieces = [encoded_one(one) for one in containers]
    return _reading([head for head, _ in pieces], _ends_of([end for _, end in pieces]))


async def _read_all(containers: Sequence[Container], pause: Pause) -> Reading:
    heads: list[Head] = []
    ends: list[bytes] = []
    worked_bytes = 0
    for one in containers:
        head, end = encoded_one(one)
        heads.append(head)
        ends.append(end)
        worked_bytes += len(head.text)
        if worked_bytes > SLICE_BYTES:
            worked_bytes = 0
            await pause()
    return _reading(heads, _ends_of(ends))


async def _recalled(cut: "_Cut", before: Reading, pause: Pause) -> Reading:
    """Read only what was not there before.

    Raises _OtherForm where a piece is no whole container, and what msgspec raises.
    """
    ends = _whole_ends(cut.ends, len(cut.heads))
    if cut.is_same:
        return Reading(before.heads, ends, before.names, before.texts_bytes)
    heads: list[Head] = []
    worked_bytes = 0
    for one in cut.heads:
        if isinstance(one, Head):
            heads.append(one)
            continue
        container = _decode_container(one + _PROBE_END)
        if container.stats != _PROBE:
            raise _OtherForm
        heads.append(encoded_one(container, one)[0])
        worked_bytes += len(one)
        if worked_bytes > SLICE_BYTES:
            worked_bytes = 0
            await pause()
    return _reading(heads, ends)


class _Cut:
    """A report's containers, cut where their statistics begin and end.

    They are its containers once each is seen to be a whole one by itself, for
    nothing but commas stands between them and their list ends behind them.
    Raises _OtherForm.
    """

    def __init__(self, data: bytes, start: int, before: Sequence[Head]) -> None:
        self._data = data
        self._before = before
        pieces, start = self._repeated(start)
        count = len(pieces)
        self.heads: Sequence[Head | bytes] = before if count == len(before) else before[:count]
        """Those that the report before had, too, and the others as they were sent."""
        self.ends = b"[" + _ALONE + _ALONE.join(pieces)
        """The list of the objects' ends, which may not be JSON yet."""
        self.rest = data[start:]
        """What stands behind their list."""
        if not data.endswith(b"]", 0, start):
            self._cut_on(pieces, start)

    @property
    def is_same(self) -> bool:
        """Whether all are those of the report before."""
        return self.heads is self._before

    def _repeated(self, start: int) -> tuple[list[bytes], int]:
        """As many as stand there as in the report before; of each its end, and one character more.

        Where they end, too. Such an end is JSON among the others only if it holds what the
        statistics are, up to the first brace that closes, another one and a comma or a bracket.
        """
        data = self._data
        pieces: list[bytes] = []
        for head in self._before:
            key = head.key
            if type(key) is not bytes or not data.startswith(key, start):
                break
            begin = start + len(key)
            first = data[begin : begin + 1]
            end = data.find(b"}", begin)
            if end < 0:
                raise _OtherForm
            if first == b"{":
                start = end + 3
            elif first == b"n":
                start = end + 2
            else:
                break
            pieces.append(data[begin:start])
        return pieces, start

    def _cut_on(self, pieces: list[bytes], start: int) -> None:
        """Cut what comes after those that are as before."""
        data = self._data
        heads: list[Head | bytes] = [*self.heads]
        if not all(one.endswith(b"},") for one in pieces):
            raise _OtherForm
        stats = [one[:-2] for one in pieces]
        self._numbers: dict[object, int] | None = None
        """Of the heads before by their keys, once one was not where it was expected."""
        end = start - 2
        expected = len(heads)
        for _ in range(MAX_CONTAINERS - len(heads)):
            head, begin, expected = self._next(start, expected)
            heads.append(head)
            end = data.find(b"}", begin) + 1
            # With another brace these were not all of an object.
            if data.rfind(b"{", begin, end) != begin:
                end = self._end_of_other(begin)
            stats.append(data[begin:end])
            start = end + 2
            if data[end : end + 3] != b"},{":
                following = _NEXT.match(data, end)
                if following is None:
                    break
                start = following.end()
        last = _LAST.match(data, end)
        if last is None:
            raise _OtherForm
        is_same = self._numbers is None and len(heads) == len(self._before)
        self.heads = self._before if is_same else heads
        self.ends = b"[%b%b}]" % (_ALONE, (b"}," + _ALONE).join(stats))
        self.rest = data[last.end() :]

    def _next(self, start: int, expected: int) -> tuple[Head | bytes, int, int]:
        """The head that begins there, its end, and the number of the one expected after it."""
        if expected < len(self._before):
            head = self._before[expected]
            key = head.key
            if type(key) is not bytes:
                end = self._end_of_hashed(start, key)
            else:
                end = start + len(key) if self._data.startswith(key, start) else 0
            if end:
                return head, end, expected + 1
        return self._search(start, expected)

    def _end_of_hashed(self, start: int, key: bytes | tuple[int, int]) -> int:
        """Where the head of this hash ends if it begins there, else 0."""
        known, size = key
        end = start + size
        if size > MAX_HASHED_BYTES or self._data[end - len(_STATS) : end] != _STATS:
            return 0
        return end if hash(self._data[start:end]) == known else 0

    def _search(self, start: int, expected: int) -> tuple[Head | bytes, int, int]:
        """The same for a head that is not the expected one."""
        end = self._data.find(_STATS, start) + len(_STATS)
        if end < start:
            raise _OtherForm
        if self._numbers is None:
            self._numbers = {one.key: number for number, one in enumerate(self._before)}
        sent = self._data[start:end]
        number = None
        if self._numbers:
            number = self._numbers.get(sent, self._numbers.get(_hashed(sent)))
        if number is None:
            return sent, end, expected + 1
        return self._before[number], end, number + 1

    def _end_of_other(self, begin: int) -> int:
        """The end of statistics that do not begin with a brace at once."""
        found = _OTHER_STATS.match(self._data, begin)
        if found is None:
            raise _OtherForm
        return found.end()


def _hashed(sent: bytes) -> tuple[int, int]:
    return hash(sent), len(sent)


def encoded_one(container: Container, sent: bytes | None = None) -> tuple[Head, bytes]:
    """A container's head, masked, to be found by what was sent of it, and its object's end.

    The end is its statistics with what closes its object.
    """
    masked = mask_container(container)
    whole = _encode(masked)
    # The last one of each: a label may have the field's name.
    end = whole.rindex(_STATS) + len(_STATS)
    text = whole[:end]
    key = text if sent is None or sent == text else _hashed(sent)
    return Head(text, masked.id, masked.name, text.rindex(_HIDDEN), key), whole[end:]


def _reading(heads: Sequence[Head], ends: bytes) -> Reading:
    names = {one.id: one.name for one in heads}
    return Reading(tuple(heads), ends, names, sum(len(one.text) for one in heads))


def _whole_ends(ends: bytes, count: int) -> bytes:
    """The containers' ends in our own encoding; raises _OtherForm and what msgspec raises."""
    decoded = _decode_ends(ends)
    if len(decoded) != count:
        raise _OtherForm
    return _encode(decoded)


def _ends_of(ends: Sequence[bytes]) -> bytes:
    return b"[%b]" % b",".join([_ALONE + one for one in ends])
