"""Who may import whom, and how large a thing may grow: ARCHITECTURE.md as a test."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PACKAGE = CHECKOUT / "server" / "archnest"
WEB = CHECKOUT / "web"

GROUND = {
    *("model", "errors", "assets", "timestamps", "masking", "config", "tasks"),
    *("recall", "packing"),
}
SERVICES = {"links", "turns", "ingest", "fleet", "feed", "picture", "machines"}
BELOW_API = (
    GROUND
    | SERVICES
    | {"exposition", "vitals", "scrapes", "refusals", "bodies"}
    | {"audit", "streams", "pollers", "terminals", "store", "sources", "auth", "openapi", "keys"}
)
SERVER = BELOW_API | {"api", "logs"}

# room: the other rooms it may import; a file of the package is a room of its own.
MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(GROUND, GROUND),
    "store": GROUND,
    "sources": GROUND,
    "auth": GROUND | {"store"},
    **dict.fromkeys(SERVICES, GROUND | SERVICES | {"store", "sources", "auth"}),
    "pollers": GROUND | {"ingest", "fleet", "picture", "store", "sources"},
    "streams": GROUND,
    "bodies": GROUND,
    "refusals": GROUND,
    "audit": GROUND | {"store"},
    "terminals": GROUND | {"audit", "auth", "pollers", "sources", "streams"},
    "openapi": GROUND | {"auth", "archnest"},
    "exposition": GROUND | {"picture"},
    "vitals": GROUND | {"exposition", "fleet", "ingest", "store", "streams", "archnest"},
    "scrapes": GROUND | {"exposition", "feed", "fleet", "vitals"},
    "keys": BELOW_API,
    "logs": GROUND,
    "api": BELOW_API,
    "app": SERVER | {"archnest"},
    "data_folder": GROUND | {"store", "app"},
    "accounts_admin": GROUND | {"audit", "auth", "data_folder"},
    "tokens_admin": GROUND | {"audit", "auth", "data_folder", "store"},
    "cli": SERVER | {"app", "accounts_admin", "tokens_admin", "archnest"},
    "__main__": {"cli"},
    "archnest": set(),
    # Programs that start the server as others do: from outside.
    "children": set(),
    "local_agent": GROUND | {"children"},
    "quickstart": GROUND | {"children", "local_agent"},
    "demo_services": set(),
    "demo_fleet": GROUND | {"demo_services"},
    "demo_engine": GROUND | {"demo_fleet", "demo_services"},
    "demo": GROUND | {"children", "demo_engine", "demo_fleet"},
}
MAY_USE_AIOHTTP_WEB = {"api", "app", "keys", "demo_engine"}
MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 400
# One command fetches the agent or its installer, so each is one file, its manual included.
MAX_AGENT_LINES = 700

PYTHON = sorted(PACKAGE.rglob("*.py"))
PAGE = sorted(path for path in WEB.rglob("*.js") if "vendor" not in path.parts)


def module_of(path: Path) -> str:
    """The dotted name below the package: `api.routes`, or `archnest` for its root."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "archnest"


def room_of(module: str) -> str:
    """`api.routes` lies in `api`."""
    return module.partition(".")[0]


MODULES = {module_of(path) for path in PYTHON}


def imports(path: Path) -> Iterator[str]:
    """Every module of ours a file imports, wherever in the file that stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (_below(alias.name) for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            if _is_ours(node.module or ""):
                base = _below(node.module or "")
                for alias in node.names:
                    longer = alias.name if base == "archnest" else f"{base}.{alias.name}"
                    yield longer if longer in MODULES else base


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == "archnest"


def _below(name: str) -> str:
    return name.removeprefix("archnest.")


@pytest.mark.parametrize("path", PYTHON, ids=module_of)
def test_no_room_imports_one_above_it(path: Path) -> None:
    room = room_of(module_of(path))
    assert room in MAY_IMPORT, f"{room} has no place yet: give it one in ARCHITECTURE.md and here"
    found = {room_of(module) for module in imports(path)} - {room}
    assert found <= MAY_IMPORT[room]


def test_tables_of_the_store_know_only_the_database() -> None:
    for path in (PACKAGE / "store").glob("*.py"):
        siblings = {module for module in imports(path) if room_of(module) == "store"}
        copies_first = {"store.backup"} if path.stem == "migrate" else set()
        assert siblings <= {"store.database"} | copies_first, path


def test_only_the_route_table_knows_the_nouns_of_the_api() -> None:
    plumbing = {"api.endpoint"}
    nouns = {m for m in imports(PACKAGE / "api" / "routes.py") if room_of(m) == "api"} - plumbing
    assert "api.hosts" in nouns
    for path in PYTHON:
        if module_of(path) != "api.routes":
            assert not nouns & set(imports(path)), path


@pytest.mark.parametrize("path", PYTHON, ids=module_of)
def test_only_the_api_knows_the_web_framework(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if room_of(module_of(path)) not in MAY_USE_AIOHTTP_WEB:
        head = r"^\s*(?:from aiohttp import .*\bweb\b|(?:from|import) aiohttp\.web\b)"
        assert not re.search(head, text, re.MULTILINE)


@pytest.mark.parametrize("path", PYTHON, ids=module_of)
def test_only_config_and_the_programs_read_the_environment(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if room_of(module_of(path)) not in {"config", "cli", "quickstart", "demo"}:
        assert not re.search(r"\bos\.(environ|getenv)\b", text)


def test_no_room_is_named_after_nothing() -> None:
    words = {word for module in MODULES for word in re.split(r"[._]", module)}
    assert not words & {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def page_imports(path: Path) -> set[str]:
    """The files of the page that one of them imports, relative to web/."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"""(?:\bfrom|\bimport|\bimport\()\s*["'](\.[^"']+)["']""", text)
    return {(path.parent / name).resolve().relative_to(WEB).as_posix() for name in found}


def test_the_page_imports_downwards_only() -> None:
    for path in PAGE:
        here = path.relative_to(WEB).as_posix()
        rooms = {name.partition("/")[0] for name in page_imports(path) if "/" in name}
        if here.startswith("views/") and here != "views/index.js":
            assert "views" not in rooms, f"{here} is a view and imports a view"
        elif here.startswith("parts/"):
            assert "views" not in rooms, f"{here} is a part and imports a view"
        elif "/" not in here and here not in ("app.js", "docs.js"):
            assert not rooms & {"views", "parts"}, f"{here} imports what is built on it"
        assert "app.js" not in page_imports(path), here


def test_every_import_of_the_page_exists() -> None:
    for path in PAGE:
        for name in page_imports(path):
            assert (WEB / name).is_file(), f"{path.relative_to(WEB)} imports {name}"


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and length of every function in a file of Python, JavaScript or bash."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1
        return
    # Their formatters put a function's head and its closing brace into one column.
    head = r"^( *)(?:export |default |async |static )*(?:function\*? )?([\w$#]+) ?\([^\n]*\{$"
    for match in re.finditer(head, text, re.MULTILINE):
        if match[2] not in {"if", "for", "while", "switch", "catch"}:
            end = re.compile(rf"^{match[1]}\}}", re.MULTILINE).search(text, match.end())
            if end:
                yield match[2], text.count("\n", match.start(), end.end()) + 1


def written_by_hand() -> list[Path]:
    """Every source file of ours."""
    folders = ["server", "tests", "bench", "web", "agent", "docs", "migrations"]
    endings = {".py", ".js", ".css", ".html", ".sh", ".sql"}
    found = [path for name in folders for path in (CHECKOUT / name).rglob("*")]
    skipped = {"vendor", "node_modules", "databases", "__pycache__"}
    return [p for p in found if p.suffix in endings and not skipped & set(p.parts)]


def test_no_function_is_longer_than_a_screen() -> None:
    files = [path for path in written_by_hand() if path.suffix in {".py", ".js", ".sh"}]
    counted = [(path, name, size) for path in files for name, size in functions(path)]
    assert {path.suffix for path, _, _ in counted} == {".py", ".js", ".sh"}
    too_long = [
        f"{path.relative_to(CHECKOUT)}: {name} has {size} lines"
        for path, name, size in counted
        if size > MAX_FUNCTION_LINES
    ]
    assert too_long == []


def test_no_file_is_two_rooms() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in written_by_hand()}
    for script in (CHECKOUT / "agent").glob("*.sh"):
        assert sizes.pop(script) <= MAX_AGENT_LINES
    too_long = {str(p.relative_to(CHECKOUT)): n for p, n in sizes.items() if n > MAX_FILE_LINES}
    assert too_long == {}


def test_an_idle_server_loads_nothing_that_only_ssh_needs() -> None:
    script = (
        "import sys, archnest.app;"
        " print(*sorted({'asyncssh', 'cryptography'} & set(sys.modules)));"
        " import asyncssh; print(*sorted({'asyncssh', 'cryptography'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n") == ["", "asyncssh cryptography", ""]
