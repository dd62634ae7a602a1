"""How long one answer takes, start to end of the process: `python benchmarks/predict_speed.py DATA [--keras MODEL]`.

DATA: a folder with full/ID.png, radiographs at their full size. In each round, side by side on one radiograph, `boneage
predict` with the shipped model, and a script that does it by Keras (`keras_predict.py`). Each is a new process; what it
reads is in the disk's cache, Python's bytecode among it. MODEL: a model folder whose weights that script loads; by
default it builds the shipped model's networks and leaves them untrained, which takes as long.

`boneage predict` must take at most 1.2 s (median) and 500 MB, import neither TensorFlow nor Keras, and be at least 8
times as fast. On a machine that has something else to do the seconds say little, the ratio says what it says.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from annotated_cases import print_head

from boneage_regression import default_model

MOST_SECONDS, MOST_MB, LEAST_TIMES = 1.2, 500, 8
SEX = "M"
Call = list[str | Path]
SCRIPT = Path(__file__).with_name("keras_predict.py")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
    "KERAS_BACKEND": "tensorflow"
}


class Cost(NamedTuple):
    """What one process took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure(command: Call) -> Cost:
    started = time.perf_counter()
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"exit code {process.returncode}: {' '.join(map(str, command))}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def imported(command: Call) -> set[str]:
    """The packages that a Python program imports."""
    call = [sys.executable, "-X", "importtime", *command]
    done = subprocess.run(call, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}


def print_costs(name: str, costs: list[Cost]) -> None:
    seconds = [cost.seconds for cost in costs]
    print(
        f"| {name} | {statistics.median(seconds):.2f} | {min(seconds):.2f} to {max(seconds):.2f} "
        f"| {statistics.median(cost.cpu_seconds for cost in costs):.2f} "
        f"| {max(cost.peak_mb for cost in costs):.0f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--keras", type=Path, default=default_model(), metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    pictures = sorted((given.data / "full").glob("*.png"))
    boneage = Path(sys.executable).with_name("boneage")

    calls: list[tuple[Call, Call]] = [
        ([boneage, "predict", picture, "--sex", SEX], [sys.executable, SCRIPT, picture, given.keras, SEX])
        for picture in pictures
    ]
    # The first calls fill the disk's cache.
    heavy = {"tensorflow", "keras"} & imported(calls[0][0])
    measure(calls[0][1])
    rounds = [calls[index % len(calls)] for index in range(given.rounds)]
    pairs = [(measure(predict), measure(script)) for predict, script in rounds]
    predicting, keras = ([pair[side] for pair in pairs] for side in (0, 1))
    seconds = statistics.median(cost.seconds for cost in predicting)
    peak_mb = max(cost.peak_mb for cost in predicting)
    times = statistics.median(slow.seconds / fast.seconds for fast, slow in pairs)
    print_head("one radiograph", "seconds, median", "from, to", "CPU seconds, median", "peak memory, MB")
    print_costs("boneage predict", predicting)
    print_costs("a script with Keras", keras)
    print(
        f"\n{given.rounds} rounds. `boneage predict`: median {seconds:.2f} s (at most {MOST_SECONDS}), "
        f"{peak_mb:.0f} MB (at most {MOST_MB}), {' and '.join(sorted(heavy)) or 'neither TensorFlow nor Keras'} "
        f"imported, {times:.1f} times as fast (at least {LEAST_TIMES})."
    )
    return int(seconds > MOST_SECONDS or peak_mb > MOST_MB or bool(heavy) or times < LEAST_TIMES)


if __name__ == "__main__":
    sys.exit(main())
