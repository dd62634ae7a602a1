"""The servers that other tests stand on: they answer, work together, and never outlive their starter."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

from boneage_sparkrun.java import find_java_home

from ...servers import keeper
from ...servers.hadoop import HADOOP_VERSION, pyspark_folder
from ...servers.processes import QUICK_JAVA

_ROOT = Path(__file__).parents[3]
_JOB = """
import sys
from pyspark.sql import SparkSession

master, target, settings = sys.argv[1], sys.argv[2], sys.argv[3:]
builder = SparkSession.builder.master(master)
for setting in settings:
    builder = builder.config(*setting.split("=", 1))
context = builder.getOrCreate().sparkContext
context.parallelize(range(100), 2).saveAsTextFile(target)
assert sorted(map(int, context.textFile(target).collect())) == list(range(100))
"""
_STARTER = """
import sys, time
from pathlib import Path
from tests.servers.processes import Processes

processes = Processes(Path(sys.argv[1]), Path("/nowhere"))
# One of its own children leads a session of its own, as YARN's containers do.
processes.start("sleeper", ["sh", "-c", "setsid sleep 601 & sleep 602; true"])
deadline = time.monotonic() + 60
while not (processes.find("sleep 601") and processes.find("sleep 602")):
    assert time.monotonic() < deadline
    time.sleep(0.05)
print(processes.mark["BONEAGE_SERVERS"], flush=True)
time.sleep(600)
"""


def run_job(master: str, target: str, *settings: str, environment: dict[str, str] | None = None) -> None:
    quick = f"spark.executor.extraJavaOptions={QUICK_JAVA}"
    local = {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "JAVA_HOME": str(find_java_home()),
        "PYSPARK_PYTHON": sys.executable,  # an engine of this process may have named another
        "SPARK_SUBMIT_OPTS": QUICK_JAVA,
    }
    small = ("spark.executor.memory=512m", "spark.cores.max=1", "spark.ui.enabled=false", *settings)
    command = (sys.executable, "-c", _JOB, master, target, quick, *small)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **local, **(environment or {})},
    )
    assert done.returncode == 0, done.stderr


def test_the_servers_are_of_the_version_of_sparks_own_client():
    assert (pyspark_folder() / "jars" / f"hadoop-client-api-{HADOOP_VERSION}.jar").exists()
    assert version("pyspark").startswith("4.")


def test_hdfs_answers_with_both_datanodes(hdfs):
    with urllib.request.urlopen(f"{hdfs.web}/webhdfs/v1/?op=LISTSTATUS") as answer:  # noqa: S310
        assert answer.status == 200
    assert hdfs.live_datanodes() == 2
    assert hdfs.running() == ["namenode", "datanode0", "datanode1"]


def test_spark_works_on_files_in_hdfs(spark, hdfs):
    run_job(spark.uri, f"{hdfs.uri}/jobs/standalone")


def test_no_server_outlives_a_starter_that_was_killed(tmp_path):
    command = (sys.executable, "-c", _STARTER, str(tmp_path))
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        mark = starter.stdout.readline().strip()
        try:
            _wait(
                lambda: len(keeper.marked(mark)) >= 3
            )  # a process shows its environment a little after its start
        finally:
            starter.send_signal(signal.SIGKILL)
    _wait(lambda: not keeper.marked(mark))


def _wait(ready):
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)
