"""What a driver needs for more radiographs: `python -m benchmarks.driver_memory [--counts 100 2000]`.

Starts a NameNode, two DataNodes and a small Spark cluster on this machine, and does a whole run by Spark on HDFS on so
many radiographs (drawn phantoms of 640 x 512, twelve of them under many names), uploaded first, with the shipped
segmentation and one short epoch of training the regression. The most memory that the driver's Python and its Java held
at any time is read from the system: `VmHWM` of both.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from benchmarks.many_phantoms import write_many
from benchmarks.provenance import describe
from tests.end_to_end.conftest import SMALL, boneage
from tests.end_to_end.processes import left_behind, start
from tests.servers.hdfs import Hdfs
from tests.servers.processes import Processes
from tests.servers.spark import Spark

from boneage_sparkrun.java import find_java_home

SETTINGS = SMALL.replace("shard_size = 8", "shard_size = 32")
SIZE = (640, 512)


def peak_mb(pid: int) -> tuple[str, float]:
    """A process's name, and the most memory that it held so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return fields["Name"].strip(), int(fields.get("VmHWM", "0 kB").split()[0]) / 1024


def measure(folder: Path, uri: str, master: str, count: int) -> tuple[float, float, float]:
    """Most memory of the driver's Python and of its Java, in MB; and minutes."""
    folder.mkdir()
    write_many(folder, count, SIZE)
    (folder / "settings.toml").write_text(SETTINGS)
    done = boneage("upload", folder / "images", f"{uri}/data", "--labels", folder / "labels.csv")
    if done.code:
        raise SystemExit(done.err)
    engine = ("--engine", "spark", "--master", master, "--total-cores", 2)
    places = ("--data", f"{uri}/data", "--out", f"{uri}/run")
    call = ("run", "all", "--config", folder / "settings.toml", *places, *engine)
    started = time.monotonic()
    driver = start(call, folder / "log")
    python = java = 0.0
    while driver.poll() is None:
        for pid in left_behind(driver.pid):
            try:
                name, most = peak_mb(pid)
            except OSError:
                continue
            if pid == driver.pid:
                python = max(python, most)
            elif name == "java":
                java = max(java, most)
        time.sleep(0.2)
    print((folder / "log").read_text(), flush=True)
    if driver.returncode:
        raise SystemExit(driver.returncode)
    return python, java, (time.monotonic() - started) / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 2000])
    counts = parser.parse_args().counts
    measured = describe()
    rows = []
    with (
        tempfile.TemporaryDirectory() as name,
        Processes(Path(name) / "servers", find_java_home()) as processes,
    ):
        hdfs, spark = Hdfs(processes), Spark(processes)
        os.environ["HADOOP_CONF_DIR"] = str(hdfs.configuration)
        for count in counts:
            rows.append((count, *measure(Path(name) / str(count), f"{hdfs.uri}/{count}", spark.uri, count)))
    print(measured)
    print(
        "| radiographs | driver's Python, MB | its Java, MB | together, MB | minutes |\n|---|---|---|---|---|"
    )
    for count, python, java, minutes in rows:
        print(f"| {count} | {python:.0f} | {java:.0f} | {python + java:.0f} | {minutes:.1f} |")


if __name__ == "__main__":
    main()
