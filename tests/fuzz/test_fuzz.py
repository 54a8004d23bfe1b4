"""So many inputs that a fuzzer finds by what they reach: none breaks anything."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import container, report

CASES = json.loads((Path(__file__).parents[1] / "masking_cases.json").read_text())
SEEDS = {
    "masking": [case["text"] for case in CASES["texts"]],
    "report": [json.dumps(report("nas", container("web"))), '{"hostId":"a","containers":[]}'],
}
RUNS = {"masking": 100_000, "report": 50_000}


@pytest.mark.parametrize("target", SEEDS)
def test_no_input_breaks_it(tmp_path: Path, target: str) -> None:
    for number, seed in enumerate(SEEDS[target]):
        (tmp_path / str(number)).write_text(seed)
    options = [f"-runs={RUNS[target]}", "-seed=1", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", target, tmp_path, *options],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ran = re.search(r"Done (\d+) runs", done.stderr)
    assert ran is not None
    assert int(ran[1]) >= RUNS[target]
