"""A seeded part of the damaged files that `benchmarks/fuzz.py` puts through the commands."""

import subprocess
import sys
from pathlib import Path

INPUTS = 300
FUZZ = Path(__file__).parents[2] / "benchmarks" / "fuzz.py"


def test_damaged_files_end_in_a_plain_answer(tmp_path):
    done = subprocess.run(
        [sys.executable, FUZZ, "--inputs", str(INPUTS), "--seed", "11", "--out", tmp_path / "fuzz"],
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(f"{INPUTS} inputs, 0 faults")
