"""Hosts and their containers as readers see them."""

from msgspec import UNSET, Struct, UnsetType

from archnest.model.report import Container, Engine, Network, Port, Stats


class AgentHost(Struct, rename="camel", frozen=True):
    """A host's line in the list of hosts that push reports."""

    host_id: str
    hostname: str | None
    received_at: str
    reported_at: str | None
    container_count: int
    stale: bool


class AgentHostList(Struct, rename="camel", frozen=True):
    """Every host that pushes reports, by hostId."""

    hosts: list[AgentHost]


class AgentHostContainers(Struct, rename="camel", frozen=True):
    """The latest report of one host; `stale` says whether it is still current."""

    host_id: str
    hostname: str | None
    received_at: str
    stale: bool
    containers: list[Container]


class Machine(Struct, rename="camel", frozen=True):
    """One of the machines that report under one hostId."""

    hostname: str | None
    address: str | None
    """From which it reported last."""
    last_seen_at: str


class Host(Struct, rename="camel", frozen=True):
    """A host of any source with everything about it but its containers."""

    host_id: str
    hostname: str | None
    source: str
    received_at: str
    reported_at: str | None
    stale: bool
    container_count: int
    gone_count: int
    agent_version: str | None
    engine: Engine | None
    capabilities: list[str]
    """Which of stats, logs, actions and exec its source supports."""
    linked_source: str | None = None
    """The kind of source that speaks for the host of an agent too; None where there is none."""
    error: str | None = None
    """Why the host cannot be asked now; what is shown is then as of `received_at`."""
    clock_skew_s: float | None = None
    """How far ahead of the server's its agent's clock is, less the time a report takes; negative
    when behind, None until a report tells."""
    conflict: list[Machine] | None = None
    """The machines that report as this host in turn; None while it is one."""


class HostList(Struct, rename="camel", frozen=True):
    """Every host of every source, by hostId."""

    revision: str
    stale_after_ms: int
    agent_version: str
    """Of the agent that this server serves; a host's smaller one is to be upgraded."""
    hosts: list[Host]


class ContainerRow(Struct, rename="camel", frozen=True):
    """What a list of containers needs: a container without its long fields.

    `gone_at` is set only on a container that a newer report no longer holds;
    the other fields are then its last known ones.
    """

    id: str
    name: str
    image: str
    state: str
    status: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    exit_code: int | None = None
    oom_killed: bool | None = None
    restart_count: int | None = None
    restart_policy: str | None = None
    health: str | None = None
    ports: list[Port] | None = None
    networks: list[Network] | None = None
    labels: dict[str, str] | None = None
    stats: Stats | None = None
    gone_at: str | UnsetType = UNSET


class HostRows(Struct, rename="camel", frozen=True):
    """One host and all its rows, the gone ones last."""

    host: Host
    containers: list[ContainerRow]


class Changes(Struct, rename="camel", frozen=True):
    """What a reader lacks since the revision it named.

    When `full` is true, `hosts` is everything there is and replaces what the
    reader holds; otherwise each host in it replaces that host, and the ids in
    `removed` are to be dropped. When `more` is true, that was not all: ask again
    at once, for what changed since this `revision`.
    """

    revision: str
    full: bool
    more: bool
    stale_after_ms: int
    agent_version: str
    """Of the agent that this server serves; a host's smaller one is to be upgraded."""
    hosts: list[HostRows]
    removed: list[str]


class ContainerDetail(Struct, rename="camel", frozen=True):
    """One container with everything known, and how current that is."""

    host: Host
    container: Container
    gone_at: str | None
    """When a report first lacked it; None while it is in the latest report."""
