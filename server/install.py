#!/usr/bin/env python3
"""Make .venv in this checkout and install ArchNest into it, once.

    python3 server/install.py [EXTRA ...]

Needs nothing but Python 3.11's standard library. A second run with nothing
changed returns at once: a stamp in .venv remembers what was installed, from
which setup.cfg, in which folder. Exits 1 with one plain line when it cannot.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "archnest-installed.json"


def main(extras: list[str]) -> None:
    """Install unless the stamp says that everything wanted is there."""
    installed = stamped() if works(VENV_PYTHON) else None
    if installed is not None and {"", *extras} <= installed:
        return
    print("Installing ArchNest into .venv; the first time takes about a minute.", flush=True)
    if not works(VENV_PYTHON, "-m", "pip"):
        make_venv()
    wanted = f".[{','.join(sorted(extras))}]" if extras else "."
    # Editable, so that a `git pull` needs no new installation.
    run(VENV_PYTHON, "-m", "pip", "install", "--quiet", "--editable", wanted)
    document = {"digest": digest(), "extras": sorted({"", *extras, *(installed or ())})}
    STAMP.write_text(json.dumps(document), encoding="utf-8")


def stamped() -> set[str] | None:
    """The extras installed from this very setup.cfg; None when there are none."""
    try:
        document = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return set(document["extras"]) if document["digest"] == digest() else None


def digest() -> str:
    """Changes with everything an installation depends on, the folder included."""
    made_of = hashlib.sha256(os.fsencode(CHECKOUT))
    for name in ("setup.cfg", "pyproject.toml"):
        made_of.update((CHECKOUT / name).read_bytes())
    return made_of.hexdigest()


def make_venv() -> None:
    """Make .venv with pip in it, from whatever this machine has.

    Debian splits `ensurepip` off into python3-venv; then a pip of the machine
    can still put one into a bare environment.
    """
    if attempt(sys.executable, "-m", "venv", "--clear", VENV):
        return
    run(sys.executable, "-m", "venv", "--clear", "--without-pip", VENV)
    if attempt(sys.executable, "-m", "pip", "--python", VENV_PYTHON, "install", "--quiet", "pip"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("This Python has no pip: installing Debian's python3-venv.", flush=True)
        attempt("apt-get", "update")
        attempt("apt-get", "install", "--yes", "--no-install-recommends", "python3-venv")
        if attempt(sys.executable, "-m", "venv", "--clear", VENV):
            return
    shutil.rmtree(VENV)
    sys.exit(
        f"{sys.executable} has neither ensurepip nor pip."
        " On Debian and Ubuntu: sudo apt install python3-venv"
    )


def works(python: Path, *arguments: str) -> bool:
    """Whether this interpreter starts, is new enough and has the module named."""
    if not python.exists():
        return False
    if arguments:
        return attempt(python, *arguments, "--version")
    return attempt(python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))")


def attempt(*command: str | Path) -> bool:
    """Run a command and keep its output back; whether it exited 0."""
    done = subprocess.run(command, check=False, capture_output=True, cwd=CHECKOUT)  # noqa: S603
    return done.returncode == 0


def run(*command: str | Path) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(command, check=False, cwd=CHECKOUT)  # noqa: S603
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}")


if __name__ == "__main__":
    main(sys.argv[1:])
