"""Kills a run again and again at random moments: `python benchmarks/kills.py [--kills 40] [--seed 0]`.

A small run on phantoms is started, cut off by kill -9 or Ctrl-C after a random time, and started again by the same
command, as often as asked; then it is let finish. Its results must equal those of a run that nobody disturbed, no
process and no temporary file may be left, and the same command once more must do nothing; how long that takes is told.
The last lines are the rows for benchmarks/results/kills.md.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from provenance import describe

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.end_to_end.conftest import SMALL, boneage  # noqa: E402
from tests.end_to_end.processes import left_behind, start, wait_for  # noqa: E402
from tests.end_to_end.run_files import files  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--kills", type=int, default=40)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument(
    "--longest-seconds", type=float, default=25.0, help="until a kill, drawn evenly from 0.3 s on"
)
given = parser.parse_args()
measured = describe()
chance = random.Random(given.seed)  # noqa: S311 - nothing secret
folder = Path(tempfile.mkdtemp(prefix="kills-"))
(folder / "temporary").mkdir()
(folder / "small.toml").write_text(SMALL)
calls = {
    name: ("run", "all", "--config", folder / "small.toml", "--out", folder / name)
    for name in ("undisturbed", "killed")
}
done = boneage(*calls["undisturbed"])
assert done.code == 0, done.err
hit: Counter[str] = Counter()
finished = 0
for number in range(given.kills):
    process = start(calls["killed"], folder / "log", TMPDIR=str(folder / "temporary"))
    time.sleep(chance.uniform(0.3, given.longest_seconds))
    if number % 2:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.kill()
    process.wait(120)
    wait_for(lambda p=process: not left_behind(p.pid), "processes left")
    said = (folder / "log").read_text()
    assert "Traceback" not in said, said
    stages = [line.removesuffix(" ...") for line in said.splitlines() if line.endswith(" ...")]
    ended = process.returncode in (-signal.SIGKILL, 1)
    hit[(stages[-1] if stages else "before the first stage") if ended else "after the last stage"] += 1
    if not ended:
        finished += 1
        shutil.rmtree(folder / "killed")
process = start(calls["killed"], folder / "log", TMPDIR=str(folder / "temporary"))
assert process.wait() == 0, (folder / "log").read_text()
same = files(folder / "killed") == files(folder / "undisturbed")
left = sorted(path.name for path in (folder / "temporary").iterdir())
started = time.monotonic()
again = boneage(*calls["killed"])
seconds = time.monotonic() - started
print(f"{measured} | {given.kills} kills, seed {given.seed}")
for stage, count in hit.items():
    print(f"cut off in: {stage} | {count}")
print(f"runs that were over before the kill, and begun anew | {finished}")
print(f"results equal the undisturbed run's | {same}")
print(f"temporary files left | {left}")
print(f"the same again | {'nothing to do' in again.err}, {seconds:.1f} s")
shutil.rmtree(folder)
sys.exit(0 if same and not left and again.code == 0 else 1)
