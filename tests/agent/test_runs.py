"""The agent's runs one after the other: their rhythm, and what they leave behind."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.agent.fakes import synthetic, wrapper
from tests.agent.script import PATIENCE_S, SCRIPT, environ_of, printed
from tests.running import until

REHEARSAL = """
source "$1"
interval_s=30 host_id=nas turns=0
report_once() { :; }
pause() {
  echo "$1"
  ((++turns < 5)) || exit 0
  # Bash's own clock goes by the machine's.
  SECONDS=$((SECONDS + leap))
}
loop
"""


@pytest.mark.parametrize("leap_s", [-3600, 10**9])
def test_a_clock_that_is_set_leaves_the_loop_its_rhythm(leap_s: int) -> None:
    done = subprocess.run(
        ["bash", "-c", f"leap={leap_s}; {REHEARSAL}", "-", str(SCRIPT)],
        env=environ_of(),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    waits_s = [int(line) for line in done.stdout.split()]
    assert len(waits_s) == 5
    assert all(0 < wait_s <= 30 for wait_s in waits_s)


def test_what_a_killed_run_leaves_goes_with_a_later_one(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    tmp = {"TMPDIR": str(folder)}
    settings = {"ARCHNEST_URL": "http://127.0.0.1:1", "ARCHNEST_AGENT_TOKEN": "a-token"}
    settings["ARCHNEST_HOST_ID"] = f"killed-{os.getpid()}"
    hanging = wrapper(tmp_path / "hanging", "ps) exec sleep 60 ;;")
    loop = subprocess.Popen(
        ["bash", str(SCRIPT), "--loop", "1"],
        env=environ_of(hanging, settings, tmp),
        start_new_session=True,
    )
    try:
        until(lambda: list(folder.glob("*/listing")), "a run at work")
        [working] = folder.iterdir()
        pid = int(working.name.split(".")[1])
        # It is seen to be at work, however long it has been.
        late = working.rename(folder / f"archnest-agent.{pid}.1.late")
        others = {
            folder / f"archnest-agent.{os.getpid()}.1.alive",
            # In another container it has a number that says nothing here.
            folder / f"archnest-agent.{2**22 + 1}.{int(time.time()) + 1000}.unseen",
            folder / "archnest-agent.env",
        }
        for one in others:
            one.mkdir()
        printed(synthetic(tmp_path / "bin", 1) | tmp)
        assert late.exists()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not late.exists(), "end of its folder with the loop's next run")
        assert set(folder.iterdir()) >= others
    finally:
        loop.terminate()
        loop.wait()
        Path(f"/run/archnest-agent/archnest-agent-0-killed-{os.getpid()}.lock").unlink(
            missing_ok=True
        )
