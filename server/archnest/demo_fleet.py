"""A made-up fleet that behaves like a real one: for `make demo` and for measuring.

Everything follows from a seed and from the times that are passed in. Nothing
here knows the server; what comes out is what agents would send.
"""

import hashlib
import random
from dataclasses import dataclass, field

from archnest.demo_services import FATES, HOSTNAMES, ODD_FATES, STACKS, Service
from archnest.model.report import (
    Container,
    Engine,
    EnvEntry,
    Mount,
    Network,
    Port,
    Report,
    Stats,
)
from archnest.timestamps import rfc3339

MIB = 2**20
DAY_S = 86_400
FLEETING_S = 90
"""How long a fleeting container is there, and then is not, in turn."""


@dataclass
class DemoContainer:
    """One container and what it has used so far."""

    service: Service
    project: str
    host_id: str
    number: int
    fate: str
    created_at: float
    random: random.Random
    used: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("rx", "tx", "r", "w"), 0))
    turned_at: float | None = None
    """When someone last started or stopped it."""

    @property
    def name(self) -> str:
        """As `docker compose` would call it; unique on its host."""
        return f"{self.project}-{self.service.name}-{self.number}"

    @property
    def started_at(self) -> float:
        """When it was started, unless it is in a crash loop."""
        return self.turned_at if self.turned_at and self.is_up else self.created_at + 2

    @property
    def is_up(self) -> bool:
        """Whether it runs, paused or not."""
        return FATES[self.fate][0] in ("running", "paused", "restarting")

    def turn(self, fate: str, now: float) -> None:
        """Go on with another fate; a pause is no new start."""
        if "paused" not in (fate, self.fate):
            self.turned_at = now
        self.fate = fate

    def is_there(self, now: float) -> bool:
        """False while a fleeting container is away."""
        return self.fate != "fleeting" or int(now / FLEETING_S) % 2 == 0

    def as_reported(self, now: float) -> Container:
        """The container at this moment; counters only grow."""
        state, status, code, health = FATES[self.fate]
        running = state in ("running", "paused")
        # A container in a crash loop is started anew every 20 s.
        cycle_s = 20 if self.fate == "restarting" else 0
        started = now - now % cycle_s if cycle_s else self.started_at
        if self.fate == "starting":
            started = now - 12
        ended = started if cycle_s else self.turned_at or started + 3600
        return Container(
            id=self._hex("container"),
            name=self.name,
            image=self.service.image,
            image_id=f"sha256:{self._hex('image')}",
            state=state,
            status=status.format(age=_age(now - (started if running else ended))),
            created_at=rfc3339(self.created_at),
            started_at=None if state == "created" else rfc3339(started),
            finished_at=None if running or state == "created" else rfc3339(ended),
            exit_code=code,
            oom_killed=self.fate == "oom",
            restart_count=int((now - self.created_at) / cycle_s) if cycle_s else 0,
            restart_policy="no" if self.service.port is None else "unless-stopped",
            health=health if self.service.port else "none",
            ports=self._ports(running),
            networks=[Network(f"{self.project}_default", self._address() if running else None)],
            mounts=[self._volume()],
            env=[EnvEntry("TZ", "Europe/Berlin"), EnvEntry("DB_PASSWORD", "made-up")],
            entrypoint="/docker-entrypoint.sh",
            command=self.service.name,
            labels=self._labels(),
            stats=self._stats() if running else None,
        )

    def _volume(self) -> Mount:
        name = f"{self.project}_{self.service.name}"
        return Mount(type="volume", destination="/data", source=name, rw=True)

    def _ports(self, running: bool) -> list[Port]:
        if self.service.port is None:
            return []
        if not running or self.fate == "fleeting":
            return [Port(self.service.port, "tcp")]
        published = 8000 + int(self._hex("port")[:4], 16) % 2000
        return [Port(self.service.port, "tcp", ip, published) for ip in ("0.0.0.0", "::")]

    def _labels(self) -> dict[str, str]:
        return {
            "com.docker.compose.project": self.project,
            "com.docker.compose.service": self.service.name,
            "com.docker.compose.container-number": str(self.number),
            "org.opencontainers.image.title": self.service.name,
        }

    def _stats(self) -> Stats:
        busy = 0 if self.fate == "paused" else self.random.lognormvariate(0, 0.5)
        self.used["rx"] += busy * self.service.cpu_percent * 40_000
        self.used["tx"] += busy * self.service.cpu_percent * 25_000
        self.used["r"] += busy * self.service.memory_mib * 300
        self.used["w"] += busy * self.service.memory_mib * 900
        return Stats(
            cpu_percent=round(busy * self.service.cpu_percent, 2),
            mem_usage=int(self.service.memory_mib * MIB * self.random.uniform(0.9, 1.1)),
            mem_limit=4 * self.service.memory_mib * MIB if self.number % 2 else 16_777_216_000,
            net_rx_bytes=int(self.used["rx"]),
            net_tx_bytes=int(self.used["tx"]),
            block_read_bytes=int(self.used["r"]),
            block_write_bytes=int(self.used["w"]),
            pids=1 + self.service.memory_mib // 20,
        )

    def _address(self) -> str:
        first, second = bytes.fromhex(self._hex("address")[:4])
        return f"172.{18 + first % 12}.0.{2 + second % 250}"

    def _hex(self, what: str) -> str:
        """64 hex digits that are this container's for ever."""
        return hashlib.sha256(f"{self.host_id}/{self.name}/{what}".encode()).hexdigest()


def _age(seconds: float) -> str:
    """An age in Docker's words, coarsely."""
    for unit, length_s in (("days", DAY_S), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length_s:
            return f"{int(seconds / length_s)} {unit}"
    return f"{int(seconds)} seconds"


@dataclass
class DemoHost:
    """One host of the fleet."""

    host_id: str
    containers: list[DemoContainer]
    engine: Engine

    def report(self, now: float) -> Report:
        """What its agent would send at this moment."""
        return Report(
            host_id=self.host_id,
            containers=[one.as_reported(now) for one in self.containers if one.is_there(now)],
            hostname=self.host_id,
            agent_version="1",
            reported_at=rfc3339(now),
            engine=self.engine,
        )


def fleet(hosts: int, containers: int, *, now: float, seed: int = 1) -> list[DemoHost]:
    """So many hosts with so many containers each, a dozen states among them."""
    chance = random.Random(seed)  # noqa: S311 - made-up figures, not secrets
    return [_host(number, containers, now, chance) for number in range(hosts)]


def _host(number: int, containers: int, now: float, chance: random.Random) -> DemoHost:
    round_, place = divmod(number, len(HOSTNAMES))
    host_id = HOSTNAMES[place] + (f"-{round_ + 1}" if round_ else "")
    services = [(project, one) for project, stack in STACKS.items() for one in stack]
    first = number * 7
    made = []
    for index in range(containers):
        project, service = services[(first + index) % len(services)]
        odd = ODD_FATES[(number * (containers // 5) + index // 5) % len(ODD_FATES)]
        fate = odd if index % 5 == 4 else "running" if service.port else "exited"
        created_at = now - chance.uniform(0.1, 90) * DAY_S
        copy = 1 + index // len(services)
        own = random.Random(chance.random())  # noqa: S311 - as above
        made.append(DemoContainer(service, project, host_id, copy, fate, created_at, own))
    engine = Engine(
        version="28.2.2",
        api_version="1.50",
        os="Debian GNU/Linux 12 (bookworm)",
        kernel="6.1.0-37-amd64",
        arch="x86_64",
        cpus=chance.choice([4, 8, 16]),
        mem_total=16_777_216_000,
    )
    return DemoHost(host_id, made, engine)
