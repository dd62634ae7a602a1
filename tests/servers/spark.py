"""A standalone Spark on this machine: a master and workers, from pip's pyspark, each a process."""

import json
import os
import re
import signal
import urllib.request
from pathlib import Path

from .hadoop import pyspark_folder
from .processes import Processes, wait_until

__all__ = ["Spark"]

_DEPLOY = "org.apache.spark.deploy"


class Spark:
    """Starts at once; the workers have registered when the constructor returns.

    Args:
        processes: Start and end its servers.
        workers: How many.
        cores: Of each worker.
        memory: Of each worker, for its executors, as Spark writes it.
        home: SPARK_HOME of the workers; None: where pip put pyspark.
        environment: The workers' whole environment; None: this machine's PATH, HOME and LANG.
    """

    def __init__(
        self,
        processes: Processes,
        workers: int = 2,
        cores: int = 1,
        memory: str = "2g",
        home: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._processes = processes
        needed = {
            "SPARK_SCALA_VERSION": "2.13",
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        }
        own = processes.environment | needed
        theirs = (processes.environment if environment is None else processes.mark | environment) | needed
        ports = ("--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        master = (pyspark_folder() / "bin" / "spark-class", f"{_DEPLOY}.master.Master", *ports)
        processes.start("master", master, own)
        self.uri = self._logged(r"Starting Spark master at (spark://\S+)")
        self.web = self._logged(r"Bound MasterWebUI to .*?(http://\S+)").rstrip("/,")
        self._worker = (
            (home or pyspark_folder()) / "bin" / "spark-class",
            f"{_DEPLOY}.worker.Worker",
            *(*ports, "--cores", cores, "--memory", memory),
        )
        self._environment = theirs
        self._workers = 0
        for _ in range(workers):
            self.start_worker(wait=False)
        self.wait()

    def start_worker(self, *within: object, wait: bool = True) -> None:
        """Starts one more worker.

        Args:
            within: A command that runs the one that follows it: `unshare --uts`, say.
            wait: Until it has registered.
        """
        name = f"worker{self._workers}"
        place = ("--work-dir", self._processes.folder / name, self.uri)
        self._processes.start(name, (*within, *self._worker, *place), self._environment)
        self._workers += 1
        if wait:
            self.wait()

    def wait(self) -> None:
        """Waits until all workers that were started have registered."""
        wait_until(lambda: self.live_workers() >= self._workers, self._processes, "Spark")

    def live_workers(self) -> int:
        """How many workers the master takes for alive."""
        with urllib.request.urlopen(f"{self.web}/json/", timeout=5) as answer:  # noqa: S310
            return int(json.load(answer)["aliveworkers"])

    def kill_worker(self, index: int) -> None:
        """Kills a worker with -9; its executors end with it."""
        self._processes.kill(f"worker{index}")

    def executors(self) -> list[int]:
        """The process ids of all executors."""
        return self._processes.find("CoarseGrainedExecutorBackend")

    def kill_executor(self) -> int:
        """Kills one executor with -9, if there is one; its process id, or 0."""
        for pid in self.executors()[:1]:
            os.kill(pid, signal.SIGKILL)
            return pid
        return 0

    def _logged(self, pattern: str) -> str:
        """Waits until the master has said something, and returns the first group."""
        found: list[str] = []

        def said() -> bool:
            found.extend(re.findall(pattern, self._processes.log("master").read_text(errors="replace")))
            return bool(found)

        wait_until(said, self._processes, "Spark's master")
        return found[0]
