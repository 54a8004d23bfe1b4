"""Writes docs/licences.md from what the installed packages say of themselves.

    make requirements

Reads the names from server/requirements.txt; each must be installed.
"""

import re
from importlib import metadata
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
HEAD = """# Licences

ArchNest itself is under the [MIT licence](../LICENSE). \
A released installation has these Python packages beside it, as each says of itself; \
`make requirements` writes this file.

| package | licence |
| --- | --- |
"""
FOOT = """
What the page brings along lies in `web/vendor`, each package with its licence file.
"""


def pins() -> dict[str, str]:
    """Name to version of everything that a released installation has."""
    text = (CHECKOUT / "server" / "requirements.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", text, re.MULTILINE))


def licence(name: str) -> str:
    """The licence in one line; raises LookupError when the package names none."""
    told = metadata.metadata(name)
    for field in ("License-Expression", "License"):
        value = (told.get(field) or "").strip()
        if value and "\n" not in value:
            return str(value)
    kinds = [one for one in told.get_all("Classifier") or [] if one.startswith("License ::")]
    if not kinds:
        raise LookupError(f"{name} names no licence")
    return " and ".join(one.rpartition(" :: ")[2] for one in kinds)


def document() -> str:
    """What docs/licences.md holds."""
    rows = [
        f"| [{name}](https://pypi.org/project/{name}/) | {licence(name)} |\n"
        for name in sorted(pins())
    ]
    return HEAD + "".join(rows) + FOOT


if __name__ == "__main__":
    (CHECKOUT / "docs" / "licences.md").write_text(document(), encoding="utf-8")
