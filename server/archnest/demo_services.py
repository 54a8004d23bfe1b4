"""What runs on the made-up fleet: tables only."""

from typing import NamedTuple


class Service(NamedTuple):
    """One service of a compose project and what it uses on an ordinary day."""

    name: str
    image: str
    port: int | None
    """The port it serves; None for a job that runs and ends."""
    memory_mib: int
    cpu_percent: float
    """100 is one core."""


HOSTNAMES = (
    "nas-01",
    "media-01",
    "proxmox-vm-1",
    "edge-berlin",
    "ci-runner-02",
    "db-01",
    "web-01",
    "pi-garage",
)

STACKS: dict[str, tuple[Service, ...]] = {
    "proxy": (
        Service("caddy", "caddy:2.10", 443, 60, 1.2),
        Service("crowdsec", "crowdsecurity/crowdsec:v1.6.8", 8080, 180, 2.0),
    ),
    "paperless": (
        Service("webserver", "ghcr.io/paperless-ngx/paperless-ngx:2.17", 8000, 620, 4.5),
        Service("broker", "redis:8", 6379, 24, 0.4),
        Service("db", "postgres:17", 5432, 140, 1.1),
        Service("gotenberg", "gotenberg/gotenberg:8.20", 3000, 210, 0.8),
        Service("tika", "apache/tika:3.2.0", 9998, 430, 0.6),
    ),
    "immich": (
        Service("server", "ghcr.io/immich-app/immich-server:v1.135", 2283, 780, 12.0),
        Service(
            "machine-learning",
            "ghcr.io/immich-app/immich-machine-learning:v1.135",
            3003,
            1900,
            85.0,
        ),
        Service("redis", "valkey/valkey:8", 6379, 30, 0.5),
        Service("database", "ghcr.io/immich-app/postgres:14", 5432, 350, 3.3),
    ),
    "media": (
        Service("jellyfin", "jellyfin/jellyfin:10.10", 8096, 900, 140.0),
        Service("sonarr", "lscr.io/linuxserver/sonarr:4.0", 8989, 240, 1.6),
        Service("radarr", "lscr.io/linuxserver/radarr:5.26", 7878, 260, 1.5),
        Service("prowlarr", "lscr.io/linuxserver/prowlarr:1.37", 9696, 190, 0.9),
    ),
    "monitoring": (
        Service("prometheus", "prom/prometheus:v3.4", 9090, 540, 6.0),
        Service("grafana", "grafana/grafana:12.0", 3000, 170, 1.4),
        Service("node-exporter", "prom/node-exporter:v1.9", 9100, 22, 0.3),
        Service("alertmanager", "prom/alertmanager:v0.28", 9093, 38, 0.2),
    ),
    "home": (
        Service("homeassistant", "ghcr.io/home-assistant/home-assistant:2025.6", 8123, 510, 5.2),
        Service("mosquitto", "eclipse-mosquitto:2.0", 1883, 9, 0.1),
        Service("zigbee2mqtt", "koenkk/zigbee2mqtt:2.4", 8080, 120, 0.7),
    ),
    "git": (
        Service("forgejo", "codeberg.org/forgejo/forgejo:11", 3000, 230, 1.9),
        Service("db", "postgres:17", 5432, 90, 0.8),
        Service("runner", "code.forgejo.org/forgejo/runner:6", 9000, 70, 32.0),
    ),
    "jobs": (
        Service("backup", "restic/restic:0.18", None, 64, 18.0),
        Service("certs", "neilpang/acme.sh:3.1", None, 16, 0.5),
        Service("prune", "docker:28-cli", None, 20, 0.2),
    ),
}

# fate: state, status with the age left open, exit code, health
FATES: dict[str, tuple[str, str, int | None, str]] = {
    "running": ("running", "Up {age} (healthy)", None, "healthy"),
    "exited": ("exited", "Exited (0) {age} ago", 0, "none"),
    "unhealthy": ("running", "Up {age} (unhealthy)", None, "unhealthy"),
    "restarting": ("restarting", "Restarting (1) {age} ago", 1, "starting"),
    "killed": ("exited", "Exited (137) {age} ago", 137, "none"),
    "oom": ("exited", "Exited (137) {age} ago", 137, "none"),
    "paused": ("paused", "Up {age} (Paused)", None, "healthy"),
    "created": ("created", "Created", None, "none"),
    "starting": ("running", "Up {age} (health: starting)", None, "starting"),
    "fleeting": ("running", "Up {age}", None, "none"),
    "dead": ("dead", "Dead", 255, "none"),
}

# What one container in five does instead of just running, the common before the rare.
ODD_FATES = (
    "exited",
    "paused",
    "unhealthy",
    "fleeting",
    "exited",
    "starting",
    "restarting",
    "created",
    "exited",
    "oom",
    "fleeting",
    "dead",
)

# What containers log: the stream, 2 for stderr, and the line.
LOG_LINES = (
    (1, "GET /api/items?page={n} 200 in {ms} ms"),
    (1, "GET /health 200 in 1 ms"),
    (1, "POST /api/items 201 in {ms} ms id={id}"),
    (1, 'level=info msg="job finished" service={service} job={id} took={ms}ms'),
    (1, 'level=info msg="{n} connections open" service={service}'),
    (1, '{{"level":"info","service":"{service}","event":"cache refreshed","entries":{id}}}'),
    (1, "\x1b[32mINFO\x1b[0m checkpoint complete: wrote {n} buffers in {ms} ms"),
    (2, "\x1b[33mWARN\x1b[0m slow query: {ms} ms, {n} rows"),
    (2, 'level=error msg="upstream closed the connection" try={n}'),
)
