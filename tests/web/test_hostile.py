"""Whatever a container is called stays text: no element, no script, no address of its making."""

from playwright.sync_api import Page, expect

from tests.factories import container
from tests.web.site import Site

CORPUS = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "\"><svg onload=alert(1)><a href='javascript:alert(1)'>",
    "javascript:alert(1)",
    "</title></textarea></style><iframe src=//127.0.0.1>",
    "{{constructor.constructor('alert(1)')()}}",
    "../../../api/users",
    "..",
    "%2e%2e%2f#/users?x=1",
    "__proto__",
    "constructor",
    "\u202egnp.exe\u2066\u2067",
    "\u0000\u0007\u001b[31m",
    "a\nb\tc\r\nd",
    "\U0001f433 \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "x" * 5000,
]
ADDRESSES = ["javascript:alert(1)//", "evil.example@10.0.0.1", "1.2.3.4/..", "::1]/<b>", "\u202e1"]


def hostile(number: int, text: str) -> dict[str, object]:
    """A container whose every field of free text is this text."""
    return container(
        text,
        id=f"{number:02}{text}",
        image=text,
        imageId=text,
        state=text,
        status=text,
        health=text,
        restartPolicy=text,
        ports=[{"hostIp": text, "hostPort": 80, "containerPort": 80, "proto": text}],
        networks=[{"name": text, "ip": text}],
        mounts=[{"type": text, "source": text, "destination": text, "rw": True}],
        env=[{"key": text, "value": text}],
        labels={text: text, "com.docker.compose.project": text},
        entrypoint=text,
        command=text,
    )


ELEMENTS = "() => [...document.body.querySelectorAll('img:not([src=\"icon.svg\"]), script, iframe, style, object, embed, base, form:not(.form), svg:not(.icon), [onload], [onerror]')].map((one) => one.outerHTML)"  # noqa: E501
LINKS = "() => [...document.querySelectorAll('a[href]')].map((one) => one.href)"


def is_inert(page: Page, site: Site) -> None:
    """No element but ours, and no link that leaves what we build."""
    assert page.evaluate(ELEMENTS) == []
    for link in page.evaluate(LINKS):
        assert link.startswith((f"{site.url}/#/", "http://nas.lan:")), link
    assert page.evaluate("({}).alert === undefined")


def test_hostile_names_of_machines_that_clash_are_text(admin_page: Page, site: Site) -> None:
    for text in (*CORPUS[:2], CORPUS[0]):
        site.push("nas", container("web"), hostname=text, marks={"bootId": text[:128]})
    banner = admin_page.locator(".conflict")
    for text in CORPUS[:2]:
        expect(banner).to_contain_text(text)
    is_inert(admin_page, site)
    admin_page.get_by_role("tab", name="Hosts", exact=True).click()
    expect(admin_page.get_by_role("table").get_by_role("row").last).to_contain_text(CORPUS[1])
    is_inert(admin_page, site)


def test_a_hostile_list_is_text(admin_page: Page, site: Site) -> None:
    rows = [hostile(number, text) for number, text in enumerate(CORPUS)]
    site.push("nas", *rows, hostname="nas.lan", engine={"version": CORPUS[0], "os": CORPUS[1]})
    expect(admin_page.get_by_text(f"{len(CORPUS)} of {len(CORPUS)} containers")).to_be_visible()
    shown = set(admin_page.locator(".rows .name").evaluate_all("(all) => all.map((one) => one.textContent)"))  # fmt: skip  # noqa: E501
    assert shown == set(CORPUS)
    is_inert(admin_page, site)
    for group in ("image", "project"):
        admin_page.get_by_label("Group").select_option(group)
        is_inert(admin_page, site)
    for query in ("<img", "__proto__:x", "constructor:x", "state:<script>"):
        admin_page.get_by_role("searchbox").fill(query)
    is_inert(admin_page, site)


def test_a_hostile_detail_is_text_also_after_a_reload(admin_page: Page, site: Site) -> None:
    site.push("nas", *[hostile(number, text) for number, text in enumerate(CORPUS)])
    panel = admin_page.locator("[role=tabpanel]:not([hidden])")
    for text in CORPUS:
        expect(admin_page.locator(".rows .name").first).to_be_attached()
        place = admin_page.locator(".rows .name").evaluate_all(
            "(all, text) => all.findIndex((one) => one.textContent === text)", text
        )
        admin_page.locator(".rows .name").nth(place).click()
        expect(panel.get_by_role("heading", name="Mounts")).to_be_visible()
        assert panel.locator("h1").text_content() == text
        is_inert(admin_page, site)
        admin_page.reload()
        expect(panel.get_by_role("heading", name="Mounts")).to_be_visible()
        assert panel.locator("h1").text_content() == text
        is_inert(admin_page, site)
        admin_page.get_by_role("tab", name="Containers").click()


def test_a_port_on_a_hostile_address_is_no_link(admin_page: Page, site: Site) -> None:
    ports = [
        {"hostIp": address, "hostPort": 80 + number, "containerPort": 80, "proto": "tcp"}
        for number, address in enumerate(ADDRESSES)
    ]
    site.push("nas", container("web", ports=ports), hostname="nas.lan")
    site.push("pi", container("dns"), hostname="evil/path?@x")
    admin_page.goto(f"{site.url}/#/hosts/nas/containers/web")
    expect(admin_page.get_by_role("heading", name="Ports")).to_be_visible()
    assert admin_page.locator(".listing a").count() == 0
    admin_page.goto(f"{site.url}/#/hosts/pi/containers/dns")
    panel = admin_page.locator("[role=tabpanel]:not([hidden])")
    expect(panel.get_by_role("heading", name="Ports")).to_be_visible()
    assert panel.locator(".listing a").count() == 0
