"""Where the page, the migrations and the agent lie: in the wheel or the checkout."""

import re
from pathlib import Path

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parent.parent


def asset_dir(name: str) -> Path:
    """The folder `web`, `migrations` or `agent`.

    An installed wheel maps them to packages (setup.cfg); an editable install
    does not see such mappings and uses the checkout. Raises FileNotFoundError.
    """
    for path in (_PACKAGE / f"_{name}", _CHECKOUT / name):
        if path.is_dir():
            return path
    raise FileNotFoundError(f"archnest was installed without its {name} folder")


def agent_version() -> str:
    """The version of the agent that this server serves, a whole number."""
    script = (asset_dir("agent") / "archnest-docker-agent.sh").read_text(encoding="utf-8")
    found = re.search(r"^readonly AGENT_VERSION=([0-9]+)$", script, re.MULTILINE)
    if found is None:
        raise FileNotFoundError("archnest was installed with an agent that has no version")
    return found[1]
