"""What a person at the page waits for, in a real Chromium, by the size of the fleet."""

import asyncio
import json
import os
import shutil
import statistics
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, ViewportSize, sync_playwright

from bench.reports import CONTAINERS, Reports, push_all
from bench.server import ACCOUNT, Server

WORDS = ("postgres", "host-00", "state:running", "8080", "zzz")
SORTS = ("Name", "CPU", "Memory", "Image", "State")
WHEELS = 120
WHEEL_PX = 900
SIZE: ViewportSize = {"width": 1440, "height": 900}
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
BARE = "data:text/html,<input type=search><button>Name</button>"

MEASURE = """
window.waits = [];
// A message sent from a frame's callback arrives once that frame has been drawn.
const drawn = (begun) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => window.waits.push(performance.now() - begun);
  channel.port2.postMessage(0);
});
for (const type of ["keydown", "click"]) {
  addEventListener(type, (event) => { if (event.isTrusted) drawn(event.timeStamp); }, true);
}
new MutationObserver((_, observer) => {
  if (!document.querySelector(".rows > .row")) return;
  observer.disconnect();
  drawn(0);
}).observe(document, { childList: true, subtree: true });
"""
WAITED = """async () => {
  while (!waits.length) await new Promise((resolve) => setTimeout(resolve, 5));
  return waits[0];
}"""
SCROLL = """
() => new Promise((resolve) => {
  const table = document.querySelector(".table"), rows = table.querySelector(".rows");
  const frames = [];
  let gaps = 0, last = performance.now(), quiet = 0, top = table.scrollTop;
  const look = (now) => {
    frames.push(now - last);
    last = now;
    const view = table.getBoundingClientRect();
    const seen = [...rows.children].map((row) => row.getBoundingClientRect());
    const covered = seen.filter((box) => box.bottom > view.top && box.top < view.bottom)
      .reduce((sum, box) => sum + box.height, 0);
    if (covered < view.height * 0.85) gaps += 1;
    quiet = table.scrollTop === top ? quiet + 1 : 0;
    top = table.scrollTop;
    if (quiet > 30) resolve({ frames: frames.slice(1, -30), gaps, top });
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})
"""


@dataclass(frozen=True)
class Waits:
    """Milliseconds until what was asked for stood on the screen."""

    each: list[float]

    def __str__(self) -> str:
        """The median, the 95th percentile and the longest."""
        ordered = sorted(self.each)
        return (
            f"{statistics.median(ordered):.0f} / {ordered[int(len(ordered) * 0.95)]:.0f}"
            f" / {ordered[-1]:.0f} ms"
        )


def rows(folder: Path, reports: Reports, scales: tuple[int, ...]) -> list[str]:
    """One line for an empty page, the least that this browser can do, and one for each scale."""
    # The browser is a person's own machine: it need not share the load's core.
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        lines = [_in_browser(_bare)]
        for hosts in scales:
            server = Server(folder / f"page-{hosts}")
            with server.running():
                asyncio.run(push_all(server.port, reports, hosts, 0))
                token = server.signed_in()["Authorization"].partition(" ")[2]
                fleet = _Fleet(server.port, reports, hosts)
                lines.append(_in_browser(partial(_measured, fleet=fleet, token=token)))
    finally:
        os.sched_setaffinity(0, mine)
    return lines


@dataclass(frozen=True)
class _Fleet:
    port: int
    reports: Reports
    hosts: int

    def change(self, hosts: int, generation: int) -> None:
        """Let so many hosts report anew, from a thread: the browser's has a loop."""
        push = push_all(self.port, self.reports, hosts, generation)
        thread = threading.Thread(target=asyncio.run, args=(push,))
        thread.start()
        thread.join()


def _in_browser(measure: Callable[[Page], str]) -> str:
    chromium = shutil.which("chromium") or sys.exit("Chromium is missing: bash tests/setup.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        page = browser.new_page(viewport=SIZE)
        page.add_init_script(MEASURE)
        line = measure(page)
        browser.close()
    return line


def _bare(page: Page) -> str:
    page.goto(BARE)
    page.locator("input").focus()
    keys = _typed(page, page.locator("input"))
    clicks = _clicked(page, lambda _: page.get_by_role("button").click())
    return f"| an empty page | | {keys} | {clicks} | | | | |"


def _measured(page: Page, fleet: _Fleet, token: str) -> str:
    _enter(page, fleet.port, token)
    first_s = page.evaluate(WAITED) / 1000
    page.wait_for_timeout(3_000)
    search = page.get_by_role("searchbox", name="Search containers")
    keys = _typed(page, search)
    sorts = _clicked(
        page, lambda name: page.get_by_role("button", name=name, exact=True).first.click()
    )
    scrolled = _scrolled(page)
    network = page.context.new_cdp_session(page)
    idle, changed = _polls(page, network, fleet)
    network.send("HeapProfiler.collectGarbage")
    heap_mb = _metrics(network)["JSHeapUsedSize"] / 1e6
    page.context.close()
    return (
        f"| {fleet.hosts * CONTAINERS:,} | {first_s:.1f} s | {keys} | {sorts} | {scrolled}"
        f" | {idle} | {changed} | {heap_mb:.0f} MB |"
    )


def _enter(page: Page, port: int, token: str) -> None:
    session = {
        "token": token,
        "expiresAt": "2099-01-01T00:00:00Z",
        "startedAt": 0,
        "user": {"username": ACCOUNT[0], "role": "member"},
    }
    stored = json.dumps(json.dumps(session))
    page.add_init_script(f"sessionStorage['archnest.session'] ??= {stored}")
    page.goto(f"http://127.0.0.1:{port}/")


def _typed(page: Page, field: Any) -> Waits:
    each: list[float] = []
    for word in WORDS:
        field.focus()
        for key in [*word, *["Backspace"] * len(word)]:
            each.append(_wait_for(page, partial(page.keyboard.press, key)))
    return Waits(each)


def _clicked(page: Page, click: Callable[[str], None]) -> Waits:
    each = []
    for name in SORTS * 2:
        each.append(_wait_for(page, partial(click, name)))
    page.mouse.move(0, 0)
    return Waits(each)


def _wait_for(page: Page, act: Callable[[], None]) -> float:
    page.evaluate("waits.length = 0")
    act()
    return float(page.evaluate(WAITED))


def _scrolled(page: Page) -> str:
    page.mouse.move(SIZE["width"] / 2, SIZE["height"] / 2)
    page.evaluate(f"() => {{ window.scrolled = ({SCROLL})(); }}")
    for _ in range(WHEELS):
        page.mouse.wheel(0, WHEEL_PX)
    seen = page.evaluate("window.scrolled")
    page.mouse.move(0, 0)
    slow = sum(1 for frame in seen["frames"] if frame > 50)
    return f"{Waits(seen['frames'])}, {slow} of {len(seen['frames'])} over 50, {seen['gaps']} bare"


def _polls(page: Page, network: CDPSession, fleet: _Fleet) -> tuple[str, str]:
    """Main thread and bytes of polls in which nothing, and one host in a hundred, changed."""
    heads: list[float] = []
    bodies: list[float] = []
    network.send("Network.enable")
    network.send("Performance.enable")
    network.on(
        "Network.responseReceived", lambda one: heads.append(one["response"]["encodedDataLength"])
    )
    network.on("Network.dataReceived", lambda one: bodies.append(one["encodedDataLength"]))
    found = []
    for change in (0, max(1, fleet.hosts // 100)):
        heads.clear()
        bodies.clear()
        before = _metrics(network)["TaskDuration"]
        for round_ in range(4):
            if change:
                fleet.change(change, round_ + 1)
            page.wait_for_timeout(1_600)
        page.wait_for_timeout(400)
        busy_ms = (_metrics(network)["TaskDuration"] - before) * 1000 / len(heads)
        size = (sum(heads) + sum(bodies)) / len(heads)
        found.append(f"{busy_ms:.0f} ms, {size / 1e3:.1f} KB")
    return found[0], found[1]


def _metrics(network: CDPSession) -> dict[str, float]:
    network.send("Performance.enable")
    metrics = network.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in metrics}
