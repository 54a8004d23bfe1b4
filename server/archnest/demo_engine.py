"""A made-up Docker Engine: enough of its API for logs and actions on `make demo`.

Its containers are those of a made-up host and obey: what is stopped stays
stopped until it is started. Nothing runs, and there is no shell in them.
"""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from archnest.demo_fleet import DemoContainer, DemoHost
from archnest.demo_services import LOG_LINES
from archnest.model.report import Container, Stats
from archnest.timestamps import rfc3339

LINE_EVERY_S = 1.7
MAX_LINES = 5_000
FATE_AFTER = {
    "start": "running",
    "restart": "running",
    "unpause": "running",
    "pause": "paused",
    "stop": "exited",
    "kill": "killed",
}
Reading = tuple[float, float]
"""When, and how many seconds of CPU time had been used."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class DemoEngine:
    """Answers for one made-up host; serve it with `DemoEngine.serving`."""

    def __init__(self, host: DemoHost) -> None:
        self._host = host
        self._containers = {one.as_reported(time.time()).id: one for one in host.containers}
        self._cpu: dict[str, Reading] = {}
        self._listeners: set[asyncio.Queue[bytes]] = set()

    @contextlib.asynccontextmanager
    async def serving(self, path: Path) -> AsyncIterator[None]:
        """Listen on a unix socket until left."""
        app = web.Application()
        app.add_routes([web.get("/version", self._version)])
        for method, route, handler in self._routes():
            app.router.add_route(method, "/{api:v[0-9.]+}" + route, handler)
        # Who follows a log or the events does so for ever.
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        try:
            await web.UnixSite(runner, path).start()
            yield
        finally:
            await runner.cleanup()

    def _routes(self) -> list[tuple[str, str, Handler]]:
        one = "/containers/{id}"
        return [
            ("GET", "/version", self._version),
            ("GET", "/info", self._info),
            ("GET", "/events", self._events),
            ("GET", "/containers/json", self._list),
            ("GET", f"{one}/json", self._inspect),
            ("GET", f"{one}/stats", self._stats),
            ("GET", f"{one}/logs", self._logs),
            ("POST", f"{one}/exec", self._refuse_exec),
            ("POST", one + "/{action}", self._act),
            ("DELETE", one, self._remove),
        ]

    async def _version(self, request: web.Request) -> web.StreamResponse:
        engine = self._host.engine
        return _json(
            {"Version": engine.version, "ApiVersion": engine.api_version, "MinAPIVersion": "1.24"}
        )

    async def _info(self, request: web.Request) -> web.StreamResponse:
        engine = self._host.engine
        return _json(
            {
                "ID": f"demo-{self._host.host_id}",
                "Name": self._host.host_id,
                "OperatingSystem": engine.os,
                "KernelVersion": engine.kernel,
                "Architecture": engine.arch,
                "NCPU": engine.cpus,
                "MemTotal": engine.mem_total,
            }
        )

    async def _list(self, request: web.Request) -> web.StreamResponse:
        reported = [one.as_reported(time.time()) for one in self._containers.values()]
        return _json(
            [
                {
                    "Id": one.id,
                    "Names": [f"/{one.name}"],
                    "Image": one.image,
                    "State": one.state,
                    "Status": one.status,
                }
                for one in reported
            ]
        )

    async def _inspect(self, request: web.Request) -> web.StreamResponse:
        return _json(inspected(self._named(request).as_reported(time.time())))

    async def _stats(self, request: web.Request) -> web.StreamResponse:
        container, now = self._named(request), time.time()
        stats = container.as_reported(now).stats
        if stats is None:
            return _json({"read": "0001-01-01T00:00:00Z"})
        before = self._cpu.get(request.match_info["id"], (now - 1, 0.0))
        current = now, before[1] + (stats.cpu_percent or 0) / 100 * (now - before[0])
        self._cpu[request.match_info["id"]] = current
        return _json(sampled(stats, current, before, self._host.engine.cpus or 1))

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        container = self._named(request)
        service, now = container.service.name, time.time()
        response = web.StreamResponse()
        await response.prepare(request)
        tail = request.query.get("tail", "all")
        last = int(now / LINE_EVERY_S)
        count = min(MAX_LINES, int(tail) if tail.isdigit() else MAX_LINES)
        since = float(request.query.get("since") or container.created_at)
        for number in range(max(last - count + 1, int(since / LINE_EVERY_S) + 1), last + 1):
            await response.write(log_frame(service, number))
        while request.query.get("follow") == "1" and container.is_up:
            last += 1
            await asyncio.sleep(max(0.0, last * LINE_EVERY_S - time.time()))
            await response.write(log_frame(service, last))
        return response

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            while True:
                await response.write(await queue.get())
        finally:
            self._listeners.discard(queue)

    async def _act(self, request: web.Request) -> web.StreamResponse:
        container, action = self._named(request), request.match_info["action"]
        if action not in FATE_AFTER:
            raise _problem(web.HTTPNotFound, "the made-up engine cannot do this")
        if (action == "start") is container.is_up and action in ("start", "stop", "kill"):
            return web.Response(status=304)
        # A made-up database takes a moment to stop, too.
        await asyncio.sleep(0.8)
        container.turn(FATE_AFTER[action], time.time())
        self._tell(request.match_info["id"], {"stop": "die", "kill": "die"}.get(action, action))
        return web.Response(status=204)

    async def _remove(self, request: web.Request) -> web.StreamResponse:
        container = self._named(request)
        if container.is_up and request.query.get("force") not in ("1", "true", "True"):
            words = f"cannot remove container {container.name!r}: container is running"
            raise _problem(web.HTTPConflict, f"{words}: stop the container before removing")
        del self._containers[request.match_info["id"]]
        self._tell(request.match_info["id"], "destroy")
        return web.Response(status=204)

    async def _refuse_exec(self, request: web.Request) -> web.StreamResponse:
        raise _problem(web.HTTPConflict, "the demo's containers are made up: no shell is in them")

    def _named(self, request: web.Request) -> DemoContainer:
        found = self._containers.get(request.match_info["id"])
        if found is None:
            raise _problem(web.HTTPNotFound, f"No such container: {request.match_info['id']}")
        return found

    def _tell(self, container_id: str, action: str) -> None:
        now = time.time()
        event = {
            "Type": "container",
            "Action": action,
            "Actor": {"ID": container_id, "Attributes": {}},
            "time": int(now),
            "timeNano": int(now * 1e9),
        }
        for queue in self._listeners:
            queue.put_nowait(json.dumps(event).encode() + b"\n")


def inspected(one: Container) -> dict[str, Any]:
    """A container as `GET /containers/{id}/json` has it."""
    ports: dict[str, list[dict[str, str]]] = {}
    for port in one.ports or []:
        bindings = ports.setdefault(f"{port.container_port}/{port.proto}", [])
        if port.host_port is not None:
            bindings.append({"HostIp": port.host_ip or "", "HostPort": str(port.host_port)})
    return {
        "Id": one.id,
        "Name": f"/{one.name}",
        "Image": one.image_id,
        "Created": one.created_at,
        "RestartCount": one.restart_count,
        "State": {
            "Status": one.state,
            "StartedAt": one.started_at,
            "FinishedAt": one.finished_at,
            "ExitCode": one.exit_code or 0,
            "OOMKilled": one.oom_killed,
            "Health": {"Status": one.health} if one.health != "none" else None,
        },
        "Config": {
            "Image": one.image,
            "Env": [f"{entry.key}={entry.value}" for entry in one.env or []],
            "Entrypoint": one.entrypoint,
            "Cmd": one.command,
            "Labels": one.labels,
            "Tty": False,
        },
        "HostConfig": {"RestartPolicy": {"Name": one.restart_policy}},
        "NetworkSettings": {
            "Ports": ports,
            "Networks": {net.name: {"IPAddress": net.ip or ""} for net in one.networks or []},
        },
        "Mounts": [
            {"Type": mount.type, "Name": mount.source, "Destination": mount.destination, "RW": True}
            for mount in one.mounts or []
        ],
    }


def sampled(stats: Stats, current: Reading, before: Reading, cores: int) -> dict[str, Any]:
    """Statistics as `GET /containers/{id}/stats` has them."""
    readings = [
        {
            "cpu_usage": {"total_usage": int(cpu_s * 1e9)},
            "system_cpu_usage": int(at * cores * 1e9),
            "online_cpus": cores,
        }
        for at, cpu_s in (current, before)
    ]
    return {
        "read": rfc3339(current[0]),
        "cpu_stats": readings[0],
        "precpu_stats": readings[1],
        "memory_stats": {"usage": stats.mem_usage, "limit": stats.mem_limit, "stats": {}},
        "networks": {"eth0": {"rx_bytes": stats.net_rx_bytes, "tx_bytes": stats.net_tx_bytes}},
        "blkio_stats": {
            "io_service_bytes_recursive": [
                {"op": "read", "value": stats.block_read_bytes},
                {"op": "write", "value": stats.block_write_bytes},
            ]
        },
        "pids_stats": {"current": stats.pids},
    }


def log_frame(service: str, number: int) -> bytes:
    """The line of this number, with its time, in the engine's framing; 2 is stderr."""
    chance = random.Random(f"{service}/{number}")  # noqa: S311 - a made-up line
    stream, text = chance.choice(LOG_LINES)
    text = text.format(
        service=service,
        ms=chance.randint(2, 900),
        n=chance.randint(1, 40),
        id=chance.randint(1000, 9999),
    )
    line = f"{rfc3339(number * LINE_EVERY_S)} {text}\n".encode()
    return bytes([stream, 0, 0, 0]) + len(line).to_bytes(4, "big") + line


def _json(answer: object) -> web.Response:
    """As an engine says it: without the charset of aiohttp's own."""
    return web.Response(body=json.dumps(answer).encode(), content_type="application/json")


def _problem(kind: type[web.HTTPException], message: str) -> web.HTTPException:
    problem = kind(text=json.dumps({"message": message}), content_type="application/json")
    problem.charset = None
    return problem
