"""/metrics, read by promtool and a real Prometheus with the shipped configuration."""

import asyncio
import contextlib
import json
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from archnest import keys
from tests.conftest import Client
from tests.factories import ADMIN, AGENT_TOKEN, bearer, container, report
from tests.ports import free_port

Headers = dict[str, str]
Push = Callable[..., Awaitable[object]]
Query = Callable[[str], Awaitable[list[dict[str, Any]]]]
CHECKOUT = Path(__file__).parent.parent.parent
DEPLOY, DOCS = CHECKOUT / "deploy", CHECKOUT / "docs"
PATIENCE_S = 60
ENGINE = {"cpus": 4, "memTotal": 16777216000}


async def text(client: Client, headers: Headers, **more: str) -> str:
    async with client.get("/metrics", headers={**headers, **more}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return await response.text()


def check(body: str) -> None:
    """Every line as Prometheus' own linter wants it."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=body, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_promtool_finds_nothing_wrong_whatever_containers_are_called(
    client: Client, admin: Headers, push: Push
) -> None:
    names = ["web", "", 'quote"d', "back\\slash", "two\nlines", "käse 🧀", "{}", "x" * 9_000]
    for host in ("vm-1", "vm-2"):
        await push(report(host, *(container(str(i), name=name) for i, name in enumerate(names))))
    body = await text(client, admin)
    await asyncio.to_thread(check, body)
    assert body.count("\narchnest_container_running{") == 2 * len(names)
    assert r'name="two\nlines"' in body


async def test_the_server_counts_what_it_answers(
    client: Client, member: Headers, push: Push
) -> None:
    await push(report("vm-1"))
    await push(report("vm-1"), headers=bearer("not the agent token"))
    await client.get("/nowhere")
    lines = (await text(client, member)).splitlines()
    assert "archnest_reports_total 1" in lines
    assert 'archnest_problems_total{kind="wrong-agent-token"} 1' in lines
    assert 'archnest_http_responses_total{code="404"} 1' in lines
    assert "archnest_hosts 1" in lines
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    for name in ("process_resident_memory_bytes", "archnest_store_size_bytes", "process_open_fds"):
        assert float(values[name]) > 0


async def test_scrapes_at_once_share_one_answer(
    client: Client, application: web.Application
) -> None:
    scrapes = application[keys.SCRAPES]
    first, second = await asyncio.gather(scrapes.exposition(), scrapes.exposition())
    assert first is second
    assert await scrapes.exposition() is not first


class TestPrometheus:
    """With the configuration, rules and dashboard that are shipped."""

    @pytest.fixture
    def environ(self) -> dict[str, str]:
        return {"ARCHNEST_AGENT_TOKEN": AGENT_TOKEN, "ARCHNEST_STALE_AFTER_MS": "4000"}

    @pytest.fixture
    async def query(self, client: Client, admin: Headers, tmp_path: Path) -> AsyncIterator[Query]:
        """Ask a Prometheus that scrapes the server every half second."""
        body = {"name": "prometheus", "password": ADMIN[1]}
        answer = await (await client.post("/api/auth/tokens", json=body, headers=admin)).json()
        folder = tmp_path / "prometheus"
        folder.mkdir()
        (folder / "archnest.token").write_text(answer["token"])
        for path in (DEPLOY / "prometheus").iterdir():
            text = path.read_text().replace("scrape_interval: 30s", "scrape_interval: 500ms")
            text = text.replace("127.0.0.1:4000", f"127.0.0.1:{client.port}")
            (folder / path.name).write_text(text)
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        )
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            await until_ready(session)
            yield lambda expression: ask(session, expression)
        process.kill()
        await process.wait()

    async def test_it_scrapes_with_an_access_token_and_sees_silence(
        self, query: Query, push: Push
    ) -> None:
        pushing = asyncio.create_task(keep_pushing(push))
        [sample] = await until(query, 'container_memory_working_set_bytes{name="web"}', 1)
        assert sample["value"][1] == "20971520"
        assert sample["metric"]["project"] == "myapp"
        pushing.cancel()
        await until(query, "container_memory_working_set_bytes", 0)
        assert len(await query("time() - archnest_host_last_report_timestamp_seconds > 0")) == 1
        assert (await query("archnest_host_up"))[0]["value"][1] == "0"

    async def test_rules_and_dashboard_ask_for_what_there_is(
        self, query: Query, client: Client, admin: Headers, push: Push
    ) -> None:
        broken = container("job", state="exited", exitCode=1)
        await until(query, 'up{job="archnest"} == 1', 1)
        await push(report("vm-1", container(), broken, engine=ENGINE))
        body = await text(client, admin)
        present = set(re.findall(r"^# TYPE (\S+)", body, re.MULTILINE)) | {"up"}
        expressions = [*of_rules(), *of_dashboard()]
        assert len(expressions) > 20
        for expression in expressions:
            await query(expression)
            named = set(re.findall(r"\b(?:archnest|container|machine|process)_\w+", expression))
            assert named <= present, expression


async def test_every_metric_is_documented_and_no_other(
    client: Client, admin: Headers, push: Push
) -> None:
    ended = container("job", state="exited", exitCode=1)
    await push(report("vm-1", container(), ended, engine=ENGINE))
    present = set(re.findall(r"^# TYPE (\S+)", await text(client, admin), re.MULTILINE))
    rows = re.findall(r"^\| (`.*?) \|", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == present


def of_rules() -> list[str]:
    """What the alerts ask for."""
    text = (DEPLOY / "prometheus" / "archnest.rules.yml").read_text()
    return re.findall(r"^ +expr: (.+)$", text, re.MULTILINE)


def of_dashboard() -> list[str]:
    """What its panels ask for, with the variables that Grafana fills in."""
    board = json.loads((DEPLOY / "grafana" / "archnest.json").read_text())
    expressions = [
        target["expr"] for panel in board["panels"] for target in panel.get("targets", [])
    ]
    filled = {"$__rate_interval": "2m", "$host": ".*", "$project": ".*"}
    for name, value in filled.items():
        expressions = [expression.replace(name, value) for expression in expressions]
    return expressions


async def keep_pushing(push: Push) -> None:
    while True:
        await push(report("vm-1", container()))
        await asyncio.sleep(0.5)


async def until_ready(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get("/-/ready") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)


async def ask(session: aiohttp.ClientSession, expression: str) -> list[dict[str, Any]]:
    """The samples that Prometheus answers; it must understand the question."""
    async with session.get("/api/v1/query", params={"query": expression}) as response:
        answer = await response.json()
        assert answer["status"] == "success", (expression, answer)
        return list(answer["data"]["result"])


async def until(query: Query, expression: str, count: int) -> list[dict[str, Any]]:
    """What is answered once it is so many samples."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if len(samples := await query(expression)) == count:
                return samples
            await asyncio.sleep(0.1)
