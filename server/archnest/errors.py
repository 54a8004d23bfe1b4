"""Failures that callers are told about, as kinds with a status and a slug.

Domain code raises them, the API turns them into RFC 9457 problem documents
and the command line into one plain line. Details are for people and never
hold a secret.
"""

from typing import ClassVar

RETRY_AFTER_S = 5
"""When to ask again while the store is away; a lock or a full disk may last longer."""


class Problem(Exception):
    """A failure with a meaning to the caller; subclasses are its kinds."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "The server failed"

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class Invalid(Problem):
    """The request is understood but breaks a rule; the detail names the field."""

    status = 400
    slug = "invalid"
    title = "The request is not valid"


class NotSignedIn(Problem):
    """No token, or one that is malformed, forged, expired or ended."""

    status = 401
    slug = "not-signed-in"
    title = "Sign in first"


class WrongCredentials(Problem):
    """Sign-in, setup or password check failed; the same for every reason."""

    status = 401
    slug = "wrong-credentials"
    title = "Name or password is wrong"


class WrongAgentToken(Problem):
    """A report came without the agent token, or with another one."""

    status = 401
    slug = "wrong-agent-token"
    title = "The agent token is missing or wrong"


class RevokedAgentToken(WrongAgentToken):
    """The agent token was right until it was revoked; tells the host it was for."""

    slug = "revoked-agent-token"
    title = "The agent token was revoked"

    def __init__(self, host_id: str) -> None:
        super().__init__(f"this token of {host_id} was revoked: make another one on the page")
        self.host_id = host_id


class WrongHost(Problem):
    """The agent token is for another host than the report."""

    status = 403
    slug = "wrong-host"
    title = "The agent token is for another host"


class NotAllowed(Problem):
    """Known, but not entitled."""

    status = 403
    slug = "not-allowed"
    title = "Not allowed"


class NetworkNotAllowed(Problem):
    """Reports are not taken from this address."""

    status = 403
    slug = "network-not-allowed"
    title = "Reports are not taken from this network"


class NotFound(Problem):
    """Nothing is known under this name."""

    status = 404
    slug = "not-found"
    title = "Not found"


class Ambiguous(Problem):
    """A shortened id fits more than one container."""

    status = 409
    slug = "ambiguous"
    title = "More than one fits"


class Conflict(Problem):
    """The change contradicts what is there."""

    status = 409
    slug = "conflict"
    title = "Conflicts with what is there"


class NotAvailable(Problem):
    """The host's source, or the container as it is, cannot do this."""

    status = 409
    slug = "not-available"
    title = "Not available from this source"


class EngineRefused(Problem):
    """The container engine was asked and said no; the detail is its own text."""

    status = 409
    slug = "engine-refused"
    title = "The engine refused"


class SourceUnavailable(Problem):
    """The container engine cannot be asked at the moment."""

    status = 502
    slug = "source-unavailable"
    title = "The engine cannot be asked"


class TooLarge(Problem):
    """The body is larger than the server takes."""

    status = 413
    slug = "too-large"
    title = "The body is too large"


class UnsupportedMedia(Problem):
    """The body is of a kind or an encoding the server does not take."""

    status = 415
    slug = "unsupported-media"
    title = "The body is of a kind that is not taken"


class TooManyAttempts(Problem):
    """Throttled; `retry_after_s` says for how long."""

    status = 429
    slug = "too-many-attempts"
    title = "Too many attempts"


class TooManyStreams(Problem):
    """More logs and terminals are open than one person, or the server, may have."""

    status = 429
    slug = "too-many-streams"
    title = "Too many streams are open"


class IngestDisabled(Problem):
    """There is no agent token at all, so no report can be taken."""

    status = 503
    slug = "ingest-disabled"
    title = "Reports are not taken"


class Overloaded(Problem):
    """More is being sent at once than the server holds in memory."""

    status = 503
    slug = "overloaded"
    title = "Too much is being sent at once"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, retry_after_s=RETRY_AFTER_S)


class StoreUnavailable(Problem):
    """The database cannot be read or written at the moment."""

    status = 503
    slug = "store-unavailable"
    title = "The store is not available"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, retry_after_s=RETRY_AFTER_S)


class StartRefused(Exception):
    """The program cannot start or finish; the text is the one line to print."""
