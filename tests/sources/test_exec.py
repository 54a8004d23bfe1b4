"""Terminals in a real engine's containers: what they carry, who gets one, what ends them."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from archnest import keys, streams, terminals
from archnest.auth import tickets
from tests.conftest import Client, sign_in, slug
from tests.engine.awkward import ALONE, IMAGE, SLEEP
from tests.engine.dockerd import BUSYBOX, Engine
from tests.factories import MEMBER, container, report
from tests.sources.terminal import connection, origin, terminal, ticket
from tests.sources.test_live import add, docker, host, named, until

Headers = dict[str, str]


@pytest.fixture
async def box(client: Client, admin: Headers, engine: Engine) -> AsyncIterator[str]:
    """The name of a running container that an engine source shows."""
    await docker(engine, "run", "-d", "--name", "box", *ALONE, IMAGE, *SLEEP)
    await add(client, admin, address=str(engine.socket))
    await shown(client, admin, "box")
    yield "box"
    await docker(engine, "rm", "-f", "box")


async def shown(client: Client, admin: Headers, name: str) -> None:
    async def is_shown() -> bool:
        return named(await host(client, admin), name) is not None

    await until(is_shown)


async def processes(engine: Engine) -> str:
    return await docker(engine, "top", "box", "-o", "pid,args")


async def record(client: Client, admin: Headers) -> Any:
    entries = (await (await client.get("/api/audit", headers=admin)).json())["entries"]
    return [one for one in entries if one["action"] == "container.exec"]


async def test_it_echoes_resizes_and_tells_the_exit_code(
    client: Client, admin: Headers, box: str
) -> None:
    async with terminal(client, admin, box, cols=101, rows=31) as one:
        await one.type("stty size; echo $TERM\r")
        await one.shows("31 101\r\nxterm-256color")
        await one.say(resize={"cols": 60, "rows": 20})
        await one.type("while [ \"$(stty size)\" != '20 60' ]; do :; done; echo fits$((1+1))\r")
        await one.shows("fits2")
        await one.type("exit 7\r")
        assert await one.ends() == {"exit": 7}
        assert one.ws.close_code == 1000
    (entry,) = await record(client, admin)
    assert (entry["actor"], entry["hostId"], entry["target"]) == ("ada", "nas", "box")
    assert entry["outcome"] == "done"
    assert entry["detail"].endswith(" s, exit code 7")


async def test_a_shell_ends_when_its_client_leaves(
    client: Client, admin: Headers, box: str, engine: Engine
) -> None:
    async with terminal(client, admin, box) as one:
        await one.type("echo $((40+2)); sleep 4321\r")
        await one.shows("42")
        await until(lambda: _holds(processes(engine), "sleep 4321"))

    async def nothing_is_left() -> bool:
        lines = (await processes(engine)).splitlines()
        return len(lines) == 2

    await until(nothing_is_left)

    async def is_recorded() -> bool:
        return (await record(client, admin))[0]["outcome"] == "done"

    await until(is_recorded)
    assert (await record(client, admin))[0]["detail"].endswith(" s, left")


async def _holds(found: Any, text: str) -> bool:
    return text in await found


def without_a_shell() -> bytes:
    """An image that holds one program and nothing else."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(BUSYBOX.resolve(), "sleep")
    return packed.getvalue()


async def test_a_container_without_a_shell_says_so(
    client: Client, admin: Headers, box: str, engine: Engine
) -> None:
    await asyncio.to_thread(engine.docker, "import", "-", "bare:1", stdin=without_a_shell())
    await docker(engine, "run", "-d", "--name", "bare", *ALONE, "bare:1", "/sleep", "1000")
    await shown(client, admin, "bare")
    async with terminal(client, admin, "bare") as one:
        assert await one.ends() == {"error": "this container has no shell", "kind": "not-available"}
    (entry,) = await record(client, admin)
    assert (entry["outcome"], entry["detail"]) == ("failed", "this container has no shell")
    await docker(engine, "rm", "-f", "bare")


async def test_a_stopped_and_a_paused_container_say_so(
    client: Client, admin: Headers, box: str, engine: Engine
) -> None:
    await docker(engine, "pause", box)
    async with terminal(client, admin, box) as one:
        assert "is paused" in (await one.ends())["error"]
    await docker(engine, "unpause", box)
    await docker(engine, "kill", box)
    async with terminal(client, admin, box) as one:
        assert "is not running" in (await one.ends())["error"]


async def test_it_ends_when_the_container_does(
    client: Client, admin: Headers, box: str, engine: Engine
) -> None:
    async with terminal(client, admin, box) as one:
        await one.type("echo $((40+2))\r")
        await one.shows("42")
        await docker(engine, "kill", box)
        assert (await one.ends())["error"] == "the container has stopped"


async def test_a_flood_waits_in_the_engine_and_stops_at_once(
    client: Client, admin: Headers, box: str
) -> None:
    async with terminal(client, admin, box) as one:
        await one.type("echo $((40+2)); yes\r")
        await one.shows("42")
        before = one.received
        heard = -1
        while heard != one.received:
            heard = one.received
            await one.listens(1.0)
        unacknowledged = one.received - before
        assert 400_000 < unacknowledged < 1_500_000, "it does not wait for the client"
        await one.say(ack=unacknowledged)
        await one.type("\x03")
        await one.type("echo still $((40+2))\r")
        await one.shows("still 42")


async def test_more_typed_than_is_taken_ends_it(client: Client, admin: Headers, box: str) -> None:
    async with terminal(client, admin, box) as one:
        await one.type("stty -icanon -echo; echo $((40+2)); sleep 1000\r")
        await one.shows("42")
        for _ in range(100):
            await one.ws.send_bytes(b"x" * 16_384)
        assert (await one.ends())["kind"] == "invalid"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost"},
    ],
)
async def test_another_origin_is_refused_before_anything(client: Client, headers: Headers) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        async with connection(client, **headers):
            pass
    assert refused.value.status == 403


async def test_no_origin_is_refused_too(client: Client) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect("/api/exec")
    assert refused.value.status == 403
    plain = await client.get("/api/exec", headers={"Origin": origin(client)})
    assert plain.status == 400, "not a WebSocket"


async def opening_error(client: Client, secret: str) -> str:
    async with connection(client) as one:
        await one.say(ticket=secret, cols=80, rows=24)
        return str((await one.ends())["error"])


async def test_a_ticket_opens_once(
    client: Client, admin: Headers, box: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = "the ticket is unknown, used or expired"
    assert await opening_error(client, "made-up") == refusal
    secret = (await (await ticket(client, admin, box)).json())["ticket"]
    async with connection(client) as one:
        await one.say(ticket=secret, cols=80, rows=24)
        await one.type("exit\r")
        assert await one.ends() == {"exit": 0}
    assert await opening_error(client, secret) == refusal
    monkeypatch.setattr(tickets, "TTL_S", 0.0)
    expired = (await (await ticket(client, admin, box)).json())["ticket"]
    assert await opening_error(client, expired) == refusal


async def test_a_ticket_is_worth_nothing_after_its_session(
    client: Client, admin: Headers, box: str
) -> None:
    secret = (await (await ticket(client, admin, box)).json())["ticket"]
    await client.post("/api/auth/logout", headers=admin)
    assert await opening_error(client, secret) == "your session has ended"


async def test_a_first_message_that_is_none_ends_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for message in ("{}", '{"ticket": "x", "cols": 0, "rows": 24}', "["):
        async with connection(client) as one:
            await one.ws.send_str(message)
            assert (await one.ends())["kind"] == "invalid"
    monkeypatch.setattr("archnest.api.terminal.FIRST_MESSAGE_S", 0.05)
    async with connection(client) as one:
        assert (await one.ends())["kind"] == "invalid"


async def test_only_admins_get_a_ticket(client: Client, member: Headers, box: str) -> None:
    response = await ticket(client, member, box)
    assert (response.status, await slug(response)) == (403, "not-allowed")


async def test_where_only_an_agent_speaks_there_is_no_terminal(
    client: Client, admin: Headers, push: Any
) -> None:
    assert (await push(report("vm-1", container("web")))).status == 200
    response = await ticket(client, admin, "web", "vm-1")
    assert (response.status, await slug(response)) == (409, "not-available")
    assert (await ticket(client, admin, "other", "vm-1")).status == 404
    assert (await ticket(client, admin, "web", "vm-2")).status == 404


async def test_the_capability_is_told(client: Client, admin: Headers, box: str) -> None:
    assert "exec" in (await host(client, admin))["host"]["capabilities"]


@pytest.mark.parametrize("how", ["logout", "demotion", "removal", "source"])
async def test_it_ends_with_its_session_and_its_source(
    client: Client, admin: Headers, member: Headers, box: str, engine: Engine, how: str
) -> None:
    name, password = MEMBER
    path = f"/api/users/{name}"
    await client.patch(path, json={"role": "admin"}, headers=admin)
    own = await sign_in(client, name, password)
    async with terminal(client, own, box) as one:
        await one.type("echo $((40+2))\r")
        await one.shows("42")
        if how == "logout":
            await client.post("/api/auth/logout", headers=own)
        elif how == "demotion":
            await client.patch(path, json={"role": "member"}, headers=admin)
        elif how == "removal":
            await client.delete(path, headers=admin)
        else:
            await client.delete("/api/sources/nas", headers=admin)
        kind = "not-available" if how == "source" else "not-signed-in"
        assert (await one.ends())["kind"] == kind


async def test_only_so_many_are_open_at_once(
    client: Client, admin: Headers, box: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_OF_USER", 1)
    monkeypatch.setattr(terminals, "MAX_TALKS", 2)
    async with terminal(client, admin, box) as one:
        await one.type("echo $((40+2))\r")
        await one.shows("42")
        async with terminal(client, admin, box) as second:
            assert (await second.ends())["kind"] == "too-many-streams"

        async def is_alone() -> bool:
            return client.app is not None and client.app[keys.TERMINALS]._talks == 1

        # The server hears a moment later that the client has left.
        await until(is_alone)
        async with connection(client):
            with pytest.raises(WSServerHandshakeError) as refused:
                async with connection(client):
                    pass
            assert refused.value.status == 429


async def test_the_servers_end_ends_terminals_quickly(
    client: Client, admin: Headers, box: str, engine: Engine
) -> None:
    async with terminal(client, admin, box) as one, connection(client) as silent:
        await one.type("echo $((40+2))\r")
        await one.shows("42")
        stopping = asyncio.create_task(client.server.close())
        assert (await one.ends())["kind"] == "stopping"
        assert (await silent.ends())["kind"] == "stopping"
        assert one.ws.close_code == 1001
        async with asyncio.timeout(5):
            await stopping

    async def nothing_is_left() -> bool:
        return len((await processes(engine)).splitlines()) == 2

    # The engine may be slow to notice that the shell obeyed.
    await until(nothing_is_left)
