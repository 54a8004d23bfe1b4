"""What the agent tells of its machine, so that a copy of it is noticed."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.agent.fakes import synthetic
from tests.agent.script import SCRIPT, environ_of, printed

MACHINE_ID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"{MACHINE_ID}\n", hashlib.sha256(f"archnest:{MACHINE_ID}".encode()).hexdigest()),
        ("", None),
        ("uninitialized\n", None),
    ],
)
def test_the_machine_id_is_told_as_a_hash_alone(
    tmp_path: Path, content: str, told: str | None
) -> None:
    other = tmp_path / "machine-id"
    other.write_text(content)
    # In a mount namespace of its own this machine's id is another.
    command = f"mount --bind {other} /etc/machine-id; exec bash {SCRIPT} --print"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", command],
        env=environ_of(synthetic(tmp_path / "one", 1)),
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert report["marks"]["machineId"] == told
    assert MACHINE_ID not in done.stdout


def test_the_boot_id_is_the_kernels(tmp_path: Path) -> None:
    report = printed(synthetic(tmp_path / "one", 1))
    kernels = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert report["marks"]["bootId"] == kernels
    assert report["hostname"] == "test-host"
