"""Logs of real containers: which lines come, when the stream ends, and what it costs."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiohttp import ClientResponse, web

from archnest import keys
from archnest.sources.loglines import LogLine, LogLines
from tests.conftest import Client, slug
from tests.engine.awkward import ALONE, FLOOD, IMAGE, SLEEP
from tests.engine.dockerd import Engine
from tests.factories import container, report
from tests.sources.test_live import add, docker, host, named, until

Headers = dict[str, str]
Push = Callable[..., Awaitable[Any]]
BOTH = "echo out 1; echo err 1 >&2; echo out 2; printf '\\033[31mred\\033[0m\\n'"
TICK = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done"


@pytest.fixture
async def talk(client: Client, admin: Headers, engine: Engine) -> AsyncIterator[Any]:
    """Run a shell line in a container of an asked engine; its name is `talker`."""

    async def run(line: str, *options: str) -> None:
        command = ["run", "-d", "--name", "talker", *ALONE, *options, IMAGE, "sh", "-c", line]
        await docker(engine, *command)
        await add(client, admin, address=str(engine.socket))

        async def is_shown() -> bool:
            return named(await host(client, admin), "talker") is not None

        await until(is_shown)

    yield run
    await docker(engine, "rm", "-f", "talker")


async def logs(client: Client, who: Headers, query: str = "") -> ClientResponse:
    return await client.get(f"/api/hosts/nas/containers/talker/logs{query}", headers=who)


async def lines_of(response: ClientResponse) -> list[Any]:
    assert response.status == 200, await response.text()
    return [json.loads(line) for line in (await response.text()).splitlines() if line]


async def is_stopped(client: Client, admin: Headers) -> bool:
    row = named(await host(client, admin), "talker")
    return bool(row) and row["state"] == "exited"


async def is_gone(client: Client, admin: Headers) -> bool:
    return "goneAt" in (named(await host(client, admin), "talker") or {})


async def until_stopped(client: Client, admin: Headers) -> None:
    await until(lambda: is_stopped(client, admin))


async def test_a_stopped_containers_lines_with_their_stream_and_time(
    client: Client, admin: Headers, member: Headers, talk: Any
) -> None:
    await talk(BOTH)
    await until_stopped(client, admin)
    *lines, end = await lines_of(await logs(client, member))
    assert end == {"end": "complete"}
    assert sorted((line["stream"], line["text"]) for line in lines) == [
        ("stderr", "err 1"),
        ("stdout", "\x1b[31mred\x1b[0m"),
        ("stdout", "out 1"),
        ("stdout", "out 2"),
    ]
    assert all(line["at"].endswith("Z") for line in lines)
    *last, _ = await lines_of(await logs(client, member, "?tail=1"))
    assert len(last) == 1
    since = max(line["at"] for line in lines)
    *later, _ = await lines_of(await logs(client, member, f"?since={since}"))
    assert later == [line for line in lines if line["at"] == since]
    response = await logs(client, member, "?format=text&timestamps=1")
    assert response.headers["Content-Disposition"].startswith('attachment; filename="talker.log"')
    assert f"{lines[0]['at']} {lines[0]['text']}\n" in await response.text()


async def test_long_lines_and_last_words_of_a_terminal_and_without_one(
    client: Client, admin: Headers, engine: Engine
) -> None:
    long = "head -c 20000 /dev/zero | tr '\\0' x; echo; printf 'no config'"
    await add(client, admin, address=str(engine.socket))
    for options in ((), ("--tty",)):
        command = ["run", "-d", "--name", "talker", *ALONE, *options, IMAGE, "sh", "-c", long]
        await docker(engine, *command)
        await docker(engine, "wait", "talker")
        await docker(engine, "start", "talker")
        await docker(engine, "wait", "talker")
        await until(lambda: is_stopped(client, admin))
        *lines, _ = await lines_of(await logs(client, admin))
        await docker(engine, "rm", "talker")
        await until(lambda: is_gone(client, admin))
        assert [line["text"] for line in lines][-1].endswith("no config")
        assert all(line["at"] for line in lines)
        if not options:
            assert [line["text"] for line in lines] == ["x" * 20_000, "no config"] * 2


async def test_following_goes_on_until_the_container_stops(
    client: Client, admin: Headers, talk: Any, engine: Engine
) -> None:
    await talk(TICK, "--tty")
    response = await logs(client, admin, "?follow=1&tail=0")
    seen = [json.loads(await response.content.readline())["text"] for _ in range(3)]
    numbers = [int(text.removeprefix("tick ")) for text in seen]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    await docker(engine, "kill", "talker")
    rest = (await asyncio.wait_for(response.text(), 20)).splitlines()
    assert json.loads(rest[-1]) == {"end": "complete"}


async def test_a_flood_waits_for_its_reader_and_hurts_nobody(
    client: Client,
    admin: Headers,
    talk: Any,
    application: web.Application,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = 0

    class Counted(LogLines):
        def feed(self, data: bytes) -> Iterator[LogLine]:
            nonlocal taken
            taken += len(data)
            return super().feed(data)

    monkeypatch.setattr("archnest.sources.logs.LogLines", Counted)
    await talk(FLOOD)
    response = await logs(client, admin, "?follow=1&tail=all")
    for _ in range(20_000):
        await response.content.readline()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def is_waited_for() -> bool:
        then = taken
        for _ in range(20):  # others are answered meanwhile
            assert (await client.get("/api/hosts", headers=admin)).status == 200
            await asyncio.sleep(0.1)
        return taken == then

    await until(is_waited_for)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024
    then = taken
    while taken == then:
        await response.content.readline()
    response.close()

    async def is_let_go() -> bool:
        return len(application[keys.STREAMS]) == 0

    await until(is_let_go)
    await docker(engine, "kill", "talker")


async def test_whoever_asks_for_the_head_alone_gets_no_log(
    client: Client, admin: Headers, talk: Any, application: web.Application
) -> None:
    await talk(BOTH)
    path = "/api/hosts/nas/containers/talker/logs?follow=1"
    # What would come behind it would be taken for the next answer.
    for _ in range(2):
        response = await client.head(path, headers=admin)
        assert (response.status, await response.read()) == (200, b"")
        assert len(application[keys.STREAMS]) == 0


async def test_a_session_that_ends_ends_its_stream(
    client: Client, admin: Headers, member: Headers, talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.api.logs.CHECK_S", 0.1)
    await talk("echo quiet; sleep 100000")
    response = await logs(client, member, "?follow=1")
    assert json.loads(await response.content.readline())["text"] == "quiet"
    assert (await client.post("/api/auth/logout", headers=member)).status == 204
    assert await asyncio.wait_for(response.content.read(), 10) == b""


@pytest.mark.parametrize("line", ["echo quiet; sleep 100000", TICK])
async def test_a_source_that_is_removed_ends_its_streams(
    client: Client, admin: Headers, talk: Any, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr("archnest.api.logs.CHECK_S", 0.1)
    await talk(line)
    response = await logs(client, admin, "?follow=1")
    await response.content.readline()
    assert (await client.delete("/api/sources/nas", headers=admin)).status == 204
    *_, last = (await asyncio.wait_for(response.text(), 10)).splitlines()
    assert json.loads(last) == {"end": "the host's source was changed or removed"}


async def test_only_so_many_streams_are_open_at_once(
    client: Client, admin: Headers, talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.streams.MAX_OF_USER", 1)
    await talk("echo quiet; sleep 100000")
    first = await logs(client, admin, "?follow=1")
    second = await logs(client, admin)
    assert (second.status, await slug(second)) == (429, "too-many-streams")
    first.close()


async def test_what_cannot_be_read_is_a_limit_and_not_an_error(
    client: Client, admin: Headers, talk: Any, push: Push
) -> None:
    await talk("sleep 100000", "--log-driver", "none")
    response = await logs(client, admin)
    assert (response.status, await slug(response)) == (409, "not-available")
    assert "does not support reading" in (await response.json())["detail"]
    await push(report("vm-1", container(name="pushed")))
    response = await client.get("/api/hosts/vm-1/containers/pushed/logs", headers=admin)
    assert (response.status, await slug(response)) == (409, "not-available")


@pytest.mark.parametrize("query", ["", "?format=text", "?follow=1"])
async def test_an_engine_that_is_away_is_told(
    client: Client, admin: Headers, talk: Any, query: str
) -> None:
    await talk(BOTH)
    await client.patch("/api/sources/nas", json={"address": "/nowhere.sock"}, headers=admin)
    response = await logs(client, admin, query)
    assert (response.status, await slug(response)) == (502, "source-unavailable")
    assert "no such file" in (await response.json())["detail"]


@pytest.mark.parametrize(
    "query", ["tail=-1", "tail=1e3", "since=yesterday", "follow=x", "format=x"]
)
async def test_words_that_mean_nothing_are_refused(
    client: Client, admin: Headers, engine: Engine, query: str
) -> None:
    await docker(engine, "create", "--name", "talker", *ALONE, IMAGE, *SLEEP)
    await add(client, admin, address=str(engine.socket))
    await until(lambda: host(client, admin))
    response = await logs(client, admin, f"?{query}")
    assert (response.status, await slug(response)) == (400, "invalid")
    await docker(engine, "rm", "talker")
