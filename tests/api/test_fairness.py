"""Reports are let in as fast as they are read, and people pass them."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from unittest.mock import Mock

import pytest
from aiohttp import ClientResponse, web

from archnest import keys
from archnest.api.fairness import REPORTS_A_ROUND, FairConnection, Rounds, plain_bytes
from tests.conftest import Client
from tests.factories import container, report

HEAD = b"POST /x HTTP/1.1\r\nContent-Length: 70\r\n"


async def until(holds: Callable[[], object]) -> None:
    """Return once it does."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


async def settled() -> None:
    """Return when all that has arrived is worked on, however slow the machine."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_reports_wait_outside_while_those_that_are_in_are_read(
    client: Client, application: web.Application, push: Callable[..., Awaitable[ClientResponse]]
) -> None:
    turns = application[keys.INGEST].turns
    turns._each_round = turns._left = 0
    document = report("nas", container("web"))
    sent = [asyncio.create_task(push({**document, "hostId": f"h{n}"})) for n in range(90)]
    held = application[keys.REPORT_BODIES]._held
    await until(lambda: held)
    await asyncio.sleep(0.5)
    # Some rounds pass from letting one in until it asks for its turn.
    assert 0 < len(held) <= 4 * REPORTS_A_ROUND
    assert (await client.get("/healthz")).status == 200
    turns._each_round = 8
    assert {(await one).status for one in sent} == {200}


def test_only_a_body_of_told_length_is_taken_in_one_go() -> None:
    assert plain_bytes(HEAD + b"\r\n" + b"x" * 90) == len(HEAD) + 2 + 70
    assert plain_bytes(HEAD.lower() + b"\r\n") == len(HEAD) + 2 + 70
    for head in (
        HEAD + b"Transfer-Encoding: chunked\r\n",
        HEAD.replace(b"70", b"7f"),
        b"GET / HTTP/1.1\r\n",
        b"",
    ):
        assert plain_bytes(head + b"\r\n" + b"x" * 90) == 0


BODY = b"x" * 20_000
WHOLE = b"POST /x HTTP/1.1\r\nHost: nest\r\nContent-Length: 20000\r\n\r\n" + BODY
CHUNKED = b"POST /x HTTP/1.1\r\nHost: nest\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("arriving", "measured"),
    [
        ([WHOLE, WHOLE], 0),
        ([WHOLE[:2_048], WHOLE[2_048:9_000], WHOLE[9_000:], WHOLE], 0),
        ([WHOLE[:2_048], WHOLE[2_048:] + WHOLE], 0),
        ([WHOLE + b"GET /x HTTP/1.1\r\n", WHOLE], 2),
        # Only the head of a request says how long that is.
        ([CHUNKED + b"X-Begins: ", WHOLE], 1),
        ([CHUNKED + b"\r\n5000\r\n", WHOLE], 1),
        ([WHOLE, CHUNKED + b"\r\n5000\r\n", WHOLE], 1),
    ],
)
async def test_what_is_sure_to_be_a_body_is_not_measured(
    arriving: list[bytes], measured: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[bytes] = []
    monkeypatch.setattr(FairConnection, "_parse_measured", lambda _, piece: pieces.append(piece))

    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(body=await request.read())

    server = web.Server(handler)
    connection = FairConnection(Rounds(lambda: False), server, loop=asyncio.get_running_loop())
    connection.connection_made(Mock(spec=asyncio.Transport))
    for data in arriving:
        connection.data_received(data)
        await settled()
    connection.connection_lost(None)
    assert len(pieces) == measured


LET_IN_LATER = WHOLE.replace(b"/x", b"/api/agents/docker/report")


@pytest.mark.parametrize(
    ("arriving", "stops"),
    [
        # To stop takes several calls of the system, and nothing comes behind it.
        ([LET_IN_LATER], 0),
        ([LET_IN_LATER[:2_048]], 1),
        ([LET_IN_LATER, LET_IN_LATER], 1),
        ([LET_IN_LATER + WHOLE], 1),
    ],
)
async def test_a_report_that_waits_stops_what_comes_behind_it(
    arriving: list[bytes], stops: int
) -> None:
    answered: list[bytes] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        answered.append(await request.read())
        return web.Response()

    is_behind = True
    rounds = Rounds(lambda: is_behind)
    rounds._room = 0
    transport = Mock(spec=asyncio.Transport)
    transport.is_closing.return_value = False
    connection = FairConnection(rounds, web.Server(handler), loop=asyncio.get_running_loop())
    connection.connection_made(transport)
    for data in arriving:
        connection.data_received(data)
        await settled()
    assert (transport.pause_reading.call_count, answered) == (stops, [])
    is_behind = False
    if len(arriving[0]) < len(WHOLE):
        await until(lambda: connection._held is None)
        connection.data_received(LET_IN_LATER[2_048:])
    reports = b"".join(arriving).count(b"POST")
    await until(lambda: len(answered) == reports)
    assert answered == [BODY] * reports
    assert transport.resume_reading.call_count == stops
    connection.connection_lost(None)


def connected() -> tuple[FairConnection, Mock]:
    """A connection and what carries it."""

    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response()

    transport = Mock(spec=asyncio.Transport)
    server = web.Server(handler)
    connection = FairConnection(Rounds(lambda: False), server, loop=asyncio.get_running_loop())
    connection.connection_made(transport)
    return connection, transport


async def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archnest.api.fairness.STALLED_S", 0.05)
    slow, taken = connected()
    slow.pause_writing()
    slow.resume_writing()
    stalled, transport = connected()
    stalled.pause_writing()
    await until(lambda: transport.abort.called)
    assert not taken.abort.called
    closed, rest = connected()
    rest.get_write_buffer_size.return_value = 1
    closed.force_close()
    await until(lambda: rest.abort.called)
    for one in (slow, stalled, closed):
        one.connection_lost(None)


async def test_of_an_answer_to_a_client_that_left_nothing_stays_in_memory() -> None:
    class Answer:
        pass

    answers: list[weakref.ref[Answer]] = []
    connection, _ = connected()

    async def write() -> None:
        answer = Answer()
        answers.append(weakref.ref(answer))
        await connection._drain_helper()

    connection.pause_writing()
    writing = asyncio.create_task(write())
    await settled()
    # Full collections are rare in a large process.
    gc.disable()
    try:
        connection.connection_lost(ConnectionResetError())
        await asyncio.wait([writing])
        del writing
        await settled()
        assert answers[0]() is None
    finally:
        gc.enable()
