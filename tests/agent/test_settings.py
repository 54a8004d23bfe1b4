"""How the agent's settings are read."""

import subprocess
from pathlib import Path

import pytest

from tests.agent.fakes import synthetic
from tests.agent.script import printed, run


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two languages that sort letters otherwise than ASCII does."""
    folder = tmp_path_factory.mktemp("locales")
    for one in ("tr_TR", "en_US"):
        into = str(folder / f"{one}.UTF-8")
        subprocess.run(["localedef", "-i", one, "-f", "UTF-8", into], check=True)
    return folder


@pytest.mark.parametrize("language", ["tr_TR", "en_US"])
def test_the_language_decides_on_no_letter(locales: Path, tmp_path: Path, language: str) -> None:
    speaking = {"LOCPATH": str(locales), "LC_ALL": f"{language}.UTF-8"}
    environ = synthetic(tmp_path / "bin", 1) | speaking
    file = tmp_path / "agent.env"
    file.write_text("ARCHNEST_HOST_ID=Iris-iI")
    assert printed(environ | {"ARCHNEST_AGENT_ENV": str(file)})["hostId"] == "Iris-iI"
    done = run("--print", environ=environ | {"ARCHNEST_HOST_ID": "café"})
    assert done.returncode == 3
    assert "ARCHNEST_HOST_ID must be" in done.stderr


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("attic", "attic"),
        ("attic  \t", "attic"),
        ("attic # the old one", "attic"),
        ("attic#1", None),
        ("'attic'\t# it's 'old'", "attic"),
        ('"attic" # "old"', "attic"),
        ("# none", None),
        (" # none", "test-host"),
        ("'attic # old'", None),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_value_is_what_a_shell_takes_it_for(
    tmp_path: Path, written: str, read: str | None, mark: bytes, end: str
) -> None:
    file = tmp_path / "agent.env"
    file.write_bytes(mark + f"ARCHNEST_HOST_ID={written}{end}".encode())
    environ = synthetic(tmp_path / "bin", 0) | {"ARCHNEST_AGENT_ENV": str(file)}
    if read is None:
        assert "ARCHNEST_HOST_ID must be" in run("--print", environ=environ).stderr
    else:
        assert printed(environ)["hostId"] == read


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    nowhere = tmp_path / "none"
    done = run("--print", environ=synthetic(tmp_path / "bin", 1) | {"TMPDIR": str(nowhere)})
    assert done.returncode == 3
    assert done.stderr == (
        f"archnest-agent: no temporary folder can be made in {nowhere}:"
        " TMPDIR must name a folder to write to\n"
    )
