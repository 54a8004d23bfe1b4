"""What a report repeats is recalled, and the outcome is as if all were read anew."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from archnest import recall
from archnest.masking import mask_container
from archnest.model.host import ContainerRow
from archnest.model.limits import MAX_CONTAINERS
from archnest.model.report import Container, Report
from tests.factories import container, report

TEXT = st.text(alphabet='a"\\ü:{[],-', max_size=12)
SAMPLE = st.sampled_from
LONG = {
    "env": SAMPLE(
        [None, [], [{"key": "DB_PASSWORD", "value": "hunter2"}, {"key": "A", "value": ""}]]
    ),
    "labels": st.none()
    | st.dictionaries(TEXT | SAMPLE(["imageId", "ports", "env"]), TEXT, max_size=2),
    "command": st.none() | TEXT | SAMPLE(["--token=abc", "postgres://u:p@h/", '"ports":', "],["]),
    "entrypoint": SAMPLE([None, "", "/run --password x"]),
    "ports": SAMPLE([None, [], [{"containerPort": 80, "proto": "tcp", "later": 1}]]),
    "networks": SAMPLE([None, [], [{"name": "net"}]]),
    "mounts": SAMPLE([None, [{"type": "bind", "destination": '"ports":'}]]),
}
STATS = SAMPLE([None, {}, {"pids": 1}, {"later": "}"}, {"later": []}])
FIELDS = {
    "stats": STATS,
    "name": TEXT,
    "state": TEXT,
    "status": st.none() | SAMPLE(['"ports":[]', "Up"]),
    **LONG,
}
LIST = st.lists(
    st.fixed_dictionaries({}, optional=FIELDS).map(lambda fields: container(**fields)), max_size=3
)


FORMS: list[dict[str, Any]] = [{"separators": (",", ":")}, {}, {"indent": 1}]
BEHIND = ["", "\n", ',"hostname":"later"', ' , "engine": {"cpus": 2}', ',"x":"containers"']
BEHIND += [',"containers":[]', ',"\\u0063ontainers":[]', ',"hostId":"other"']


async def at_once() -> None:
    """No pause at all."""


def read(
    data: bytes,
    before: recall.Reading | None = None,
    pause: recall.Pause = at_once,
) -> recall.Reading:
    return asyncio.run(recall.Sent(data).read(before or recall.Reading(), pause))


def sent(
    containers: list[dict[str, Any]], form: dict[str, Any] = FORMS[0], behind: str = ""
) -> bytes:
    return (json.dumps(report("nas", *containers), **form)[:-1] + behind + "}").encode()


def sent_as_stored(containers: list[dict[str, Any]], behind: str = "") -> bytes:
    """In the order in which agents send, which is that of what is stored."""
    stored = msgspec.json.encode(msgspec.convert(containers, list[Container]))
    return b'{"hostId":"nas","containers":%b%b}' % (stored, behind.encode())


@given(LIST, LIST, st.none() | SAMPLE(FORMS), SAMPLE(BEHIND))
def test_whatever_was_sent_before_the_outcome_is_that_of_reading_all(
    first: list[dict[str, Any]],
    second: list[dict[str, Any]],
    form: dict[str, Any] | None,
    behind: str,
) -> None:
    def pushed(containers: list[dict[str, Any]], behind: str = "") -> bytes:
        return sent(containers, form, behind) if form else sent_as_stored(containers, behind)

    before = read(pushed(first))
    for following in (first, second, [*second, *first], [*first, *second], first[:1], first[1:]):
        data = pushed(following, behind)
        sending = recall.Sent(data)
        reading = asyncio.run(sending.read(before, at_once))
        told = msgspec.json.decode(data, type=Report)
        assert replace(sending.report, containers=told.containers) == told
        whole = [mask_container(one) for one in told.containers]
        assert msgspec.json.decode(reading.containers_json, type=list[Container]) == whole
        rows = msgspec.json.decode(reading.containers_json, type=list[ContainerRow])
        shown = reading.rows()
        hidden = {"imageId", "mounts", "env", "entrypoint", "command"}
        for row, text in zip(rows, shown, strict=True):
            assert msgspec.json.decode(text, type=ContainerRow) == row
            assert not hidden & set(json.loads(text)), "a list holds no environment"
        assert reading.names == {one.id: one.name for one in whole}
        assert reading.size == len(reading.containers_json)
        known = read(data, reading)
        assert known.containers_json == reading.containers_json
        assert read(data, known) == known, "a report that repeats it finds all of it"


@pytest.mark.parametrize(
    "pieces",
    [
        ('{"x":{"y":1}', '"z":2}', ' null,{"pids":5}'),
        ('{"pids":1},{"pids":2}', "null"),
        ('{"x":[{"pids":1}', '{"pids":1}]}'),
        ("[1]", '{"pids":1}'),
    ],
)
def test_what_is_no_json_is_refused_wherever_it_could_be_cut(pieces: tuple[str, ...]) -> None:
    head = json.dumps(container("web"), separators=(",", ":")).partition('"stats":')[0]
    body = ",".join(f'{head}"stats":{piece}}}' for piece in pieces)
    with pytest.raises(msgspec.DecodeError):
        read(f'{{"hostId":"nas","containers":[{body}]}}'.encode())


def test_what_is_repeated_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = container("web", env=[{"key": "TOKEN", "value": "x"}])
    # Once in their own order, which is not ours.
    before = read(sent([secret, container("db")]), read(sent([secret])))

    def fail(data: bytes) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(recall, "_decode_container", fail)
    later = {**secret, "stats": {"pids": 77}}
    for again in ([later, container("db", stats=None)], [container("db"), later], [later]):
        reading = read(sent(again), before)
        assert b"********" in reading.containers_json
        assert b'"pids":77' in reading.containers_json
    with pytest.raises(AssertionError, match="decoded again"):
        read(sent([container("web", env=[{"key": "TOKEN", "value": "y"}])]), before)


@pytest.mark.parametrize("behind", ["", "\n", ', "hostname": "later"'])
@pytest.mark.parametrize("form", [*FORMS, {"separators": (" ,\n", "\t: ")}])
def test_however_it_is_spaced_what_is_repeated_is_found(
    form: dict[str, Any], behind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = container("web"), container("db", command="--token x", stats=None)
    data = sent([one, other], form, behind)
    is_read_whole = b'"stats":' not in data
    before = read(data, read(sent([container("x")])))
    decoded: list[bytes] = []
    decode = recall._decode_container
    monkeypatch.setattr(
        recall, "_decode_container", lambda sent: decoded.append(sent) or decode(sent)
    )
    later = sent([other, one], form, behind)
    assert json.loads(read(later, before).containers_json)[0]["name"] == "db"
    assert not decoded
    assert is_read_whole == all(head.key == head.text for head in before.heads)


@pytest.mark.parametrize("size", [recall.MAX_HASHED_BYTES // 2, 40 * recall.MAX_HASHED_BYTES])
def test_a_long_head_is_not_hashed_again_for_each_short_one(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = [container("c000")] * 4_000
    each = len(sent(short[:2])) - len(sent(short[:1]))
    # Wherever a short one begins, where the long one would end statistics begin, too.
    part = "x" * 30 * each
    labels = {f"{number:03}": part for number in range(size // len(part) + 1)}
    long = container("long", labels=labels)
    more = (len(sent(short[:1])) - len(sent([long]))) % each
    long["labels"]["000"] += "x" * more
    before = read(sent([short[0], long]), read(sent([long])))
    hashed_bytes = 0

    def counting(data: bytes) -> int:
        nonlocal hashed_bytes
        hashed_bytes += len(data)
        return hash(data)

    monkeypatch.setattr(recall, "hash", counting, raising=False)
    data = sent(short)
    assert len(read(data, before).heads) == 4_000
    assert hashed_bytes < 20 * len(data)


def test_what_never_ends_is_looked_through_once() -> None:
    looks = 0

    class Counting(bytes):
        def find(self, *where: Any) -> int:
            nonlocal looks
            looks += 1
            return super().find(*where)

    plain = dict.fromkeys(("ports", "networks", "mounts", "env", "labels"))
    same = [container("web", **plain)] * 50
    before = read(sent_as_stored(same))
    head = before.heads[0].text
    assert b"}" not in head
    # From where nothing closes one could come back to the beginning, for each that was before.
    data = b' %bnull,"hostId":"nas","containers":[%bn%b' % (head, head, b"x" * 100)
    with pytest.raises(msgspec.DecodeError):
        read(Counting(data), before)
    assert looks < 5


NEVER_THERE = [
    container("web", labels={"stats": "x", 'a,"stats":{}': "y"}),
    container("web", **{'odd"stats': {"pids": 1}}),
    container("web", stats={"pids": 1, "later": {"pids": 2}}),
    container("web", stats={"pids": 1, "later": "},{"}),
    container("web", later={"stats": {"pids": 1}}),
    container("web", later={"containers": [{"stats": None}]}),
    {key: value for key, value in container("web").items() if key != "stats"},
    {**{key: value for key, value in container("web").items() if key != "stats"}, 'odd"stats': {}},
    {"stats": {"pids": 5}, **{key: container("web")[key] for key in ("id", "name", "image")}}
    | {"state": "running"},
]


@pytest.mark.parametrize("odd", NEVER_THERE)
def test_statistics_that_only_seem_to_stand_there_are_not_taken(odd: dict[str, Any]) -> None:
    before = None
    for number in (1, 2, 3):
        data = sent([container("db", stats={"pids": number}), odd, odd])
        before = read(data, before)
        whole = [mask_container(one) for one in msgspec.json.decode(data, type=Report).containers]
        assert msgspec.json.decode(before.containers_json, type=list[Container]) == whole


def test_what_comes_after_the_containers_counts() -> None:
    first = sent([container("web")])
    data = first[:-1] + b',"hostname":"later","hostId":"other"}'
    for told in (data, data.replace(b'"hostId":"nas"', b'"hostId":"nas","containers":[]')):
        sending = recall.Sent(told)
        asyncio.run(sending.read(read(first), at_once))
        assert (sending.report.host_id, sending.report.hostname) == ("other", "later")


@pytest.mark.parametrize(
    "broken",
    [{"env": 5}, {"labels": {"a": 1}}, {"ports": [{}]}, {"state": 1}, {"stats": {"pids": -1}}],
)
def test_a_fault_is_told_as_the_whole_decoder_tells_it(broken: dict[str, Any]) -> None:
    before = read(sent([container("web")]))
    data = sent([container("web"), {**container("odd"), **broken}])
    with pytest.raises(msgspec.ValidationError) as whole:
        msgspec.json.decode(data, type=Report)
    with pytest.raises(msgspec.ValidationError) as told:
        read(data, before)
    assert str(told.value) == str(whole.value)


def test_more_containers_than_a_host_may_have_are_refused_when_most_are_known_too() -> None:
    shape = {key: container()[key] for key in ("id", "name", "image", "state")}
    many = [{**shape, "id": f"c{number}"} for number in range(MAX_CONTAINERS + 1)]
    before = read(sent_as_stored(many[1:]))
    assert read(sent_as_stored(many[1:]), before).heads is before.heads
    for more in ([*many[1:], many[0]], many):
        with pytest.raises(msgspec.ValidationError, match="Expected `array` of length <= 5000"):
            read(sent_as_stored(more), before)


def test_what_is_stored_is_our_own_encoding() -> None:
    odd = sent([container("web", later={"a": "secret"}, mounts=[])])
    spaced = odd.replace(b'"mounts": []', b'"mounts" : [\n ]')
    for data in (odd, spaced):
        reading = read(data)
        assert b"later" not in reading.containers_json
        assert b'"mounts":[]' in reading.containers_json


def test_a_long_report_is_read_in_slices() -> None:
    slices = 0

    async def pause() -> None:
        nonlocal slices
        slices += 1

    long = [container(f"c{number}", command="x" * 4_000) for number in range(100)]
    first = read(sent(long), pause=pause)
    assert slices >= len(first.containers_json) // (2 * recall.SLICE_BYTES)
    slices = 0
    assert read(sent(long), first, pause) == first
    assert slices == 0
