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
