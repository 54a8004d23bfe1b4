"""Vendored libraries are what their npm packages hold, and nothing else."""

import json
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent.parent
VENDOR = CHECKOUT / "web" / "vendor"
MODULES = Path(__file__).parent / "node_modules"

TAKEN = {
    "xterm/xterm.js": "@xterm/xterm/lib/xterm.mjs",
    "xterm/xterm.css": "@xterm/xterm/css/xterm.css",
    "xterm/LICENSE": "@xterm/xterm/LICENSE",
    "uplot/uPlot.esm.js": "uplot/dist/uPlot.esm.js",
    "uplot/uPlot.min.css": "uplot/dist/uPlot.min.css",
    "uplot/LICENSE": "uplot/LICENSE",
    "xterm/addon-fit.js": "@xterm/addon-fit/lib/addon-fit.mjs",
}


@pytest.mark.parametrize(("ours", "theirs"), TAKEN.items())
def test_a_vendored_file_is_the_packages_own(ours: str, theirs: str) -> None:
    assert (VENDOR / ours).read_bytes() == (MODULES / theirs).read_bytes()


def test_nothing_else_is_vendored_and_each_package_is_named_with_its_version() -> None:
    held = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    assert held == {*TAKEN, "README.md"}
    words = (VENDOR / "README.md").read_text()
    for theirs in TAKEN.values():
        package = "/".join(theirs.split("/")[: 2 if theirs.startswith("@") else 1])
        about = json.loads((MODULES / package / "package.json").read_text())
        assert f"`{package}`" in words
        assert about["version"] in words
        assert about["license"] in words
