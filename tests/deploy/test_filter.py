"""The filter of docs/containers.md between the agent and the engine."""

import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent import script
from tests.engine.dockerd import IMAGE, Engine
from tests.ports import free_port

PAPER = Path(__file__).parent.parent.parent / "docs" / "containers.md"
NGINX = """
user root; daemon off; pid nginx.pid; error_log stderr; events {}
http {
    access_log off; client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    SERVER
}
"""


@pytest.fixture
def address(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """Where nginx answers for the engine, set up as the paper says."""
    (example,) = re.findall(r"^```nginx\n(.*?)^```$", PAPER.read_text(), re.MULTILINE | re.DOTALL)
    port = free_port()
    server = example.replace("2375", str(port)).replace("/var/run/docker.sock", str(engine.socket))
    (tmp_path / "nginx.conf").write_text(NGINX.replace("SERVER", server))
    process = subprocess.Popen(["nginx", "-p", tmp_path, "-c", "nginx.conf"], cwd=tmp_path)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait(30)


def answered(address: str, method: str, path: str) -> int:
    """The status of an answer, asked for until nginx listens."""
    request = urllib.request.Request(f"http://{address}{path}", method=method)
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_the_agent_reports_through_a_filter_that_lets_nothing_be_changed(
    engine: Engine, address: str
) -> None:
    made = engine.docker("run", "-d", "--network", "none", IMAGE, "sleep", "100000")
    try:
        assert answered(address, "GET", f"/containers/{made}/json") == 200
        assert answered(address, "POST", f"/containers/{made}/kill") == 403
        assert answered(address, "DELETE", f"/containers/{made}?force=1") == 403
        environ = {"DOCKER_HOST": f"tcp://{address}"}
        (container,) = [one for one in script.printed(environ)["containers"] if one["id"] == made]
        assert container["state"] == "running"
        assert container["stats"]["memUsage"] > 0
    finally:
        engine.docker("rm", "-f", made)
