"""Base images made of this machine's own programs, where no registry is reachable.

They stand in for `python:slim` and `alpine`: busybox for the shell and the
small tools, as in Alpine, and the programs beside it with their libraries.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pip
from packaging.requirements import Requirement

from tests.engine.dockerd import BUSYBOX

CHECKOUT = Path(__file__).parent.parent.parent
PIP = b'#!/bin/sh\nexec python3 /opt/pip/pip "$@"\n'
UNUSED = ("test", "site-packages", "dist-packages", "idlelib", "tkinter", "ensurepip", "config-")


class Root:
    """A file system that becomes an image."""

    def __init__(self) -> None:
        self._packed = io.BytesIO()
        self._tar = tarfile.TarFile(fileobj=self._packed, mode="w")
        self._held: set[str] = set()
        self._folder("/tmp", 0o1777)
        self._folder("/etc")
        self._add_busybox()

    def _add_busybox(self) -> None:
        self.add(BUSYBOX, "/bin/busybox")
        names = subprocess.run([BUSYBOX, "--list"], capture_output=True, check=True, text=True)
        for name in {*names.stdout.split()} - {"busybox"}:
            self.link(f"/bin/{name}", "/bin/busybox")
        self.link("/usr/bin/env", "/bin/busybox")

    def add(self, source: Path, path: str = "") -> None:
        """One file, at its own place unless told another, with nobody's owner."""
        path = path or str(source)
        if path not in self._held:
            self._held.add(path)
            self._folder(str(Path(path).parent))
            self._tar.add(source.resolve(), path, recursive=False, filter=_as_root)

    def add_tree(self, source: Path, path: str = "", leave_out: tuple[str, ...] = ()) -> None:
        """A folder without those whose names begin so, and without compiled files."""
        for folder, folders, files in os.walk(source):
            folders[:] = [one for one in folders if not one.startswith(("__pycache__", *leave_out))]
            for name in files:
                one = Path(folder) / name
                self.add(one, f"{path or source}/{one.relative_to(source)}")

    def add_program(self, name: str) -> None:
        """A program of this machine, in /usr/bin, with its libraries."""
        found = shutil.which(name)
        assert found, name
        self.add(Path(found), f"/usr/bin/{name}")
        self.add_libraries([Path(found)])

    def add_libraries(self, programs: Iterable[Path]) -> None:
        """What the dynamic linker needs to run them."""
        done = subprocess.run(["ldd", *programs], capture_output=True, text=True)
        for path in set(re.findall(r"(?:=> |^\s)(/\S+) \(0x", done.stdout, re.MULTILINE)):
            self.add(Path(path))

    def write(self, path: str, content: bytes) -> None:
        """A program with this content."""
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(content), 0o755
        self._tar.addfile(entry, io.BytesIO(content))

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._folder(str(Path(path).parent))
        entry = tarfile.TarInfo(path)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(entry)

    def _folder(self, path: str, mode: int = 0o755) -> None:
        """A folder that everyone may enter; those that no entry names are root's alone."""
        if path in self._held or path == "/":
            return
        self._folder(str(Path(path).parent))
        self._held.add(path)
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        self._tar.addfile(entry)

    def tar(self) -> bytes:
        """The whole of it."""
        self._tar.close()
        return self._packed.getvalue()


def with_python(wheels: Path) -> bytes:
    """Python, pip, and wheels in place of a package index."""
    root = Root()
    stdlib = Path(sysconfig.get_path("stdlib", vars={"base": sys.base_prefix}))
    program = Path(sys.executable).resolve()
    root.add_tree(stdlib, leave_out=UNUSED)
    root.add(program)
    root.link("/usr/bin/python3", str(program))
    modules = [one for one in stdlib.glob("lib-dynload/*.so") if "test" not in one.name]
    root.add_libraries([program, *modules])
    root.add_libraries(_loaded_by_wheels())
    root.add_tree(Path(pip.__file__).parent, "/opt/pip/pip")
    root.write("/usr/bin/pip", PIP)
    root.add_tree(wheels, "/opt/wheels")
    return root.tar()


def with_docker() -> bytes:
    """The Docker CLI and the agent's tools."""
    root = Root()
    for name in ("bash", "curl", "docker", "flock", "jq"):
        root.add_program(name)
    return root.tar()


def download_wheels(folder: Path) -> None:
    """All that the server's image installs, as installed here, and what builds it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
    subprocess.run([*command, *_installed("archnest", {"fast"}), "setuptools>=77"], check=True)


def _installed(name: str, extras: set[str]) -> set[str]:
    """`NAME==VERSION` of all that a distribution needs."""
    found = set()
    for text in metadata.requires(name) or ():
        need = Requirement(text)
        if any(
            need.marker is None or need.marker.evaluate({"extra": one}) for one in ("", *extras)
        ):
            found.add(f"{need.name}=={metadata.version(need.name)}")
            found |= _installed(need.name, need.extras)
    return found


def _loaded_by_wheels() -> Iterator[Path]:
    """Extensions that are installed here: in the image they need the same libraries."""
    yield from Path(sysconfig.get_path("platlib")).glob("*/**/*.so")


def _as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
