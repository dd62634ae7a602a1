"""How soon, and with what words, a run on a cluster tells what stands in its way.

    python -m benchmarks.cluster_faults [FAULT ...]

Starts HDFS and Spark on this machine and provokes each fault for real, or those named: no_java.
"""

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.provenance import describe
from tests.end_to_end.cluster_faults import FAULTS, Cluster
from tests.servers.hdfs import Hdfs
from tests.servers.processes import Processes
from tests.servers.spark import Spark

from boneage_sparkrun.java import find_java_home

MOST_SECONDS = 30


def main() -> int:
    chosen = [fault for fault in FAULTS if not sys.argv[1:] or fault.__name__ in sys.argv[1:]]
    failed = []
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder), find_java_home()) as processes:
        cluster = Cluster(Hdfs(processes), Spark(processes), Path(folder))
        print(f"{describe()}, {os.cpu_count()} cores", end="")
        print(f", load average at the start {os.getloadavg()[0]:.1f}\n")
        print("| fault | seconds | exit | message |\n|---|---|---|---|")
        for fault in chosen:
            outcome = fault(cluster)
            messages = outcome.messages
            good = (
                outcome.code == 1
                and len(messages) == 1
                and all(word in messages[0] for word in FAULTS[fault])
            )
            if not good or outcome.seconds > MOST_SECONDS:
                failed.append(fault.__name__)
            told = " / ".join(messages).replace(folder, "FOLDER").replace("|", "\\|")
            name = fault.__name__.replace("_", " ")
            print(f"| {name} | {outcome.seconds:.1f} | {outcome.code} | {told} |", flush=True)
    print(f"\nload average at the end {os.getloadavg()[0]:.1f}")
    print(f"not as they must be: {', '.join(failed) or 'none'}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
