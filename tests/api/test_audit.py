"""The record of what people did, as admins read it."""

import pytest
from aiohttp import web

from archnest import keys
from archnest.model.audit import Act
from tests.conftest import Client

Headers = dict[str, str]


async def test_the_record_comes_in_pages_newest_first(
    client: Client, admin: Headers, application: web.Application
) -> None:
    for number in range(5):
        await application[keys.AUDIT].record(Act("ada", None, "test.made", None, str(number)))
    seen, path = [], "/api/audit?limit=2"
    while path:
        page = await (await client.get(path, headers=admin)).json()
        seen += [one["target"] for one in page["entries"] if one["action"] == "test.made"]
        path = f"/api/audit?limit=2&before={page['next']}" if page["next"] else ""
    assert seen == ["4", "3", "2", "1", "0"]


async def test_an_act_cut_short_stays_begun(
    client: Client, admin: Headers, application: web.Application
) -> None:
    await application[keys.AUDIT].begin(Act("ada", "192.0.2.7", "container.stop", "nas", "web"))
    page = await (await client.get("/api/audit", headers=admin)).json()
    newest = page["entries"][0]
    assert (newest["outcome"], newest["endedAt"]) == ("begun", None)


async def test_only_so_many_entries_are_kept(
    client: Client,
    admin: Headers,
    application: web.Application,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("archnest.store.audit.MAX_ENTRIES", 3)
    for number in range(5):
        await application[keys.AUDIT].record(Act("ada", None, "test.made", None, str(number)))
    page = await (await client.get("/api/audit", headers=admin)).json()
    assert [one["target"] for one in page["entries"]] == ["4", "3", "2"]


@pytest.mark.parametrize("query", ["before=x", "before=-1", "limit=0", "limit=1e3"])
async def test_words_that_are_no_number_are_refused(
    client: Client, admin: Headers, query: str
) -> None:
    assert (await client.get(f"/api/audit?{query}", headers=admin)).status == 400
