"""An engine that lies: its source is told as failing or shown as text, and nobody else notices."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.conftest import Client
from tests.factories import report
from tests.sources.test_live import add, host, source, until

Headers = dict[str, str]
Answers = dict[str, bytes]
VERSION = {"Version": "1", "ApiVersion": "1.44", "MinAPIVersion": "1.24"}
HONEST: Answers = {
    "/version": json.dumps(VERSION).encode(),
    "/info": b'{"ID":"x","Name":"liar"}',
    "/events": b"",
    "/containers/json": b'[{"Id":"c1","Names":["/one"],"State":"running"}]',
    "/containers/c1/json": b'{"Id":"c1","Name":"/one","State":{"Status":"running"}}',
    "/containers/c1/stats": b"{}",
}
MANY = [{"Id": f"c{number}", "Names": [f"/{number}"], "State": "running"} for number in range(9)]


@asynccontextmanager
async def saying(answers: Answers, socket: Path) -> AsyncIterator[None]:
    """An engine that answers each path with these bytes, the events without an end."""

    async def respond(request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v1.44")
        body = answers.get(path, {**HONEST, **answers}.get(path, b""))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if body[:2] == b"\x1f\x8b":
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(request)
        await response.write(body)
        if path == "/events":
            await asyncio.sleep(3600)
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, socket).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "engine.sock"


@pytest.mark.parametrize(
    "answers",
    [
        {"/containers/json": b'[{"Id":"\\ud800","Names":["\\udfff"]}]'},
        {"/containers/json": b"[" * 100_000},
        {"/containers/json": gzip.compress(b"[" + b" " * 50_000_000, mtime=0)},
        {"/containers/json": b'[{"Id":""}]'},
        {"/info": b"[1]"},
        {"/info": b'{"Name":"\\ud800"}'},
        {"/events": b"[1]\n"},
        {"/events": b'{"time":1e999}\n'},
        {"/events": b"x" * 1_000_000},
    ],
    ids=lambda answers: "{}={!r:.30}".format(*next(iter(answers.items()))),
)
async def test_what_it_says_costs_only_its_own_source(
    client: Client,
    admin: Headers,
    push: Callable[..., Awaitable[Any]],
    socket: Path,
    answers: Answers,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with saying(answers, socket):
        await add(client, admin, address=str(socket))

        async def failing() -> bool:
            return bool((await source(client, admin))["state"] == "failing")

        await until(failing)
        assert (await push(report("vm-1"))).status == 200
        assert await host(client, admin, "vm-1")
    assert "failed unexpectedly" not in caplog.text


@pytest.mark.parametrize(
    "inspected",
    [
        b'{"Id":"c1","Config":{"Env":["' + b"x" * 3_000_000 + b'"]}}',
        b'{"Id":"c1","Config":{"Env":{}}}',
        b'{"Id":"c1","RestartCount":' + b"9" * 400 + b"}",
        b'{"Id":"c1","RestartCount":-1}',
        b'{"Id":"c1","State":{"ExitCode":' + b"9" * 20 + b"}}",
        b'{"Id":"c1","State":{"Status":"' + b"x" * 40_000 + b'"}}',
    ],
    ids=lambda body: f"{body[:40]!r}",
)
async def test_a_container_told_oddly_is_shown_with_what_the_list_tells(
    client: Client, admin: Headers, socket: Path, inspected: bytes
) -> None:
    async with saying({"/containers/c1/json": inspected}, socket):
        await add(client, admin, address=str(socket))
        shown = await until(lambda: host(client, admin))
        assert [one["name"] for one in shown["containers"]] == ["one"]
        for path in ("/api/hosts/nas/containers/c1", "/metrics"):
            assert (await client.get(path, headers=admin)).status == 200


async def test_many_long_answers_do_not_fill_the_memory(
    client: Client, admin: Headers, socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.sources.engine.MAX_INSPECTED_BYTES", 3_000)
    inspected = {
        f"/containers/{one['Id']}/json": json.dumps(
            {"Id": one["Id"], "Name": one["Names"][0], "Config": {"Image": "x" * 900}}
        ).encode()
        for one in MANY
    }
    async with saying({"/containers/json": json.dumps(MANY).encode(), **inspected}, socket):
        await add(client, admin, address=str(socket))
        shown = await until(lambda: host(client, admin))
    assert len(shown["containers"]) == len(MANY)
    assert len([one for one in shown["containers"] if one["image"]]) == 3
