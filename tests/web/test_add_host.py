"""From naming a host on the page to its first report, and away again."""

import json
import urllib.error
import urllib.request

from playwright.sync_api import Page, expect

from tests.factories import MEMBER, bearer, container, report
from tests.web.site import Site, sign_in


def push(site: Site, token: str, host_id: str, **fields: object) -> int:
    """Post a report as an agent with this token; the status."""
    document = {**report(host_id, container("web")), **fields}
    headers = {**bearer(token), "Content-Type": "application/json"}
    url = f"{site.url}/api/agents/docker/report"
    request = urllib.request.Request(url, json.dumps(document).encode(), headers)
    try:
        with urllib.request.urlopen(request) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def open_hosts(page: Page) -> None:
    page.get_by_role("tab", name="Hosts", exact=True).click()


def make_line(page: Page, name: str) -> str:
    """Name a host; the line to paste."""
    field = page.get_by_role("textbox", name="Name of the host")
    if field.is_editable():
        field.fill(name)
    page.get_by_role("button", name="Make the line").click()
    expect(page.locator("dialog .add-host .waits")).to_contain_text("Waiting for the first report")
    return page.locator("dialog .add-host pre").first.inner_text()


def token_in(line: str) -> str:
    return line.partition("ARCHNEST_AGENT_TOKEN=")[2].split()[0]


def test_the_dialog_turns_by_itself_once_the_host_reports(admin_page: Page, site: Site) -> None:
    site.push("first", container("db"))
    open_hosts(admin_page)
    admin_page.get_by_role("button", name="Add a host").click()
    line = make_line(admin_page, "attic")
    token = token_in(line)
    assert line == (
        f"(echo export ARCHNEST_URL={site.url} ARCHNEST_AGENT_TOKEN={token}"
        f" ARCHNEST_HOST_ID=attic; curl -fsSL {site.url}/agent/install.sh) | sudo bash"
    )
    waits = admin_page.locator("dialog .add-host .waits")
    assert push(site, token, "elsewhere") == 403
    expect(waits).to_contain_text("this token reports for attic, not for elsewhere")
    assert push(site, token, "attic") == 200
    expect(waits).to_contain_text("First report received: 1 container.")
    waits.get_by_role("link", name="Show them").click()
    expect(admin_page.get_by_role("dialog")).to_have_count(0)
    expect(admin_page.get_by_role("combobox", name="Host", exact=True)).to_have_value("attic")


def live_tokens(site: Site, host_id: str) -> int:
    tokens = site.ask("GET", "/api/agents/docker/tokens")["tokens"]
    return len([one for one in tokens if one["hostId"] == host_id and not one["revokedAt"]])


def test_a_name_that_an_agent_has_is_given_again_only_after_a_question(
    admin_page: Page, site: Site
) -> None:
    site.push("nas", container("db"))
    open_hosts(admin_page)
    admin_page.get_by_role("button", name="Add a host").click()
    name = admin_page.get_by_role("textbox", name="Name of the host")
    name.fill("nas")
    make = admin_page.get_by_role("button", name="Make the line")
    make.click()
    question = admin_page.get_by_role("dialog", name="nas is in use")
    expect(question).to_contain_text("each would replace what the other reports")
    question.get_by_role("button", name="Cancel").click()
    expect(name).to_be_focused()
    expect(make).to_be_enabled()
    assert live_tokens(site, "nas") == 0
    make.click()
    question.get_by_role("button", name="Continue").click()
    expect(admin_page.locator("dialog .add-host pre").first).to_contain_text("HOST_ID=nas")
    assert live_tokens(site, "nas") == 1


def test_a_name_of_a_host_whose_engine_is_asked_gets_no_token(admin_page: Page, site: Site) -> None:
    left = site.ask("POST", "/api/agents/docker/tokens", {"hostId": "lab"})
    how = {"hostId": "lab", "kind": "docker-tcp", "address": "127.0.0.1:1"}
    site.ask("POST", "/api/sources", how)
    open_hosts(admin_page)
    admin_page.get_by_role("button", name="Add a host").click()
    admin_page.get_by_role("textbox", name="Name of the host").fill("lab")
    admin_page.get_by_role("button", name="Make the line").click()
    dialog = admin_page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text("lab is a host whose engine")
    assert live_tokens(site, "lab") == 1
    dialog.get_by_role("button", name="Close").click()
    # One that was made before can be seen and revoked.
    admin_page.get_by_role("button", name="Tokens of lab").click()
    dialog.first.get_by_role("button", name=f"Revoke ahn_{left['id']}").click()
    admin_page.get_by_role("button", name="Revoke token").click()
    expect(dialog.first).to_contain_text("revoked")
    assert live_tokens(site, "lab") == 0


def test_a_private_ca_and_another_address_go_into_the_line(admin_page: Page) -> None:
    open_hosts(admin_page)
    admin_page.get_by_role("button", name="Add a host").click()
    admin_page.get_by_role("textbox", name="URL of this server").fill("https://nest.lan/watch/")
    admin_page.get_by_role("dialog").get_by_text("A private CA", exact=True).click()
    admin_page.get_by_role("textbox", name="CA file on the host").fill("/etc/ssl/home ca.pem")
    admin_page.get_by_role("textbox", name="Name of the host").fill("nas")
    admin_page.get_by_role("button", name="Make the line").click()
    expect(admin_page.get_by_role("alert").last).to_contain_text("spaces")
    admin_page.get_by_role("textbox", name="CA file on the host").fill("/etc/ssl/home-ca.pem")
    line = make_line(admin_page, "nas")
    assert "ARCHNEST_URL=https://nest.lan/watch ARCHNEST_AGENT_TOKEN=ahn_" in line
    assert line.endswith(
        "ARCHNEST_CA_FILE=/etc/ssl/home-ca.pem; curl -fsSL --cacert /etc/ssl/home-ca.pem"
        " https://nest.lan/watch/agent/install.sh) | sudo bash"
    )


def test_a_token_is_rotated_and_revoked_and_the_refusal_stands_beside_the_host(
    admin_page: Page, site: Site
) -> None:
    old = site.ask("POST", "/api/agents/docker/tokens", {"hostId": "nas"})
    assert push(site, old["token"], "nas") == 200
    open_hosts(admin_page)
    admin_page.get_by_role("button", name="Tokens of nas").click()
    dialog = admin_page.get_by_role("dialog").first
    expect(dialog.get_by_role("listitem").first).to_contain_text("from 127.0.0.1")
    new = token_in(make_line(admin_page, "nas"))
    assert push(site, new, "nas") == push(site, old["token"], "nas") == 200
    dialog.get_by_role("button", name=f"Revoke ahn_{old['id']}").click()
    admin_page.get_by_role("button", name="Revoke token").click()
    # Other tests' tokens for this name are revoked as well, and stay listed.
    listed = dialog.get_by_role("listitem").filter(has_text=f"ahn_{old['id']}")
    expect(listed).to_contain_text("revoked")
    assert push(site, old["token"], "nas") == 401
    assert push(site, new, "nas") == 200
    dialog.get_by_role("button", name="Close").click()
    row = admin_page.get_by_role("row").filter(has=admin_page.get_by_role("link", name="nas"))
    expect(row).to_contain_text("this token of nas was revoked")
    expect(admin_page.get_by_role("region", name="Refused reports")).to_contain_text("127.0.0.1")


def test_an_older_agent_is_shown_with_the_line_that_upgrades_it(
    admin_page: Page, site: Site
) -> None:
    made = site.ask("POST", "/api/agents/docker/tokens", {"hostId": "old"})
    assert push(site, made["token"], "old", agentVersion="0") == 200
    site.push("new", container("web"))
    open_hosts(admin_page)
    row = admin_page.get_by_role("row").filter(has=admin_page.get_by_role("link", name="old"))
    expect(row).to_contain_text("can be upgraded")
    expect(admin_page.get_by_text("Run this on old;")).to_be_visible()
    line = f"curl -fsSL {site.url}/agent/install.sh | sudo bash"
    expect(admin_page.locator("pre").last).to_have_text(line)
    assert push(site, made["token"], "old", agentVersion="999") == 200
    expect(row).not_to_contain_text("can be upgraded")


def test_members_see_the_hosts_and_may_change_nothing(page: Page, site: Site) -> None:
    site.push("nas", container("web"))
    site.add_member()
    sign_in(page, site, MEMBER)
    open_hosts(page)
    expect(page.get_by_role("link", name="nas")).to_be_visible()
    for name in ("Add a host", "Tokens of nas", "Forget nas"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
