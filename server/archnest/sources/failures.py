"""Why an engine cannot be asked, in words for the admin who named it."""

import asyncio
import errno
import json
import socket
import ssl

import aiodocker
import aiohttp
import aiohttp.http_exceptions
import msgspec

from archnest.errors import EngineRefused, NotFound, Problem, SourceUnavailable

MAX_SAID = 500
NOT_AN_ENGINE = "what answers there does not speak the Engine API"
DISCONNECTED = "the engine closed the connection"
_CUT_OFF = (
    ConnectionError,
    aiohttp.ServerDisconnectedError,
    # These two tell of a body that ended before its time.
    aiohttp.http_exceptions.ContentLengthError,
    aiohttp.http_exceptions.TransferEncodingError,
)
_UNLIKE_AN_ENGINE = (
    aiohttp.ClientPayloadError,
    aiohttp.ClientResponseError,
    aiohttp.http_exceptions.HttpProcessingError,
    json.JSONDecodeError,
    msgspec.MsgspecError,
    UnicodeError,
    OverflowError,
    RecursionError,
)


class SourceFailure(Exception):
    """An engine cannot be asked; `kind` is a word for programs, `detail` for people."""

    def __init__(self, kind: str, detail: str, host_key: str | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.host_key = host_key
        """The fingerprint that the host shows, where that is what is wrong."""


def explained(error: BaseException) -> SourceFailure:
    """The failure behind whatever aiodocker, aiohttp, asyncssh or TLS raised."""
    causes = _chain(error)
    known = [one for one in causes if isinstance(one, SourceFailure)]
    for cause in known[-1:] or causes:
        failure = _of_one(cause)
        if failure is not None:
            return failure
    return SourceFailure("failed", printable(str(causes[0]) or type(causes[0]).__name__))


def as_problem(error: Exception) -> Problem:
    """The same for who asked for one thing: NotFound, EngineRefused or SourceUnavailable."""
    if isinstance(error, Problem):
        return error
    # From 900 on aiodocker tells of its own failures, not of the engine's answer.
    if isinstance(error, aiodocker.DockerError) and error.status < 900:
        kind = NotFound if error.status == 404 else EngineRefused
        return kind(printable(_said(error)))
    return SourceUnavailable(explained(error).detail)


def _said(error: aiodocker.DockerError) -> str:
    """The engine's own words, in their JSON or without; some refuse without any."""
    said: object = (error.message or "").strip()
    try:
        answer = json.loads(error.message)
    except (ValueError, TypeError, RecursionError):
        answer = said
    if isinstance(answer, dict) and "message" in answer:
        said = answer["message"]
    return str(said) if answer and said else f"status {error.status}, without a reason"


def printable(text: str) -> str:
    """An engine's words on one line, without control characters."""
    return "".join(one if one.isprintable() else " " for one in text[:MAX_SAID])


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and what caused it, the deepest first; a group's first member stands for it."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            # What was being handled when a library raised `from None` is its own affair.
            hidden = error.__suppress_context__
            error = error.__cause__ or (None if hidden else error.__context__)
    return found[::-1]


def _of_one(error: BaseException) -> SourceFailure | None:
    if isinstance(error, SourceFailure):
        return error
    if isinstance(error, Problem):
        return SourceFailure(error.slug, error.detail)
    return _of_ssh(error) or _of_tls(error) or _of_network(error) or _of_engine(error)


def _of_ssh(error: BaseException) -> SourceFailure | None:
    if not type(error).__module__.startswith("asyncssh"):
        return None
    import asyncssh  # it is loaded, else it could not have failed

    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return SourceFailure("host-key-changed", "the SSH host shows another key than the accepted")
    if isinstance(error, asyncssh.PermissionDenied):
        return SourceFailure(
            "authentication-failed", "the SSH host does not take this user with this key"
        )
    if isinstance(error, asyncssh.KeyImportError):
        return SourceFailure("authentication-failed", f"the SSH key cannot be read: {error}")
    assert isinstance(error, asyncssh.Error)
    return SourceFailure("ssh-failed", printable(f"SSH failed: {error.reason}"))


def _of_tls(error: BaseException) -> SourceFailure | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return SourceFailure(
            "tls-failed", f"the engine's certificate is not trusted: {error.verify_message}"
        )
    if isinstance(error, ssl.SSLError):
        reason = error.reason or str(error)
        if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
            return SourceFailure(
                "authentication-failed", f"the engine refuses the client certificate: {reason}"
            )
        return SourceFailure("tls-failed", printable(f"TLS failed: {reason}"))
    return None


def _of_network(error: BaseException) -> SourceFailure | None:
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return SourceFailure("timed-out", "the engine did not answer in time")
    if isinstance(error, socket.gaierror):
        return SourceFailure("name-unknown", f"the name does not resolve: {error.strerror}")
    if isinstance(error, ConnectionRefusedError):
        return SourceFailure("refused", "nothing listens there: the connection was refused")
    if isinstance(error, FileNotFoundError):
        return SourceFailure(
            "not-found", f"there is no such file: {error.filename or 'the socket'}"
        )
    if isinstance(error, PermissionError):
        what = error.filename or "the socket"
        return SourceFailure("no-permission", f"the server's user may not use {what}")
    if isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return SourceFailure("unreachable", "there is no way to this address")
    if isinstance(error, _CUT_OFF):
        return SourceFailure("disconnected", DISCONNECTED)
    return None


def _of_engine(error: BaseException) -> SourceFailure | None:
    if isinstance(error, aiodocker.DockerError) and error.status < 900:
        return SourceFailure(
            "engine-failed", printable(f"the engine answered {error.status}: {_said(error)}")
        )
    if isinstance(error, _UNLIKE_AN_ENGINE):
        return SourceFailure("not-an-engine", NOT_AN_ENGINE)
    return None
