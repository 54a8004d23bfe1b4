"""Reports and containers for tests: realistic unless told otherwise."""

import copy
import gzip
import json
from typing import Any

import argon2

AGENT_TOKEN = "a-shared-agent-token-for-tests"
ADMIN = ("ada", "correct horse battery")
MEMBER = ("mel", "staple horse battery")
QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""For tests that are not about how long guessing a password takes."""

_CONTAINER: dict[str, Any] = {
    "id": "",
    "name": "web",
    "image": "nginx:1.27",
    "imageId": "sha256:" + "ab" * 32,
    "state": "running",
    "status": "Up 3 hours",
    "createdAt": "2026-06-20T16:00:00Z",
    "startedAt": "2026-06-20T16:00:01.123456789Z",
    "finishedAt": None,
    "exitCode": None,
    "oomKilled": False,
    "restartCount": 0,
    "restartPolicy": "unless-stopped",
    "health": "healthy",
    "ports": [{"hostIp": "0.0.0.0", "hostPort": 8080, "containerPort": 80, "proto": "tcp"}],
    "networks": [{"name": "bridge", "ip": "172.17.0.2"}],
    "mounts": [{"type": "volume", "source": "data", "destination": "/data", "rw": True}],
    "env": [{"key": "TZ", "value": "UTC"}],
    "entrypoint": "/docker-entrypoint.sh",
    "command": "nginx -g 'daemon off;'",
    "labels": {"com.docker.compose.project": "myapp"},
    "stats": {
        "cpuPercent": 1.4,
        "memUsage": 20971520,
        "memLimit": 536870912,
        "netRxBytes": 12345,
        "netTxBytes": 67890,
        "blockReadBytes": 0,
        "blockWriteBytes": 0,
        "pids": 3,
    },
}


def container(name: str = "web", /, **changes: Any) -> dict[str, Any]:
    """One container whose id follows from its name, with fields replaced."""
    made = copy.deepcopy(_CONTAINER)
    made["name"] = name
    made["id"] = name.encode().hex().ljust(64, "0")[:64]
    made.update(changes)
    return made


def report(host_id: str = "vm-1", /, *containers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """One report of these containers."""
    made = {
        "hostId": host_id,
        "hostname": f"{host_id}.lan",
        "agentVersion": "1",
        "reportedAt": "2026-06-20T19:30:00Z",
        "engine": {"version": "28.2.2", "apiVersion": "1.50", "cpus": 4},
        "containers": list(containers),
    }
    made.update(changes)
    return made


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


AGENT = bearer(AGENT_TOKEN)


def gzipped(document: Any) -> bytes:
    """A document as an agent sends it."""
    return gzip.compress(json.dumps(document).encode())
