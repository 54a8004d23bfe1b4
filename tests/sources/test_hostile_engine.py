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
from tests.sources.test_live import add, host, named, source, until

Headers = dict[str, str]
Answers = dict[str, bytes | tuple[int, bytes]]
"""What stands at each path: a body, or a status with one."""
VERSION = {"Version": "1", "ApiVersion": "1.44", "MinAPIVersion": "1.24"}
HONEST: Answers = {
    "/version": json.dumps(VERSION).encode(),
    "/info": b'{"ID":"x","Name":"liar"}',
    "/events": b"",
    "/containers/json": b'[{"Id":"c1","Names":["/one"],"State":"running"}]',
    "/containers/c1/json": b'{"Id":"c1","Name":"/one","State":{"Status":"running"}}',
    "/containers/c1/stats": b"{}",
}
CUT = b"\0"
WITHOUT_WORDS = [
    *((404, body) for body in (b"", b"{}", b"[]", b"null", b'{"message":null}', b"\xff")),
    *((500, body) for body in (b"", b"{}", b'{"cause":"x"}', b"[" * 100_000)),
]
"""How engines refuse: podman with an empty JSON, others with another form than Docker's."""
MANY = [{"Id": f"c{number}", "Names": [f"/{number}"], "State": "running"} for number in range(9)]


@asynccontextmanager
async def saying(answers: Answers, socket: Path) -> AsyncIterator[None]:
    """An engine that answers each path with these bytes, the events without an end.

    What ends with CUT is cut short there.
    """

    async def respond(request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v1.44")
        answer = {**HONEST, **answers}.get(path, b"")
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        response = web.StreamResponse(status=status, headers={"Content-Type": "application/json"})
        if body[:2] == b"\x1f\x8b":
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(request)
        await response.write(body.removesuffix(CUT))
        if body.endswith(CUT) and request.transport is not None:
            request.transport.close()
        elif path == "/events":
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
        {"/events": b"no JSON\n"},
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


@pytest.mark.parametrize(
    "odd",
    [b"", b"{", b"\xff", b'{"read":1}', CUT, b"{" + CUT, *WITHOUT_WORDS],
    ids=lambda odd: f"{odd!r:.40}",
)
@pytest.mark.parametrize("what", ["json", "stats"])
async def test_an_odd_answer_about_one_container_costs_only_itself(
    client: Client,
    admin: Headers,
    socket: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    odd: bytes | tuple[int, bytes],
) -> None:
    monkeypatch.setattr("archnest.sources.engine.LOOKED_AT_S", 0.05)
    answers: Answers = {"/containers/json": json.dumps(MANY).encode()}
    for one in MANY:
        inspected = {**one, "Name": one["Names"][0], "State": {"Status": "running"}}
        answers[f"/containers/{one['Id']}/json"] = json.dumps(inspected).encode()
        answers[f"/containers/{one['Id']}/stats"] = b'{"pids_stats":{"current":1}}'
    async with saying({**answers, f"/containers/c0/{what}": odd}, socket):
        await add(client, admin, address=str(socket))

        async def measured() -> Any:
            rows = (await host(client, admin) or {}).get("containers", [])
            found = [row["name"] for row in rows if row["stats"]]
            return sorted(found) == [str(number) for number in range(1, 9)]

        await until(measured)
        assert (await source(client, admin))["error"] is None


@pytest.mark.parametrize("parts", [1, "podman", {"Name": "x"}, [1, None, "podman", {"Name": 2}]])
async def test_odd_components_make_no_podman_and_cost_nothing(
    client: Client, admin: Headers, socket: Path, parts: object
) -> None:
    version = json.dumps({**VERSION, "Components": parts}).encode()
    async with saying({"/version": version}, socket):
        await add(client, admin, address=str(socket))

        async def measured() -> bool:
            row = named(await host(client, admin), "one")
            return bool(row and row["stats"])

        await until(measured)
        assert (await source(client, admin))["error"] is None


async def test_a_change_without_an_event_is_seen_while_someone_looks(
    client: Client, admin: Headers, socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archnest.sources.engine.LOOKED_AT_S", 0.05)
    monkeypatch.setattr("archnest.sources.engine.SETTLE_S", 0.05)
    monkeypatch.setattr("archnest.sources.engine.RENEW_S", 0.5)
    answers: Answers = {}
    async with saying(answers, socket):
        await add(client, admin, address=str(socket))
        await until(lambda: host(client, admin))

        async def shows(count: int | None) -> bool:
            response = await client.get("/api/hosts/nas/containers/c1", headers=admin)
            return bool((await response.json())["container"]["restartCount"] == count)

        await until(lambda: shows(None))
        answers["/containers/c1/json"] = (
            b'{"Id":"c1","Name":"/one","RestartCount":3,"State":{"Status":"running"}}'
        )
        await until(lambda: shows(3))


async def test_an_engine_that_dies_is_told_to_have_closed_the_connection(
    client: Client, admin: Headers, socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with saying({"/events": b'{"Type":"container"}\n' + CUT}, socket):
        await add(client, admin, address=str(socket))

        async def told() -> Any:
            return (await source(client, admin))["error"]

        assert await until(told) == "the engine closed the connection"
    assert "failed unexpectedly" not in caplog.text


@pytest.mark.parametrize("answer", WITHOUT_WORDS, ids=lambda answer: f"{answer!r:.40}")
async def test_a_refusal_without_words_is_told_in_words(
    client: Client, admin: Headers, socket: Path, answer: tuple[int, bytes]
) -> None:
    path = "/api/hosts/nas/containers/c1"
    async with saying({"/containers/c1/stop": answer, "/containers/c1/logs": answer}, socket):
        await add(client, admin, address=str(socket))
        await until(lambda: host(client, admin))
        body = {"action": "stop"}
        acted = await client.post(f"{path}/actions", json=body, headers=admin)
        read = await client.get(f"{path}/logs", headers=admin)
        expected = (404, 404) if answer[0] == 404 else (409, 409)
        assert (acted.status, read.status) == expected
        for response in (acted, read):
            detail = (await response.json())["detail"]
            assert f"status {answer[0]}" in detail or detail in str(answer[1]) or "�" in detail


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
