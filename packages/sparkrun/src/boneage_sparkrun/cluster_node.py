"""One worker of a training cluster: the training process, and the tasks that feed it, on one executor.

TensorFlowOnSpark starts a manager (queues and values by name) and a process of its own on each executor; tasks of Spark
reach that manager on the executor that they run on. What the two say to each other is here, and nowhere else.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.managers import RemoteError
from pathlib import Path
from typing import Any

from .errors import TrainingError
from .functions import find_function
from .news import Reporter

__all__ = ["FAILED", "ClusterWorker", "Node", "QueueFeed", "find_node", "train_node"]

Rows = list[dict[str, Any]]
FAILED = "training failed on this worker"
_LOST = "another worker was lost"
# What TensorFlow raises on a worker when it can no longer reach another.
_OF_OTHERS = ("UnavailableError", "AbortedError", "CancelledError", "DeadlineExceededError")
_INPUT = "input"
_AHEAD = 4  # parts that may wait in the queue
_POLL_SECONDS = 0.05
_VALIDATION = "validation"
_GUARD = Path(__file__).with_name("guard.py")


class Node:
    """The manager of an executor, as its training process and its feeding tasks use it.

    Args:
        manager: TensorFlowOnSpark's.
    """

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._parts = manager.get_queue(_INPUT)
        self._errors = manager.get_queue("error")

    def tell(self, name: str, value: Any) -> None:
        """Puts a value under a name, for the other side to read; it must fit JSON."""
        self._manager.set(name, json.dumps(value))

    def read(self, name: str) -> Any:
        """The value under a name; None before there is one."""
        try:
            return json.loads(self._manager.get(name)._getvalue())
        except RemoteError as error:
            if f"KeyError: {name!r}" not in str(error):
                raise
            return None

    # the feeding side

    def put(self, part: tuple[int, int, Rows]) -> None:
        """Puts a part of a step into the queue as soon as there is room: the number of the wish, the step, its rows.

        Raises:
            TrainingError: The training process has failed or is gone.
        """
        while self._parts.qsize() >= _AHEAD:
            self.check()
            time.sleep(_POLL_SECONDS)
        self._parts.put(part)

    def wait_for_wish(self, after: int) -> dict[str, Any]:
        """Waits until the training process wants something more, or is done.

        Args:
            after: The number of the wish that was granted last; 0: none was.

        Returns:
            number (of the wish), wants ([an epoch, counted from 1, steps it has had], or "validation"), done (whether
            it is over), result and history.

        Raises:
            TrainingError: The training process has failed or is gone.
        """
        while True:
            result = self.read("result")
            wish = self.read("wish") or {"number": 0, "wants": None}
            if result is not None or wish["number"] > after:
                done = result is not None
                return {**wish, "done": done, "result": result, "history": self.read("history") or []}
            self.check()
            time.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Raises TrainingError if the training process has failed or is gone."""
        if not self._errors.empty():
            said = self._errors.get()
            raise TrainingError(_LOST if _LOST in said else f"{FAILED}:\n{said}")
        pid = self.read("pid")
        if pid is not None and not _is_alive(pid):
            raise TrainingError(f"the training process {pid} of this worker has died")

    # the training side

    def parts(self, wanted: Any, start: int = 0) -> Iterator[Rows]:
        """Wants something, and yields its parts in order, each once.

        Args:
            wanted: What fits JSON.
            start: The number of the first part.

        Raises:
            TrainingError: A part is missing, doubled or another one's.
        """
        number = 1 + (self.read("wish") or {"number": 0})["number"]
        self.tell("wish", {"number": number, "wants": wanted})
        expected = start
        while True:
            try:
                granted, step, rows = self._parts.get(True, 1.0)
            except queue.Empty:
                continue
            if (granted, step) == (number, -1):
                return
            if granted != number or step != expected:
                raise TrainingError(
                    f"the feed gave step {step} for wish {granted}, where step {expected} for wish {number} "
                    f"({wanted}) was due"
                )
            expected += 1
            yield rows


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def find_node(nodes: Sequence[dict[str, Any]]) -> tuple[int, Node]:
    """Finds the node of the executor that a task runs on; its number and it.

    Args:
        nodes: TensorFlowOnSpark's `cluster_info`.
    """
    from tensorflowonspark import TFSparkNode, util

    index = util.read_executor_id()
    return index, Node(TFSparkNode._get_manager(nodes, util.get_ip_address(), index))


class QueueFeed:
    """The rows of one worker, epoch by epoch, as a cluster's tasks feed them; see `boneage_sparkrun.feed.Feed`.

    Args:
        node: Where they come from.
        steps: Of one epoch.
    """

    def __init__(self, node: Node, steps: int) -> None:
        self._node = node
        self.steps = steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Rows]:
        """Yields this worker's part of each step of an epoch, but for those it has had already."""
        return self._node.parts([epoch, start], start)


@dataclass(frozen=True)
class ClusterWorker:
    """What a training function is given on each worker.

    Attributes:
        index: Its number; 0 is the first.
        count: How many there are.
        share: Rows of a step for one worker: the batch size to give to `fit`.
        feed: The training rows.
        strategy: A tf.distribute.MultiWorkerMirroredStrategy; None with one worker.
        node: Where all comes from.
        reporter: Tells the driver of steps.
    """

    index: int
    count: int
    share: int
    feed: QueueFeed
    strategy: Any
    node: Node
    reporter: Reporter

    @property
    def is_first(self) -> bool:
        """Whether it is the one that saves."""
        return self.index == 0

    def validation(self) -> Rows:
        """All validation rows, the same on every worker. Call it once, before `fit`."""
        return [row for rows in self.node.parts(_VALIDATION) for row in rows]

    def progress(self, said: dict[str, Any]) -> None:
        """Tells the driver of steps and epochs: to be given to `fit`."""
        if said["kind"] == "epoch":
            self.node.tell("history", [*(self.node.read("history") or []), said])
        elif self.is_first:
            self.reporter.tell(said)


def train_node(argument: dict[str, Any], context: Any) -> None:
    """What TensorFlowOnSpark runs in a process of its own on each executor.

    Args:
        argument: function ("module:function", called with config and a ClusterWorker), config, steps, share, threads,
            environment, news (the driver's address for them).
        context: TensorFlowOnSpark's TFNodeContext.
    """
    os.environ.update(argument["environment"])
    _guard([os.getpid(), context.mgr._process.pid])
    node = Node(context.mgr)
    node.tell("pid", os.getpid())
    from .threads import start_tensorflow

    strategy = None
    if context.num_workers > 1:
        strategy = _strategy(argument["threads"])
    else:
        start_tensorflow(argument["threads"])
    worker = ClusterWorker(
        context.executor_id,
        context.num_workers,
        argument["share"],
        QueueFeed(node, argument["steps"]),
        strategy,
        node,
        Reporter(argument["news"]),
    )
    node.tell("result", _call(find_function(argument["function"]), argument["config"], worker) or {})
    # The first worker is also the cluster's service: nobody leaves before all are told to.
    while node.read("leave") is None:
        time.sleep(_POLL_SECONDS)
    os._exit(0)  # past TensorFlow's own farewells, which wait for each other


def _call(function: Any, config: dict[str, Any], worker: ClusterWorker) -> Any:
    try:
        return function(config, worker)
    except Exception as error:
        if worker.count > 1 and type(error).__name__ in _OF_OTHERS:
            raise TrainingError(f"{_LOST}: {type(error).__name__}") from error
        raise


def _strategy(threads: int) -> Any:
    from .threads import limit_threads

    limit_threads(threads)
    import tensorflow as tf

    # It starts the cluster's server, which must be before TensorFlow's first operation.
    return tf.distribute.MultiWorkerMirroredStrategy()


def _guard(pids: list[int]) -> None:
    """Has these processes killed when the Python worker that started them is gone, however it went."""
    command = (sys.executable, "-I", "-S", str(_GUARD), str(os.getppid()), *map(str, pids))
    subprocess.Popen(  # noqa: S603 - our own file
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
