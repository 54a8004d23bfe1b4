"""The Engine API's inspect answer as the report's container; pure.

Field by field the same as the agent's jq program makes of the same answer, so
that the page needs no second way. Masked, because it is cut: a cut could
leave half of what the masking looks for. What could not be read back from the
store is refused.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from archnest.masking import mask_argument, mask_text, mask_value
from archnest.model.limits import MAX_ITEMS, MAX_TEXT, Count, ExitCode, Text
from archnest.model.report import Container, Engine, EnvEntry, Mount, Network, Port, Stats

MAX_MASKED = 2 * MAX_TEXT
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_PLAIN_WORD = re.compile(r"(?:[A-Za-z0-9_@%+=:,./-]|\*{8})+")
_NOT_ENDED = ("running", "paused", "initialized", "stopping")
"""The last two are podman's; it gives them an exit code all the same."""
_NUMBER = re.compile(r"[0-9]{1,9}")

Id = Annotated[Text, Meta(min_length=1)]
Words = list[str] | str | None


class Health(Struct, rename="pascal"):
    """The health check's verdict."""

    status: Text | None = None


class State(Struct, rename="pascal"):
    """Where the container stands."""

    status: Text | None = None
    started_at: str | None = None
    finished_at: str | None = None
    exit_code: ExitCode | None = None
    oom_killed: bool | None = field(default=None, name="OOMKilled")
    health: Health | None = None
    healthcheck: Health | None = None
    """Podman's older name."""


class Settings(Struct, rename="pascal"):
    """What the container was made with."""

    image: str | None = None
    env: list[str] | None = None
    entrypoint: Words = None
    cmd: Words = None
    labels: dict[str, Any] | None = None


class RestartPolicy(Struct, rename="pascal"):
    """When the engine starts it anew."""

    name: Text | None = None
    maximum_retry_count: Count | None = None


class HostConfig(Struct, rename="pascal"):
    """How it may use the host."""

    network_mode: str | None = None
    restart_policy: RestartPolicy | None = None
    tmpfs: dict[str, str | None] | None = None


class Binding(Struct, rename="pascal"):
    """The host's side of a port."""

    host_ip: Text | None = None
    host_port: str | None = None


class Attachment(Struct, rename="pascal"):
    """A network the container is attached to."""

    ip_address: Text | None = field(default=None, name="IPAddress")
    global_ipv6_address: Text | None = field(default=None, name="GlobalIPv6Address")


class NetworkSettings(Struct, rename="pascal"):
    """Ports and networks."""

    ports: dict[str, list[Binding] | None] | None = None
    networks: dict[str, Attachment | None] | None = None


class MountPoint(Struct, rename="pascal"):
    """One mount."""

    destination: str | None = None
    type: Text | None = None
    name: str | None = None
    source: str | None = None
    rw: bool | None = field(default=None, name="RW")


class Inspected(Struct, rename="pascal"):
    """`GET /containers/{id}/json`, as far as it is shown."""

    id: Id
    name: str | None = None
    image: str | None = None
    image_name: str | None = None
    created: str | None = None
    restart_count: Count | None = None
    state: State = field(default_factory=State)
    config: Settings = field(default_factory=Settings)
    host_config: HostConfig = field(default_factory=HostConfig)
    network_settings: NetworkSettings = field(default_factory=NetworkSettings)
    mounts: list[MountPoint] | None = None


class Listed(Struct, rename="pascal"):
    """One entry of `GET /containers/json`."""

    id: Id
    names: list[str] | None = None
    image: str | None = None
    state: Text | None = None
    status: Text | None = None


def container_of(inspected: Inspected, listed: Listed, stats: Stats | None) -> Container:
    """The container; `listed` gives the status text that inspect lacks."""
    state, settings = inspected.state, inspected.config
    health = state.health or state.healthcheck
    return Container(
        id=inspected.id,
        name=_cut((inspected.name or "").removeprefix("/")),
        image=_cut(settings.image or inspected.image_name or inspected.image or ""),
        image_id=_cut(inspected.image) if inspected.image is not None else None,
        state=state.status or listed.state or "",
        status=listed.status or None,
        created_at=_time(inspected.created),
        started_at=_time(state.started_at),
        finished_at=_time(state.finished_at),
        exit_code=_exit_code(state),
        oom_killed=state.oom_killed,
        restart_count=inspected.restart_count,
        restart_policy=_restart_policy(inspected.host_config.restart_policy),
        health=(health.status if health else None) or "none",
        ports=list(_ports(inspected.network_settings.ports or {}))[:MAX_ITEMS],
        networks=_networks(inspected.network_settings.networks or {}),
        mounts=_mounts(inspected),
        # In the order of their names, as the agent tells them: Docker's own tells nothing.
        env=sorted(map(_env, (settings.env or [])[:MAX_ITEMS]), key=lambda one: one.key),
        entrypoint=_words(settings.entrypoint),
        command=_words(settings.cmd),
        labels=_labels(settings.labels or {}),
        stats=_own(stats, inspected.host_config) if state.status == "running" else None,
    )


def unreadable(listed: Listed) -> Container:
    """What the list alone tells of a container that cannot be inspected."""
    return Container(
        id=listed.id,
        name=_cut(",".join(name.removeprefix("/") for name in listed.names or [])),
        image=_cut(listed.image or ""),
        state=(listed.state or "").lower(),
        status=listed.status or None,
    )


def engine_of(version: dict[str, Any], info: dict[str, Any]) -> Engine:
    """The engine and its machine; raises msgspec.ValidationError."""
    fields = {
        "version": version.get("Version"),
        "apiVersion": version.get("ApiVersion"),
        "os": info.get("OperatingSystem"),
        "kernel": info.get("KernelVersion"),
        "arch": info.get("Architecture"),
        "cpus": info.get("NCPU"),
        "memTotal": info.get("MemTotal"),
        "id": info.get("ID") or None,
    }
    return msgspec.convert(fields, Engine)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _time(text: str | None) -> str | None:
    """Engines write the year 1 for what has not happened."""
    if text is None or text.startswith("0001-01-01T") or not _TIME.fullmatch(text):
        return None
    return text


def _exit_code(state: State) -> int | None:
    if state.status in _NOT_ENDED or (state.status == "created" and not state.exit_code):
        return None
    return state.exit_code


def _restart_policy(policy: RestartPolicy | None) -> str:
    if policy is None or not policy.name:
        return "no"
    if policy.name == "on-failure" and (policy.maximum_retry_count or 0) > 0:
        return f"on-failure:{policy.maximum_retry_count}"
    return policy.name


def _own(stats: Stats | None, host_config: HostConfig) -> Stats | None:
    """Without the counters of a network that is another container's or the host's."""
    mode = host_config.network_mode or ""
    if stats is None or not (mode in ("none", "host") or mode.startswith("container:")):
        return stats
    return msgspec.structs.replace(stats, net_rx_bytes=None, net_tx_bytes=None)


def _ports(ports: dict[str, list[Binding] | None]) -> Iterator[Port]:
    for key, bindings in ports.items():
        number, _, proto = key.partition("/")
        if not _NUMBER.fullmatch(number):
            continue
        inner = int(number)
        for one in bindings or []:
            outer = one.host_port or ""
            host_port = int(outer) if _NUMBER.fullmatch(outer) else None
            yield Port(inner, _cut(proto) or "tcp", one.host_ip or "0.0.0.0", host_port)
        if not bindings:
            yield Port(inner, _cut(proto) or "tcp")


def _networks(networks: dict[str, Attachment | None]) -> list[Network]:
    found = []
    for name, one in list(networks.items())[:MAX_ITEMS]:
        address = (one.ip_address or one.global_ipv6_address or None) if one else None
        found.append(Network(_cut(name), address))
    return found


def _mounts(inspected: Inspected) -> list[Mount]:
    found = []
    for one in inspected.mounts or []:
        is_named = one.type == "volume" and one.name is not None
        source = one.name if is_named else one.source
        found.append(
            Mount(
                type=one.type or "bind",
                destination=_cut(one.destination or ""),
                source=_cut(source or "") or None,
                rw=one.rw,
            )
        )
    taken = {one.destination for one in found}
    for path, options in (inspected.host_config.tmpfs or {}).items():
        if path not in taken:
            writable = "ro" not in (options or "").split(",")
            found.append(Mount(type="tmpfs", destination=_cut(path), rw=writable))
    # Docker's own order is another with every question.
    return sorted(found, key=lambda one: one.destination)[:MAX_ITEMS]


def _env(entry: str) -> EnvEntry:
    key, _, value = entry.partition("=")
    key = _cut(key)
    return EnvEntry(key, _masked(key, value))


def _labels(labels: dict[str, Any]) -> dict[str, str]:
    kept = list(labels.items())[:MAX_ITEMS]
    return {_cut(key): _masked(key, _text(value)) for key, value in kept}


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _masked(key: str, value: str) -> str:
    return _cut(mask_value(key, value[:MAX_MASKED]))


def _words(words: Words) -> str:
    """As a shell would need them; each is masked before it is quoted."""
    text = words if isinstance(words, str) else " ".join(map(_quoted, words or []))
    return _cut(mask_text(text[:MAX_MASKED]))


def _quoted(argument: str) -> str:
    word = mask_argument(argument[:MAX_MASKED])
    if _PLAIN_WORD.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"
