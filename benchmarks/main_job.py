"""Times the main job and tells what it reached: `python benchmarks/main_job.py [--data DIR ...]`.

Arguments are handed to `boneage run all` as they are; the run's folder must be new. The last line is the
row for benchmarks/results/main_job.md.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from provenance import describe

arguments = sys.argv[1:]
out = Path(arguments[arguments.index("--out") + 1]) if "--out" in arguments else Path("runs/main-job")
if out.exists():
    sys.exit(f"{out} is there already; a new folder would do")
if "--out" not in arguments:
    arguments += ["--out", str(out)]
measured, started = describe(), time.monotonic()
code = subprocess.run([Path(sys.executable).with_name("boneage"), "run", "all", *arguments]).returncode
minutes = (time.monotonic() - started) / 60
metrics = json.loads((out / "evaluate" / "metrics.json").read_text())
print(json.dumps(metrics, indent=1))
print(f"{measured} | boneage run all {' '.join(arguments)} | {minutes:.1f} min | exit {code}")
