"""The agent's runs one after the other: their rhythm, and what they leave behind."""

import subprocess

import pytest

from tests.agent.script import PATIENCE_S, SCRIPT, environ_of

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
