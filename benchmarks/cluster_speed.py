"""Two workers against one, each held to a core of its own: `python -m benchmarks.cluster_speed [--count 600]`.

Starts a NameNode, two DataNodes and a Spark master on this machine, packs radiographs into HDFS (drawn phantoms of the
challenge's size, 2000 x 1600, twelve of them under many names), and does whole runs with one short epoch of training.
Measured are the stages that treat each radiograph by itself: ingest, segment (with the shipped model), prepare. One
worker, two, two, one: so that what the machine does besides weighs on both. Seconds are those of the stages, the start
and end of their Spark applications among them.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.many_phantoms import write_many
from benchmarks.provenance import describe
from tests.end_to_end.conftest import SMALL, boneage
from tests.servers.hdfs import Hdfs
from tests.servers.processes import Processes
from tests.servers.spark import Spark

from boneage_sparkrun.java import find_java_home
from boneage_sparkrun.place import Place

MEASURED = ("ingest", "segment", "prepare")
ROUNDS = (1, 2, 2, 1)
SIZE = (2000, 1600)


def call(*arguments: object) -> None:
    done = boneage(*arguments, timeout=3600)
    if done.code:
        raise SystemExit(done.err)


def pack(folder: Path, uri: str, count: int) -> None:
    """Radiographs without outlines, so that nothing is trained."""
    write_many(folder, count, SIZE)
    call("upload", folder / "images", uri, "--labels", folder / "labels.csv", "--shard-size", 20)


def pin(processes: Processes, workers: int) -> None:
    """Holds each worker, with all that it starts, to a core."""
    for index in range(workers):
        for pid in processes.find(f"worker{index} "):
            subprocess.run(
                ("taskset", "-a", "-c", "-p", str(index), str(pid)), check=True, stdout=subprocess.DEVNULL
            )


def measure(folder: Path, settings: Path, data: str, out: str, workers: int) -> dict[str, float]:
    """Seconds of each stage."""
    with Processes(folder, find_java_home()) as processes:
        spark = Spark(processes, workers=workers)
        pin(processes, workers)
        engine = ("--engine", "spark", "--master", spark.uri, "--total-cores", workers)
        call("run", "all", "--config", settings, "--data", data, "--out", out, *engine)
    return {
        stage: json.loads((Place(out) / stage / "done.json").read_bytes())["summary"]["seconds"]
        for stage in MEASURED
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=600)
    count = parser.parse_args().count
    measured = describe()
    rows = []
    with tempfile.TemporaryDirectory() as name, Processes(Path(name) / "hdfs", find_java_home()) as processes:
        folder, hdfs = Path(name), Hdfs(processes)
        os.environ["HADOOP_CONF_DIR"] = str(hdfs.configuration)
        (folder / "data").mkdir()
        settings = folder / "settings.toml"
        settings.write_text(SMALL)
        pack(folder / "data", f"{hdfs.uri}/data", count)
        for index, workers in enumerate(ROUNDS):
            seconds = measure(
                folder / f"spark-{index}", settings, f"{hdfs.uri}/data", f"{hdfs.uri}/runs/{index}", workers
            )
            rows.append((workers, seconds, sum(seconds.values())))
            print(workers, seconds, flush=True)
    print(f"{measured}, {count} radiographs of {SIZE[0]} x {SIZE[1]}")
    print(
        f"| workers | {' | '.join(f'{stage}, s' for stage in MEASURED)} | together, s | s per radiograph and core |"
    )
    print(f"|{'---|' * (len(MEASURED) + 3)}")
    for workers, seconds, total in rows:
        times = " | ".join(f"{seconds[stage]:.1f}" for stage in MEASURED)
        print(f"| {workers} | {times} | {total:.1f} | {total * workers / count:.3f} |")
    one, two = (sum(total for workers, _, total in rows if workers == wanted) for wanted in (1, 2))
    print(f"two workers are {one / two:.2f} times as fast as one")


if __name__ == "__main__":
    main()
