"""A whole run by Spark on HDFS, beside the same on one machine: `python -m benchmarks.cluster_run DATA [--local RUN]`.

DATA is a folder of radiographs with labels.csv, RUN the folder of a local run on it with the same settings; without it
one is done first. Starts HDFS and Spark (two workers of one core) on this machine, uploads DATA, and runs every stage
there. The ages of the test part are taken out of the labels: it is not to be scored for this. What is compared: the
out-of-fold MAD, and the mean Jaccard index of the outlines held out, with the local run's bootstrap intervals. Further
arguments go to `run all`. Ends with 1 if one of the two lies outside.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.provenance import describe
from tests.servers.hdfs import Hdfs
from tests.servers.processes import Processes
from tests.servers.spark import Spark

from boneage_regression.folds import in_test
from boneage_sparkrun.java import find_java_home
from boneage_sparkrun.place import Place


def boneage(*arguments: object) -> None:
    subprocess.run([Path(sys.executable).with_name("boneage"), *map(str, arguments)], check=True)


def timed_run(*arguments: object) -> float:
    """Minutes of `boneage run all`."""
    started = time.monotonic()
    boneage("run", "all", *arguments)
    return (time.monotonic() - started) / 60


def write_labels(data: Path, target: Path) -> int:
    """The labels without those of the test part; how many are left."""
    with (data / "labels.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    kept = [row for row in rows if not in_test(row[0])]
    with target.open("w", newline="") as file:
        csv.writer(file).writerows([header, *kept])
    return len(kept)


def tell(name: str, reached: float, interval: list[float], digits: int) -> bool:
    low, high = interval
    inside = low <= reached <= high
    print(
        f"| {name} | {reached:.{digits}f} | {low:.{digits}f} to {high:.{digits}f} | {'yes' if inside else 'NO'} |"
    )
    return inside


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--local", type=Path)
    given, others = parser.parse_known_args()
    measured = describe()
    with tempfile.TemporaryDirectory() as name:
        folder, labels = Path(name), Path(name) / "labels.csv"
        count = write_labels(given.data, labels)
        here, local_minutes = given.local, None
        if here is None:
            here = folder / "run"
            local_minutes = timed_run("--data", given.data, "--labels", labels, "--out", here, *others)
        local = json.loads((here / "evaluate" / "metrics.json").read_text())
        with Processes(folder / "servers", find_java_home()) as processes:
            hdfs, spark = Hdfs(processes), Spark(processes)
            os.environ["HADOOP_CONF_DIR"] = str(hdfs.configuration)
            boneage("upload", given.data, f"{hdfs.uri}/data", "--labels", labels)
            out = f"{hdfs.uri}/runs/all"
            engine = ("--engine", "spark", "--master", spark.uri, "--total-cores", 2)
            minutes = timed_run("--data", f"{hdfs.uri}/data", "--out", out, *engine, *others)
            metrics = json.loads((Place(out) / "evaluate" / "metrics.json").read_bytes())
    found, held_out = metrics["out_of_fold"], metrics["segmentation"]["test"]
    beside = f" ({local_minutes:.1f} on one machine)" if local_minutes else ""
    print(
        f"\n{measured}, {os.cpu_count()} cores, {' '.join(others)}: ",
        end="",
    )
    print(
        f"{minutes:.1f} minutes{beside}, {count} labelled radiographs, {held_out['count']} outlines held out\n"
    )
    print("| figure | by Spark on HDFS | interval of the local run, 95 % | inside |\n|---|---|---|---|")
    inside = [
        tell("MAD out of fold, months", found["mad"], local["out_of_fold"]["mad_interval"], 2),
        tell(
            "mean Jaccard index, held out",
            held_out["jaccard_mean"],
            local["segmentation"]["test"]["jaccard_interval"],
            4,
        ),
    ]
    return not all(inside)


if __name__ == "__main__":
    sys.exit(main())
