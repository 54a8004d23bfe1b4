"""Reads pushed reports; what a host sent before is not worked through again.

Most of a report never changes: a container's environment, labels, mounts,
networks, ports and commands. They are decoded, checked, masked and encoded
once, and from then on found by what was sent, so that a report which repeats
them costs little more than its short fields. What is stored is always our own
encoding of checked and masked structs, never a piece of what was sent.
"""

import operator
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import GenericAlias
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta, Raw

from archnest.masking import mask_container
from archnest.model.limits import MAX_CONTAINERS
from archnest.model.report import Container, Report

SHOWN = (
    *("ports", "networks", "labels", "image"),
    *("created_at", "started_at", "finished_at", "restart_policy"),
)
"""The steady fields that lists show too."""
HIDDEN = ("image_id", "mounts", "env", "entrypoint", "command")
"""Those that only a container's own view shows."""
STEADY = (*SHOWN, *HIDDEN)
"""The fields that seldom change: the long ones, those with secrets, those dear to check.

None of them is a number, which matters where their texts are joined.
"""
_FIRST = b'"ports":'
SLICE_BYTES = 16_384
"""Read, masked and encoded in about a millisecond."""
Pause = Callable[[], Awaitable[None]]

Places = Mapping[int, tuple[int, int, int]]
"""Where the steady fields of a container begin in the encoded list, where the hidden
ones begin and where all end, by what was sent.

The key is Python's hash of bytes, SipHash with a key of this process. Two texts
that shared one could only make a host show another of its own masked values.
"""


def _alike(name: str, like: Any, other: dict[str, Any]) -> Any:
    """A struct that decodes what `like` does, some fields in other types."""
    hints = get_type_hints(like, include_extras=True)
    fields: list[Any] = [
        (one.name, hints[one.name]) if one.required else (one.name, hints[one.name], one.default)
        for one in msgspec.structs.fields(like)
        if one.name not in other
    ]
    fields += [(key, *value) for key, value in other.items()]
    return msgspec.defstruct(name, fields, rename="camel", kw_only=True, gc=False)


_hints = get_type_hints(Container, include_extras=True)
_ShownFields, _HiddenFields = (
    msgspec.defstruct(name, [(field, _hints[field]) for field in fields], rename="camel")
    for name, fields in (("ShownFields", SHOWN), ("HiddenFields", HIDDEN))
)
# Never written as they stand: our own encoding takes their place.
_UNREAD = (Raw, Raw(b"null"))
_BriefContainer = _alike("BriefContainer", Container, dict.fromkeys(STEADY, _UNREAD))
_BRIEF_LIST: Any = Annotated[GenericAlias(list, _BriefContainer), Meta(max_length=MAX_CONTAINERS)]
_BriefReport = _alike("BriefReport", Report, {"containers": (_BRIEF_LIST,)})
_PASSING = [name for name in Container.__struct_fields__ if name not in STEADY]
# One field carries the text of all the steady ones; `ports` names the first of them.
_Written = msgspec.defstruct(
    "Written",
    [*((name, _hints[name]) for name in _PASSING), ("ports", Raw)],
    rename="camel",
    gc=False,
)
_steady = operator.attrgetter(*STEADY)
_passing = operator.attrgetter(*_PASSING)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Report).decode
_decode_container = msgspec.json.Decoder(Container).decode
# A container that has only steady fields; the others are decoded by themselves.
_TEMPLATE = b'{"id":"-","name":"","state":"",%b}' % b",".join(
    b'"%b":%%b' % one.encode_name.encode()
    for name in STEADY
    for one in msgspec.structs.fields(Container)
    if one.name == name
)
_decode_briefly = msgspec.json.Decoder(_BriefReport).decode


@dataclass(frozen=True, slots=True)
class Reading:
    """A report's containers as they are stored."""

    containers_json: bytes
    names: dict[str, str]
    """Container id to name, in the report's order."""
    places: Places
    rows: tuple[tuple[int, int], ...]
    """For each container where its object begins and where its hidden fields do."""


def read_briefly(data: bytes) -> Any:
    """The report with its steady fields unread; raises what msgspec raises, naming the field."""
    try:
        return _decode_briefly(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # The full decoder tells of the first fault that the sender made.
        _decode(data)
        raise


async def read_on(data: bytes, brief: Any, before: bytes, places: Places, pause: Pause) -> Reading:
    """The rest, given what `read_briefly` made of it.

    `before` is the host's encoded list as it stands and `places` what is where
    in it. `pause` is awaited after each SLICE_BYTES of what was not there yet.
    Raises what msgspec raises.
    """
    # JSON's values, but for numbers, end by themselves: no two lists of them join to one text.
    sent = [_steady(one) for one in brief.containers]
    keys = [hash(b"".join(fields)) for fields in sent]
    try:
        known = await _known(keys, sent, before, places, pause)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # The full decoder tells of the first fault that the sender made.
        _decode(data)
        raise
    return _joined(brief.containers, keys, known)


async def _known(
    keys: list[int], sent: list[tuple[Raw, ...]], before: bytes, places: Places, pause: Pause
) -> list[tuple[bytes, int]]:
    known = []
    worked_bytes = 0
    for key, fields in zip(keys, sent, strict=True):
        if key in places:
            known.append(_recalled(before, *places[key]))
            continue
        known.append(_steady_fields(fields))
        worked_bytes += len(known[-1][0])
        if worked_bytes > SLICE_BYTES:
            worked_bytes = 0
            await pause()
    return known


def encoded(containers: list[Container]) -> Reading:
    """Containers that did not come as JSON, masked."""
    masked = [mask_container(one) for one in containers]
    return Reading(_encode(masked), {one.id: one.name for one in masked}, {}, ())


def shown_rows(containers_json: bytes, rows: tuple[tuple[int, int], ...]) -> list[bytes]:
    """Each container's object without its hidden fields."""
    return [containers_json[begin:hidden] + b"}" for begin, hidden in rows]


def _recalled(before: bytes, start: int, hidden: int, end: int) -> tuple[bytes, int]:
    return before[start:end], hidden - start


def _steady_fields(sent: tuple[Raw, ...]) -> tuple[bytes, int]:
    """What follows _FIRST in JSON, masked, and where the hidden fields begin in it."""
    masked = mask_container(_decode_container(_TEMPLATE % tuple(map(bytes, sent))))
    shown = _encode(_ShownFields(*[getattr(masked, name) for name in SHOWN]))
    hidden = _encode(_HiddenFields(*[getattr(masked, name) for name in HIDDEN]))
    shown = shown[1 + len(_FIRST) : -1]
    return b"%b,%b" % (shown, hidden[1:-1]), len(shown)


def _joined(
    containers: list[Any], keys: list[int], steady_fields: list[tuple[bytes, int]]
) -> Reading:
    containers_json = _encode(
        [
            _Written(*_passing(one), Raw(fields))
            for one, (fields, _) in zip(containers, steady_fields, strict=True)
        ]
    )
    places: dict[int, tuple[int, int, int]] = {}
    rows: list[tuple[int, int]] = []
    at = 1
    for key, (fields, shown) in zip(keys, steady_fields, strict=True):
        # In JSON a text cannot hold this key: its quotes would be escaped.
        start = containers_json.index(_FIRST, at) + len(_FIRST)
        places[key] = (start, start + shown, start + len(fields))
        rows.append((at, start + shown))
        at = start + len(fields) + 2
    names = {one.id: one.name for one in containers}
    return Reading(containers_json, names, places, tuple(rows))
