"""A stolen database: what stands in it opens nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from archnest import keys
from archnest.store.backup import backup
from archnest.store.database import DATABASE_NAME
from tests.conftest import Client
from tests.factories import ADMIN, AGENT_TOKEN, MEMBER, container, report

Headers = dict[str, str]


async def test_no_credential_stands_in_the_database_or_its_copies(
    client: Client,
    application: web.Application,
    admin: Headers,
    member: Headers,
    push: Callable[..., Awaitable[Any]],
    tmp_path: Path,
) -> None:
    body = {"name": "grafana", "password": ADMIN[1]}
    made = await client.post("/api/auth/tokens", json=body, headers=admin)
    access_token = (await made.json())["token"]
    made = await client.post("/api/agents/docker/tokens", json={"hostId": "nas"}, headers=admin)
    agent_token = (await made.json())["token"]
    env = [{"key": "DB_PASSWORD", "value": "s3cret-of-a-container"}]
    assert (await push(report("vm-1", container(env=env)))).status == 200
    config = application[keys.CONFIG]
    assert config.jwt_secret is not None
    secrets = [ADMIN[1], MEMBER[1], AGENT_TOKEN, access_token, agent_token, env[0]["value"]]
    secrets += [header["Authorization"].removeprefix("Bearer ") for header in (admin, member)]
    await asyncio.to_thread(backup, config.data_dir / DATABASE_NAME, tmp_path / "copy.db")
    files = [*config.data_dir.glob(f"{DATABASE_NAME}*"), tmp_path / "copy.db"]
    held = b"".join(path.read_bytes() for path in files)
    assert b"vm-1" in held
    assert [one for one in [*map(str.encode, secrets), config.jwt_secret] if one in held] == []
