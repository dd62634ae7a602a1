"""A training on a cluster whose parts are killed with -9 at given steps, and what became of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ...servers.hdfs import Hdfs
from ...servers.processes import Processes
from ...servers.spark import Spark

WORK = Path(__file__).parents[1]
DRIVER = Path(__file__).with_name("cluster_driver.py")
CONF = {
    "spark.executor.memory": "512m",
    "spark.driver.memory": "512m",
    "spark.executorEnv.PYTHONPATH": str(WORK),
}
WORKERS = 2


@dataclass(frozen=True)
class Kill:
    """Whom to kill, as soon as an epoch has come to a step."""

    victim: str
    epoch: int
    step: int


@dataclass
class Story:
    """What became of it.

    Attributes:
        result: Of the first worker.
        recoveries: Why a new cluster was started.
        noticed_seconds: From each kill to what the driver, or the next one, said of it.
        steps: (epoch, step) as the first worker did them.
        left: Processes that were still there a minute after.
    """

    result: dict = field(default_factory=dict)
    recoveries: list = field(default_factory=list)
    noticed_seconds: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    left: list = field(default_factory=list)

    @property
    def doubled(self):
        """Steps that were done more than once, and how often."""
        return sum(count - 1 for count in Counter(self.steps).values())


@dataclass
class Trial:
    """The servers, and a driver that trains on them.

    Attributes:
        processes: All servers' processes.
        spark: With one worker more than are trained on, where one is to be killed.
        hdfs: Where DataNodes are to be killed.
        sources: The rows' shards.
        config: Of the training; the steps are noted in its file "steps".
    """

    processes: Processes
    spark: Spark
    hdfs: Hdfs | None
    sources: list
    config: dict

    def run(self, kills: list[Kill]) -> Story:
        """Trains to the end, however often the driver must be started, killing on the way."""
        story, todo, before = Story(), list(kills), set(self.processes.find(""))
        while not story.result:
            self._drive(story, todo)
        noted = Path(self.config["steps"]).read_text().split("\n")[:-1]
        story.steps = [tuple(line.split()[1:]) for line in noted if line.startswith("step")]
        deadline = time.monotonic() + 60
        while (left := set(self.processes.find("")) - before) and time.monotonic() < deadline:
            time.sleep(0.1)
        story.left = sorted(left)
        return story

    def _drive(self, story: Story, todo: list[Kill]) -> None:
        given = {"master": self.spark.uri, "workers": WORKERS, "conf": CONF, "sources": self.sources}
        command = (sys.executable, DRIVER, json.dumps({**given, "config": self.config}))
        environment = {**self.processes.environment, "PYTHONPATH": str(WORK)}
        if self.hdfs:
            environment["HADOOP_CONF_DIR"] = str(self.hdfs.configuration)
        killed_at, said = None, []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as driver:
            for line in driver.stdout:
                event = json.loads(line)
                said.append(event)
                if event["kind"] == "end":
                    story.result = event["result"]
                elif event["kind"] == "recovery":
                    story.recoveries.append(event["reason"])
                    story.noticed_seconds.append(time.monotonic() - killed_at)
                elif todo and event["kind"] == "step" and _reached(event, todo[0]):
                    killed_at = time.monotonic()
                    self._kill(todo.pop(0).victim, driver)
        if driver.returncode not in (0, -signal.SIGKILL):
            raise AssertionError(f"the driver ended with {driver.returncode}: {said[-1:]}")

    def _kill(self, victim: str, driver: subprocess.Popen) -> None:
        if victim == "driver":
            driver.kill()
        elif victim == "DataNode":
            self.hdfs.kill_datanode(0)
        else:
            os.kill(self._find(victim), signal.SIGKILL)

    def _find(self, victim: str) -> int:
        executor = self.spark.executors()[0]
        if victim == "executor":
            return executor
        if victim == "worker daemon":
            return parent_of(executor)
        # A guard is started with the numbers of a worker's Python, of its training process, and of its manager.
        guard = self.processes.find("guard.py")[0]
        numbers = Path(f"/proc/{guard}/cmdline").read_bytes().split(b"\0")[:-1]
        return int(numbers[{"feeding worker": -3, "training process": -2}[victim]])


def _reached(event: dict, kill: Kill) -> bool:
    return (event["epoch"], event["step"]) >= (kill.epoch, kill.step)


def parent_of(pid: int) -> int:
    """The process that started another."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
