"""Settings: the only reader of the environment.

`load` turns environment variables, or a `.env`-style file named by
ARCHNEST_CONFIG with the environment on top, into one frozen Config.
"""

import ipaddress
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from archnest.errors import StartRefused

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
LogFormat = Literal["text", "json"]
T = TypeVar("T")

PRIVATE_NETWORKS = (
    "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7,fe80::/10"
)
MIN_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an operator can set; docs/configuration.md says it in prose."""

    listen_host: str
    listen_port: int
    data_dir: Path
    agent_token: str | None
    ingest_allow: tuple[IPNetwork, ...]
    trusted_proxies: tuple[IPNetwork, ...]
    stale_after_ms: int
    max_report_bytes: int
    jwt_secret: bytes | None
    """None means: generated once into the data folder, see `with_secrets`."""
    session_ttl_s: int
    tls_cert: Path | None
    tls_key: Path | None
    base_path: str
    """Begins and ends with a slash."""
    log_level: str
    log_format: LogFormat

    @property
    def scheme(self) -> str:
        """The scheme people put into the browser."""
        return "https" if self.tls_cert else "http"


def load(
    environ: Mapping[str, str],
    *,
    listen: str | None = None,
    data_dir: str | None = None,
    fallback_dir: str | None = None,
) -> Config:
    """Read the settings; `listen` and `data_dir` win over the environment.

    Raises StartRefused with one line naming the variable, its form and what
    is wrong.
    """
    values = _with_file(environ)
    if listen is not None:
        values["ARCHNEST_LISTEN"] = listen
    if data_dir is not None:
        values["ARCHNEST_DATA_DIR"] = data_dir
    setting = _Reader(values)
    host, port = setting("ARCHNEST_LISTEN", "127.0.0.1:4000", _address)
    config = Config(
        listen_host=host,
        listen_port=port,
        data_dir=setting("ARCHNEST_DATA_DIR", fallback_dir or _user_data_dir(environ), _folder),
        agent_token=setting.optional("ARCHNEST_AGENT_TOKEN", _token),
        ingest_allow=setting("ARCHNEST_INGEST_ALLOW", PRIVATE_NETWORKS, _networks),
        trusted_proxies=setting("ARCHNEST_TRUSTED_PROXIES", "", _networks),
        stale_after_ms=setting("ARCHNEST_STALE_AFTER_MS", "90000", _positive),
        max_report_bytes=setting("ARCHNEST_MAX_REPORT_BYTES", "8388608", _positive),
        jwt_secret=setting.optional("ARCHNEST_JWT_SECRET", _jwt_secret),
        session_ttl_s=setting("ARCHNEST_SESSION_TTL_S", "43200", _session_ttl),
        tls_cert=setting.optional("ARCHNEST_TLS_CERT", _readable_file),
        tls_key=setting.optional("ARCHNEST_TLS_KEY", _readable_file),
        base_path=setting("ARCHNEST_BASE_PATH", "/", _base_path),
        log_level=setting("ARCHNEST_LOG_LEVEL", "info", _log_level),
        log_format=setting("ARCHNEST_LOG_FORMAT", "text", _log_format),
    )
    if (config.tls_cert is None) != (config.tls_key is None):
        raise StartRefused(
            "ARCHNEST_TLS_CERT and ARCHNEST_TLS_KEY must be set together: one of them is missing"
        )
    return config


def with_secrets(config: Config) -> Config:
    """Open the data folder and fill in what is generated there once.

    The folder is made 0700 and the files in it 0600.
    """
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(config.data_dir.stat().st_mode) & 0o077:
        config.data_dir.chmod(0o700)
    if config.jwt_secret is not None:
        return config
    path = config.data_dir / "jwt-secret"
    secret = generated_once(path)
    if len(secret) < MIN_SECRET_BYTES:
        raise StartRefused(f"{path} holds fewer than {MIN_SECRET_BYTES} bytes; delete it")
    return replace(config, jwt_secret=secret)


def generated_once(path: Path) -> bytes:
    """A secret that is made up when first asked for and kept in this file, 0600.

    Whoever asks at the same moment, in this process or another, gets the same one.
    """
    if not path.exists():
        descriptor, made = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_urlsafe(48).encode() + b"\n")
                file.flush()
                os.fsync(descriptor)
            _give_name(made, path)
        finally:
            Path(made).unlink(missing_ok=True)
    return path.read_bytes().strip()


def _give_name(made: str, path: Path) -> None:
    """Unless another file has it: whoever comes first wins."""
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    except OSError:
        # A file system without hard links; there two that start at once may disagree.
        Path(made).replace(path)


class _Reader:
    """Reads one setting at a time and says which one was wrong."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __call__(self, name: str, default: str, parse: Callable[[str], T]) -> T:
        text = self._values.get(name, "").strip() or default
        try:
            if "\0" in text:
                raise ValueError("the form is text without the character 0")
            return parse(text)
        except ValueError as error:
            raise StartRefused(f"{name} is wrong: {error}") from None

    def optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        if not self._values.get(name, "").strip():
            return None
        return self(name, "", parse)


def _with_file(environ: Mapping[str, str]) -> dict[str, str]:
    """Both, without what is empty in the environment: compose files write `NAME=` for "not set"."""
    name = environ.get("ARCHNEST_CONFIG", "").strip()
    values: dict[str, str] = {}
    if name:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise StartRefused(
                f"ARCHNEST_CONFIG is wrong: it must name a readable file of NAME=value lines,"
                f" and {name} is not ({reason})"
            ) from None
        values = parse_env_file(text, name)
    return {**values, **{name: value for name, value in environ.items() if value.strip()}}


def parse_env_file(text: str, name: str) -> dict[str, str]:
    """`NAME=value` lines; blank lines, `#` comments, `export` and quotes as usual.

    Raises StartRefused naming the line that is none of these.
    """
    values = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = re.match(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)\Z", line)
        if match is None:
            raise StartRefused(f"ARCHNEST_CONFIG is wrong: {name}:{number} is not NAME=value")
        try:
            values[match[1]] = _unquoted(match[2])
        except ValueError as error:
            raise StartRefused(f"ARCHNEST_CONFIG is wrong: {name}:{number} {error}") from None
    return values


def _unquoted(text: str) -> str:
    """A value without its quotes and the comment behind it; raises ValueError.

    As in a shell, a `#` begins a comment only behind a space.
    """
    value = text.strip()
    if not value.startswith(("'", '"')):
        return re.split(r"\s#", text, maxsplit=1)[0].strip()
    quoted = re.match(r"(?:'([^']*)'|\"([^\"]*)\")(?:\s+#.*)?\Z", value)
    if quoted is None:
        raise ValueError("does not end with the closing quote or a comment behind it")
    return quoted[1] if quoted[2] is None else quoted[2]


def _user_data_dir(environ: Mapping[str, str]) -> str:
    base = environ.get("XDG_DATA_HOME", "")
    if not base.startswith("/"):
        base = str(Path(environ.get("HOME") or "~") / ".local" / "share")
    return str(Path(base) / "archnest")


def _address(text: str) -> tuple[str, int]:
    match = re.match(r"(?:\[([0-9a-fA-F:.%a-z]+)\]|([^:\s\[\]]*)):([0-9]{1,5})\Z", text)
    if match is None or int(match[3]) > 65535:
        raise ValueError(f"the form is HOST:PORT, as in 127.0.0.1:4000 or [::]:4000, not {text!r}")
    host = match[1] or match[2] or "0.0.0.0"
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f"the form is HOST:PORT, and {host!r} is no host's name") from None
    return host, int(match[3])


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError(f"the form is a path, and the user of {text!r} has no folder") from None


def _folder(text: str) -> Path:
    path = _path(text)
    if path.exists() and not path.is_dir():
        raise ValueError(f"the form is a folder, and {text!r} is a file")
    return path


def _readable_file(text: str) -> Path:
    path = _path(text)
    if not (path.is_file() and os.access(path, os.R_OK)):
        raise ValueError(f"the form is a readable file, and {text!r} is not one")
    return path


def _token(text: str) -> str:
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("the form is printable ASCII without spaces, and it holds something else")
    return text


def _network(text: str) -> IPNetwork:
    network = ipaddress.ip_network(text, strict=False)
    if isinstance(network, ipaddress.IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            # As addresses of clients are looked at: without what IPv6 puts before an IPv4 one.
            return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


def _networks(text: str) -> tuple[IPNetwork, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tuple(_network(part) for part in parts)
    except ValueError as error:
        raise ValueError(
            f"the form is a comma-separated list of networks, as in 10.0.0.0/8,fd00::/8; {error}"
        ) from None


def _whole(text: str) -> int:
    if not re.match(r"[0-9]{1,15}\Z", text):
        raise ValueError(f"the form is a whole number, not {text!r}")
    return int(text)


def _positive(text: str) -> int:
    number = _whole(text)
    if number < 1:
        raise ValueError("the form is a whole number from 1, not 0")
    return number


def _session_ttl(text: str) -> int:
    seconds = _whole(text)
    if not 60 <= seconds <= 31_536_000:
        raise ValueError(f"the form is seconds from 60 to 31536000 (a year), not {text!r}")
    return seconds


def _jwt_secret(text: str) -> bytes:
    secret = text.encode("utf-8", "surrogateescape")
    if len(secret) < MIN_SECRET_BYTES:
        raise ValueError(
            f"the form is {MIN_SECRET_BYTES} or more bytes, and it has {len(secret)};"
            " try: openssl rand -hex 32"
        )
    return secret


def _base_path(text: str) -> str:
    if not re.match(r"/(?:[A-Za-z0-9._~-]+/)*[A-Za-z0-9._~-]*\Z", text) or "/." in text:
        raise ValueError(f"the form is a path, as in / or /archnest/, not {text!r}")
    return text if text.endswith("/") else text + "/"


def _log_level(text: str) -> str:
    level = text.lower()
    if level not in ("debug", "info", "warning", "error"):
        raise ValueError(f"the form is debug, info, warning or error, not {text!r}")
    return level


def _log_format(text: str) -> LogFormat:
    if text == "text":
        return "text"
    if text == "json":
        return "json"
    raise ValueError(f"the form is text or json, not {text!r}")
