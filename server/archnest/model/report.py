"""The report, version 1: one host's complete container picture at one moment.

Agents and servers upgrade at different times: a new field has a default, no
field is renamed or retyped, and unknown fields are skipped and not stored.
None means the source does not report it; an empty list means there are none.

No struct here can hold itself, so the garbage collector need not follow them.
"""

from typing import Annotated

from msgspec import Meta, Struct

from archnest.model.limits import (
    MAX_CONTAINERS,
    MAX_ITEMS,
    Count,
    ExitCode,
    HostId,
    Mark,
    Percent,
    Text,
    Timestamp,
)


class Port(Struct, rename="camel", frozen=True, gc=False):
    """One binding of one container port; unpublished ones have no host side."""

    container_port: Count
    proto: Text | None = None
    host_ip: Text | None = None
    host_port: Count | None = None


class Network(Struct, rename="camel", frozen=True, gc=False):
    """One network the container is attached to."""

    name: Text
    ip: Text | None = None


class Mount(Struct, rename="camel", frozen=True, gc=False, kw_only=True):
    """One bind, volume or tmpfs mount."""

    type: Text | None = None
    destination: Text
    source: Text | None = None
    rw: bool | None = None


class EnvEntry(Struct, rename="camel", frozen=True, gc=False):
    """One environment variable, its value masked where the key says secret."""

    key: Text
    value: Text | None = None


class Stats(Struct, rename="camel", frozen=True, gc=False):
    """One sample, in the units of `docker stats`; None where it has no value."""

    cpu_percent: Percent | None = None
    mem_usage: Count | None = None
    mem_limit: Count | None = None
    net_rx_bytes: Count | None = None
    net_tx_bytes: Count | None = None
    block_read_bytes: Count | None = None
    block_write_bytes: Count | None = None
    pids: Count | None = None


class Container(Struct, rename="camel", frozen=True, gc=False):
    """One container as its source sees it.

    In this order it is sent and stored: what lists show, then from `image_id` on
    what only its own view shows, and last `stats`, which alone changes all the time.
    """

    id: Annotated[Text, Meta(min_length=1)]
    name: Text
    image: Text
    state: Text
    status: Text | None = None
    created_at: Timestamp | None = None
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    exit_code: ExitCode | None = None
    oom_killed: bool | None = None
    restart_count: Count | None = None
    restart_policy: Text | None = None
    health: Text | None = None
    ports: Annotated[list[Port], Meta(max_length=MAX_ITEMS)] | None = None
    networks: Annotated[list[Network], Meta(max_length=MAX_ITEMS)] | None = None
    labels: Annotated[dict[Text, Text], Meta(max_length=MAX_ITEMS)] | None = None
    image_id: Text | None = None
    mounts: Annotated[list[Mount], Meta(max_length=MAX_ITEMS)] | None = None
    env: Annotated[list[EnvEntry], Meta(max_length=MAX_ITEMS)] | None = None
    entrypoint: Text | None = None
    command: Text | None = None
    stats: Stats | None = None


class Engine(Struct, rename="camel", frozen=True, gc=False):
    """The container engine and the machine it runs on."""

    version: Text | None = None
    api_version: Text | None = None
    os: Text | None = None
    kernel: Text | None = None
    arch: Text | None = None
    cpus: Count | None = None
    mem_total: Count | None = None
    id: Text | None = None
    """Since 1: what `docker info` calls ID. Cloned machines share it."""


class Marks(Struct, rename="camel", frozen=True, gc=False):
    """What tells the agent's machine from another that reports under the same hostId."""

    boot_id: Mark | None = None
    machine_id: Mark | None = None
    """A hash: the machine id itself is nobody else's business."""


class Report(Struct, rename="camel", frozen=True, gc=False):
    """One host's complete container picture at one moment, as its agent saw it."""

    host_id: HostId
    containers: Annotated[list[Container], Meta(max_length=MAX_CONTAINERS)]
    hostname: Text | None = None
    agent_version: Text | None = None
    reported_at: Timestamp | None = None
    engine: Engine | None = None
    marks: Marks | None = None


class Receipt(Struct, rename="camel", frozen=True, gc=False):
    """What the server says once a report is durable."""

    host_id: str
    received_at: str
    container_count: int
