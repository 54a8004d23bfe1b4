"""Any bytes in: a problem document of 4xx or a closed connection; others are served meanwhile."""

import gzip
import json
import re
import socket
import threading
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from archnest import logs
from tests.factories import AGENT_TOKEN
from tests.web.site import Site

PATIENCE_S = 10
HOST = b"Host: nest\r\n"
GET = b"GET /api/hosts HTTP/1.1\r\n" + HOST
REPORT = (
    b"POST /api/agents/docker/report HTTP/1.1\r\nHost: nest\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer " + AGENT_TOKEN.encode() + b"\r\n"
)
HEADS = {
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "no HTTP at all": b"hello\r\n\r\n",
    "an unknown version": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    "an unknown method": b"FROBNICATE /api/hosts HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method of 1,000 letters": b"A" * 1000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method in lower case": b"get /api/hosts HTTP/1.1\r\n" + HOST + b"\r\n",
    "TRACE": b"TRACE /api/hosts HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "no path": b"GET  HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path of 9,000 bytes": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path out of the folder": b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    "one in other letters": b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL in the path": b"GET /api/hosts/%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path that is not UTF-8": b"GET /api/hosts/%ff%fe HTTP/1.1\r\n" + HOST + b"\r\n",
    "raw bytes in the path": b"GET /api/hosts/\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
    "a query that is not UTF-8": b"GET /api/containers?since=%ff%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a revision that no header can hold": b"GET /api/containers?since=%00%0d%0a HTTP/1.1\r\n"
    + HOST
    + b"\r\n",
    "a dotfile": b"GET /.git/config HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in a header's name": GET + b"Bad Name: x\r\n\r\n",
    "no colon in a header": GET + b"nonsense\r\n\r\n",
    "NUL in a header": GET + b"X-A: a\x00b\r\n\r\n",
    "a bare CR in a header": GET + b"X-A: a\rb\r\n\r\n",
    "a folded header": GET + b"X-A: a\r\n b\r\n\r\n",
    "a header of 10,000 bytes": GET + b"X-A: " + b"a" * 10_000 + b"\r\n\r\n",
    "1,000 headers": GET + b"".join(b"X-%d: a\r\n" % n for n in range(1000)) + b"\r\n",
    "two tokens": GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "a token that is not ASCII": GET + "Authorization: Bearer ünïcödé\r\n\r\n".encode(),
    "a token of raw bytes": GET + b"Authorization: Bearer \xff\xfe\r\n\r\n",
    "an unknown expectation": GET + b"Expect: miracles\r\n\r\n",
    "one at an unknown address": b"GET /x HTTP/1.1\r\n" + HOST + b"Expect: miracles\r\n\r\n",
    "an upgrade to what is unknown": GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "two lengths": REPORT + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}a",
    "a length and chunks": REPORT + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "a negative length": REPORT + b"Content-Length: -1\r\n\r\n",
    "a signed length": REPORT + b"Content-Length: +2\r\n\r\n{}",
    "a length in hex": REPORT + b"Content-Length: 0x2\r\n\r\n{}",
    "an endless length": REPORT + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "an unknown coding": REPORT + b"Transfer-Encoding: wild\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size in words": REPORT + b"Transfer-Encoding: chunked\r\n\r\ntwo\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": REPORT + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a long chunk extension": REPORT
    + b"Transfer-Encoding: chunked\r\n\r\n2;"
    + b"a" * 20_000
    + b"\r\n{}\r\n0\r\n\r\n",
    "a chunk that is longer than it says": REPORT
    + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
}
DEEP = b"[" * 200_000
COUNTED = (
    b'{"hostId":"a","containers":[{"id":"a","name":"a","image":"a","state":"running",'
    b'"restartCount":%b}]}'
)
BODIES = {
    "nothing": b"",
    "a word": b"report",
    "a list": b"[]",
    "no hostId": b"{}",
    "deep nesting": b'{"hostId":"a","containers":' + DEEP,
    "deep objects": b'{"a":' * 100_000,
    "not a number": COUNTED % b"NaN",
    "infinity": COUNTED % b"Infinity",
    "a number beyond all": COUNTED % b"1e999",
    "a number of 100,000 digits": COUNTED % (b"9" * 100_000),
    "half a character": b'{"hostId":"\\ud800","containers":[]}',
    "bytes that are not UTF-8": b'{"hostId":"\xff\xfe","containers":[]}',
    "NUL in the hostId": b'{"hostId":"a\\u0000b","containers":[]}',
    "a hostId of 1,000 letters": b'{"hostId":"%b","containers":[]}' % (b"a" * 1000),
    "UTF-16": '{"hostId":"a","containers":[]}'.encode("utf-16"),
    "a trailing word": b'{"hostId":"a","containers":[]} more',
    "10,000 containers": b'{"hostId":"a","containers":[%b]}'
    % b",".join([b'{"id":"a","name":"a","image":"a","state":"running"}'] * 10_000),
}
BOMB = gzip.compress(b" " * 200_000_000, 9)
CODED = {
    "a bomb": (b"gzip", BOMB),
    "a gzip that is cut": (b"gzip", gzip.compress(b'{"hostId":"a","containers":[]}')[:-4]),
    "no gzip": (b"gzip", b'{"hostId":"a","containers":[]}'),
    "gzip twice": (b"gzip, gzip", gzip.compress(gzip.compress(b"{}"))),
    "two streams": (b"gzip", gzip.compress(b"{}") + gzip.compress(b"{}")),
    "deflate": (b"deflate", zlib.compress(b"{}")),
    "br": (b"br", b"\x0b\x01\x80{}\x03"),
    "an unknown encoding": (b"magic", b"{}"),
}
SENT = [
    *(pytest.param(data, id=name) for name, data in HEADS.items()),
    *(
        pytest.param(REPORT + b"Content-Length: %d\r\n\r\n" % len(body) + body, id=name)
        for name, body in BODIES.items()
    ),
    *(
        pytest.param(
            REPORT
            + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(body))
            + body,
            id=name,
        )
        for name, (coding, body) in CODED.items()
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that someone else asks all the while; it must not have failed at the end."""
    site = Site(tmp_path_factory.mktemp("bytes"))
    site.add_admin()
    site.start()
    ended = threading.Event()
    asked = [0]

    def ask() -> None:
        while not ended.is_set():
            with urllib.request.urlopen(f"{site.url}/healthz", timeout=PATIENCE_S) as answer:
                assert answer.status == 200
            asked[0] += 1
            ended.wait(0.005)

    other = threading.Thread(target=ask)
    other.start()
    yield site
    assert other.is_alive()
    ended.set()
    other.join()
    hosts = site.ask("GET", "/api/hosts")["hosts"]
    resident_kb = _resident_kb(site)
    site.stop()
    assert asked[0] > 5
    assert hosts == []
    assert "Traceback" not in site.output
    assert " failed" not in site.output
    assert resident_kb < 250_000


def _resident_kb(site: Site) -> int:
    assert site.process is not None
    status = Path(f"/proc/{site.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1])


def _answers(site: Site, sent: bytes) -> bytes:
    """All that comes back until the server closes or has answered in full."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE_S) as connection:
        received = b""
        try:
            connection.sendall(sent)
            while not _is_whole(received):
                part = connection.recv(65_536)
                if not part:
                    break
                received += part
        except ConnectionError:
            pass  # closed while more was on its way
        return received


def _is_whole(received: bytes) -> bool:
    head, found, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return bool(found) and length is not None and len(body) >= int(length[1])


@pytest.mark.parametrize("sent", SENT)
def test_any_bytes_get_a_problem_document_or_a_closed_connection(site: Site, sent: bytes) -> None:
    received = _answers(site, sent)
    if not received:
        return  # closed, and within PATIENCE_S
    head, _, body = received.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert 400 <= status < 500, head
    assert b"application/problem+json" in head
    assert b"Content-Security-Policy" in head
    assert b"nosniff" in head
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["type"].startswith("urn:archnest:problem:")
    assert "\\u" not in body.decode("ascii"), "foreign bytes are not repeated"


@pytest.mark.parametrize("order", [1, -1], ids=["the right one first", "the right one last"])
def test_two_tokens_sign_nobody_in(site: Site, order: int) -> None:
    # A proxy before us may have looked at the other one.
    lines = [b"Authorization: Bearer %b\r\n" % token.encode() for token in (site.token, "x")]
    assert b" 200 " in _answers(site, GET + lines[0] + b"\r\n")
    assert b" 401 " in _answers(site, GET + b"".join(lines[::order]) + b"\r\n")


def test_requests_behind_a_malformed_one_are_not_served(site: Site) -> None:
    smuggled = GET + b"X-A: a\x00b\r\n\r\n" + b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE_S) as connection:
        connection.sendall(smuggled)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert received.count(b"HTTP/1.") == 1
    assert received[8:].startswith(b" 400 ")


def test_many_malformed_requests_leave_a_few_lines_in_the_log(site: Site) -> None:
    before = len(site.output.splitlines())
    for _ in range(300):
        _answers(site, HEADS["NUL in a header"])
    lines = site.output.splitlines()[before:]
    assert len(lines) <= logs.BURST + 20
    assert all(line.isascii() for line in lines)
