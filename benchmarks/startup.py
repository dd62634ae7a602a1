"""How long `boneage --help` takes, start to end of the process: the median must stay at or below 0.4 s.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 20
LIMIT_SECONDS = 0.4


def measure() -> float:
    """Seconds that one call takes."""
    command = Path(sys.executable).with_name("boneage")
    started = time.perf_counter()
    subprocess.run([command, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> int:
    measure()  # the first one compiles and fills the disk's cache
    seconds = sorted(measure() for _ in range(RUNS))
    median = statistics.median(seconds)
    print(
        f"boneage --help: median {median:.3f} s of {RUNS} runs "
        f"({seconds[0]:.3f} to {seconds[-1]:.3f}); limit {LIMIT_SECONDS} s"
    )
    return 0 if median <= LIMIT_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
