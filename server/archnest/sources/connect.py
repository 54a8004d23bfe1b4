"""From how a source is reached to a Docker client that cannot be led astray.

Every request has a deadline, no redirect is followed (a hostile engine could
lead the server to an internal address), and no answer grows beyond a bound.
"""

import asyncio
import contextlib
import importlib
import ipaddress
import json
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiodocker import Docker, DockerError

from archnest.sources.failures import DISCONNECTED, NOT_AN_ENGINE, SourceFailure, explained
from archnest.sources.ssh_address import HOST_NAME, ssh_address

OLDEST_API = (1, 24)
NEWEST_API = (1, 52)
REQUEST_S = 20.0
CONNECT_S = 10.0
MAX_ANSWER_BYTES = 2 * 1024 * 1024
"""Of what is read as any JSON: as much of nothing but brackets takes a third of a second."""
MAX_CONNECTIONS = 30
Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Target:
    """How an engine is reached; files are paths, the host key a line of OpenSSH's form."""

    kind: str
    address: str
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    host_key: str | None = None

    def check(self) -> None:
        """Raise ValueError saying what is wrong with the words themselves, the field first."""
        if self.kind == "docker-ssh":
            ssh_address(self.address)
            if self.key_file is None:
                raise ValueError("keyFile: docker-ssh needs it, the path of a private key")
        elif self.kind == "docker-socket":
            if not self.address.startswith("/"):
                raise ValueError("address: the form of a socket is an absolute path")
        else:
            tcp_address(self.address)
            if (self.cert_file is None) != (self.key_file is None):
                missing = "certFile" if self.cert_file is None else "keyFile"
                raise ValueError(f"{missing}: certFile and keyFile belong together")
            if self.cert_file is not None and self.ca_file is None:
                raise ValueError("caFile: certFile needs it, without it there is no TLS")

    @property
    def warning(self) -> str | None:
        """What the admin should know about this way; None when there is nothing."""
        if self.kind != "docker-tcp" or self.ca_file is not None:
            return None
        host, _ = tcp_address(self.address)
        if _is_loopback(host):
            return None
        return (
            "Without TLS anyone on the network can read this traffic, and anyone who reaches"
            " the engine's port is root on that host."
        )


@dataclass(frozen=True, slots=True)
class Client:
    """A connected engine: what it says of itself, and how to ask it."""

    docker: Docker
    version: dict[str, Any]
    api: Version

    async def get(self, path: str, **params: str) -> Any:
        """The JSON answer to a GET; raises what aiodocker and aiohttp raise."""
        # aiodocker goes by the content type, and podman's statistics have none.
        return _loads(await self.read(path, MAX_ANSWER_BYTES, **params))

    async def read(self, path: str, max_bytes: int, **params: str) -> bytes:
        """The answer to a GET as it came; raises AnswerTooLarge too."""
        async with self.docker._query(path, params=params) as response, response:
            if isinstance(response, _BoundedResponse):
                response.max_bytes = max_bytes
            return await response.read()

    @property
    def is_podman(self) -> bool:
        """Whether podman answers, whose counters differ."""
        told = self.version.get("Components")
        parts = told if isinstance(told, list) else []
        names = (part.get("Name") for part in parts if isinstance(part, dict))
        return any("podman" in str(name).lower() for name in names)


@contextlib.asynccontextmanager
async def connected(target: Target, request_s: float | None = None) -> AsyncIterator[Client]:
    """A client in the highest API version that both sides know.

    `request_s` bounds one request in seconds; None means REQUEST_S.

    Raises SourceFailure when it cannot be reached or is too old or too new.
    """
    base, connector = await _connector(target)
    timeout = aiohttp.ClientTimeout(total=request_s or REQUEST_S, sock_connect=CONNECT_S)
    session = aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        response_class=_BoundedResponse,
        middlewares=(_refuse,),
        trust_env=False,
    )
    try:
        version = await _version(session, base)
        api = negotiated(version)
        name = f"v{api[0]}.{api[1]}"
        async with Docker(
            base, connector=connector, session=session, timeout=timeout, api_version=name
        ) as docker:
            yield Client(docker, version, api)
    finally:
        await session.close()


def negotiated(version: dict[str, Any]) -> Version:
    """The highest API version that both know; raises SourceFailure when there is none."""
    newest = _parsed(version.get("ApiVersion"))
    oldest = _parsed(version.get("MinAPIVersion") or "1.12")
    if newest is None or oldest is None:
        raise SourceFailure("not-an-engine", NOT_AN_ENGINE)
    if newest < OLDEST_API:
        raise SourceFailure(
            "api-too-old",
            f"the engine speaks API {version['ApiVersion']} at most;"
            f" {OLDEST_API[0]}.{OLDEST_API[1]} or newer is needed",
        )
    if oldest > NEWEST_API:
        raise SourceFailure(
            "api-too-new",
            f"the engine takes API {version['MinAPIVersion']} or newer;"
            f" this server speaks {NEWEST_API[0]}.{NEWEST_API[1]} at most",
        )
    return min(newest, NEWEST_API)


def tcp_address(text: str) -> tuple[str, int]:
    """Host and port of host:port or [v6]:port; raises ValueError for anything else."""
    match = re.fullmatch(rf"(?:\[([0-9A-Fa-f:.%a-z]+)\]|({HOST_NAME})):([0-9]{{1,5}})", text)
    if match is None or not 0 < int(match[3]) < 65536:
        raise ValueError("address: the form of a TCP address is host:port")
    return match[1] or match[2], int(match[3])


async def _connector(target: Target) -> tuple[str, aiohttp.BaseConnector]:
    """The base URL and what connects to it; raises SourceFailure."""
    try:
        target.check()
        if target.kind == "docker-ssh":
            ssh = await _speaking_ssh()
            connector = await ssh.ssh_connector(target.address, target.key_file, target.host_key)
            return "http://localhost", connector
        if target.kind == "docker-socket":
            path = target.address
            return "http://localhost", aiohttp.UnixConnector(path, limit=MAX_CONNECTIONS)
        if target.ca_file is None:
            tcp = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, use_dns_cache=False)
            return f"http://{target.address}", tcp
        context = await asyncio.to_thread(_tls, target)
        secure = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=context, use_dns_cache=False)
    except ssl.SSLError as error:
        detail = "the certificate or key files are not PEM, or do not belong together"
        raise SourceFailure("tls-failed", f"{detail}: {error.reason or error}") from error
    except (OSError, ValueError) as error:
        raise explained(error) from error
    return f"https://{target.address}", secure


def _tls(target: Target) -> ssl.SSLContext:
    for path in (target.ca_file, target.cert_file, target.key_file):
        if path is not None:
            # OpenSSL does not say which file it cannot read.
            Path(path).open("rb").close()
    context = ssl.create_default_context(cafile=target.ca_file)
    if target.cert_file is not None:
        # Without a password callback OpenSSL would ask on the server's terminal.
        context.load_cert_chain(target.cert_file, target.key_file, password=lambda: b"")
    return context


async def _version(session: aiohttp.ClientSession, base: str) -> dict[str, Any]:
    try:
        async with session.get(f"{base}/version") as response:
            body = await response.read()
        version = as_object(_loads(body))
    except Exception as error:
        # From 900 on it is a failure of the way there.
        if isinstance(error, DockerError) and error.status < 900:
            detail = f"the answer to /version has status {error.status}"
            raise SourceFailure("not-an-engine", detail) from error
        failure = explained(error)
        if failure.kind == "disconnected":
            failure = getattr(session.connector, "failure", None) or failure
        if failure.kind == "disconnected" and base.startswith("https:"):
            # TLS 1.3 tells of a refused client certificate only after the handshake, and older
            # ones often by a reset alone.
            failure = SourceFailure(
                "authentication-failed",
                f"{DISCONNECTED}: it may refuse the client certificate, or want one",
            )
        raise failure from error
    return version


async def _refuse(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """The answer, unless it leads elsewhere or is an error; raises SourceFailure or DockerError."""
    response = await handler(request)
    if response.status >= 400:
        # aiodocker fails in ways of its own on one whose JSON is empty or has no message.
        said = (await response.read()).decode("utf-8", "replace")
        response.close()
        raise DockerError(response.status, said)
    # 304 says that a container is already started or stopped.
    if 300 <= response.status < 400 and response.status != 304:
        response.close()
        raise SourceFailure("not-an-engine", "what answers there leads elsewhere; not followed")
    return response


class AnswerTooLarge(SourceFailure):
    """An engine's answer is longer than what is asked for can be."""

    def __init__(self) -> None:
        super().__init__("answer-too-large", "the engine's answer is too large")


class _BoundedResponse(aiohttp.ClientResponse):
    """A response whose body is read up to a bound."""

    max_bytes: int | None = None
    """The bound; None means MAX_ANSWER_BYTES."""

    async def read(self) -> bytes:
        """The body; raises AnswerTooLarge."""
        if self._body is None:
            parts, size = [], 0
            bound = MAX_ANSWER_BYTES if self.max_bytes is None else self.max_bytes
            async for part in self.content.iter_chunked(65_536):
                size += len(part)
                if size > bound:
                    self.close()
                    raise AnswerTooLarge
                parts.append(part)
            self._body = b"".join(parts)
            # What is upgraded goes on as a stream of its own on this connection.
            if self.status != 101:
                self.release()
        return self._body


def as_object(answer: Any) -> dict[str, Any]:
    """The answer, if it is a JSON object; raises SourceFailure."""
    if not isinstance(answer, dict):
        raise SourceFailure("not-an-engine", NOT_AN_ENGINE)
    return answer


def _loads(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceFailure("not-an-engine", NOT_AN_ENGINE) from error


def _parsed(text: object) -> Version | None:
    match = re.fullmatch(r"([0-9]{1,3})\.([0-9]{1,3})", text) if isinstance(text, str) else None
    return (int(match[1]), int(match[2])) if match else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def shown_host_key(address: str) -> str:
    """The key that an SSH host shows now, in one line of OpenSSH's form.

    Raises SourceFailure when it shows none.
    """
    ssh = await _speaking_ssh()
    key: str = ssh.as_stored(await ssh.shown_host_key(address))
    return key


async def _speaking_ssh() -> Any:
    """The module, loaded when a host is first asked so.

    It takes 6 MB and a tenth of a second, and most servers ask nobody over SSH.
    """
    return await asyncio.to_thread(importlib.import_module, "archnest.sources.ssh")
