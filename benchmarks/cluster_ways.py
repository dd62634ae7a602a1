"""A whole run on phantoms, every stage on a cluster, each way there: `python -m benchmarks.cluster_ways [WAY ...]`.

Ways: standalone (the command itself is the driver), spark-submit, yarn (client mode). Starts HDFS, Spark (two workers
of one core) and YARN on this machine; data and run lie in HDFS. Two training workers each time: what the models say
must be the same. Ends with 1 if a run fails or its ages differ from the first's by more than 0.01 months.
"""

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.provenance import describe
from tests.end_to_end.conftest import SMALL
from tests.servers.hadoop import pyspark_folder
from tests.servers.hdfs import Hdfs
from tests.servers.processes import Processes
from tests.servers.spark import Spark
from tests.servers.yarn import Yarn

import boneage_cli
from boneage_sparkrun.java import find_java_home
from boneage_sparkrun.place import Place

WAYS = ("standalone", "spark-submit", "yarn")
BONEAGE = Path(sys.executable).with_name("boneage")
PROGRAM = Path(boneage_cli.__file__).with_name("__main__.py")
MOST_MONTHS = 0.01


def command(way: str, spark: str, arguments: tuple[object, ...]) -> list[str]:
    if way == "spark-submit":
        submit = (pyspark_folder() / "bin" / "spark-submit", "--master", spark, "--conf", "spark.cores.max=2")
        return [*map(str, (*submit, PROGRAM, *arguments))]
    # TensorFlow's memory is beside Java's.
    room = ("--spark-conf", "spark.executor.memory=512m", "--spark-conf", "spark.executor.memoryOverhead=2g")
    jars = ("--spark-conf", f"spark.yarn.jars=local:{pyspark_folder()}/jars/*")
    more = (*room, *jars, "--master", "yarn") if way == "yarn" else ("--master", spark)
    return [*map(str, (BONEAGE, *arguments, *more, "--total-cores", 2))]


def ages(out: str) -> dict[str, float]:
    """What the run's model says of each case."""
    text = (Place(out) / "evaluate" / "predictions.csv").read_text()
    return {
        row["id"]: float(row["age_months"]) for row in csv.DictReader(io.StringIO(text)) if row["age_months"]
    }


def main() -> int:
    chosen = [way for way in WAYS if not sys.argv[1:] or way in sys.argv[1:]]
    good, first = True, None
    with (
        tempfile.TemporaryDirectory() as name,
        Processes(Path(name) / "servers", find_java_home()) as processes,
    ):
        hdfs, folder = Hdfs(processes), Path(name)
        spark = Spark(processes)
        configuration = hdfs.configuration
        if "yarn" in chosen:
            configuration = Yarn(processes, hdfs).configuration
        os.environ |= {"HADOOP_CONF_DIR": str(configuration), "PYSPARK_PYTHON": sys.executable}
        (folder / "small.toml").write_text(SMALL)
        phantoms = (BONEAGE, "phantom", folder / "data", "--count", 24, "--size", 160, 128)
        subprocess.run([*map(str, phantoms)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(
            [BONEAGE, "upload", folder / "data", f"{hdfs.uri}/data"], check=True, stdout=subprocess.DEVNULL
        )
        print(f"{describe()}, {os.cpu_count()} cores\n")
        print("| way | seconds | exit | Jaccard, held out | MAD out of fold | ages off by, months |")
        print("|---|---|---|---|---|---|")
        for way in chosen:
            out, started = f"{hdfs.uri}/runs/{way}", time.monotonic()
            arguments = ("run", "all", "--engine", "spark", "--config", folder / "small.toml")
            arguments = (*arguments, "--data", f"{hdfs.uri}/data", "--out", out)
            with (folder / f"{way}.log").open("w+") as log:
                code = subprocess.run(command(way, spark.uri, arguments), stdout=log, stderr=log).returncode
                log.seek(0)
                said = log.read()
            seconds = time.monotonic() - started
            if code or not (Place(out) / "report" / "report.html").exists():
                good = False
                print(f"| {way} | {seconds:.0f} | {code} | | | |\n{said[-2000:]}", flush=True)
                continue
            metrics, told = json.loads((Place(out) / "evaluate" / "metrics.json").read_bytes()), ages(out)
            first = first or told
            off = max(abs(told[case] - first[case]) for case in first)
            good &= told.keys() == first.keys() and off <= MOST_MONTHS
            jaccard, mad = metrics["segmentation"]["test"]["jaccard_mean"], metrics["out_of_fold"]["mad"]
            print(f"| {way} | {seconds:.0f} | {code} | {jaccard:.3f} | {mad:.1f} | {off:.4f} |", flush=True)
    return not good


if __name__ == "__main__":
    sys.exit(main())
