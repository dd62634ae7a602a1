"""Training one network on several workers of a Spark cluster, through TensorFlowOnSpark: the driver's side.

Every row reaches exactly one worker once an epoch, and which step it is part of is decided by `EpochPlan`. An epoch is
one barrier job: each of its tasks feeds the worker on whose executor it runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .cluster_node import FAILED, Node, find_node, train_node
from .epoch_plan import EpochPlan
from .errors import EngineError
from .functions import find_function
from .hdfs_addresses import hdfs_environment
from .mapping import merge_records
from .shards import read_shard
from .spark_errors import told
from .spark_session import SparkSettings, spark_context
from .storage import Uri, absolute

__all__ = ["ClusterTraining", "put_all", "train_on_cluster"]

Progress = Callable[[dict[str, Any]], None]
_PER_PART = 32  # validation rows that travel together


@dataclass(frozen=True)
class ClusterTraining:
    """What to train on a cluster; functions are named, "module:function", and workers import them.

    Attributes:
        name: For people.
        sources: Shards with the rows, as for `boneage_sparkrun.engine.Engine.map`.
        select: select(record, config) gives ("train" or "validation", row), or None for a record that is not used. A
            row is a dict; keep what is large in it as bytes.
        function: function(config, worker) trains: it is called on each worker with a
            `boneage_sparkrun.cluster_node.ClusterWorker`, and returns what JSON can hold.
        config: For both; what JSON can hold.
        batch_size: Rows of a step, of all workers together.
        seed: Decides the rows' order.
        reservation_seconds: How long the workers' processes may take to come up, once there are executors.
    """

    name: str
    sources: Sequence[Sequence[Uri]]
    select: str
    function: str
    batch_size: int
    seed: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    reservation_seconds: float = 120.0


def train_on_cluster(
    training: ClusterTraining, settings: SparkSettings, progress: Progress | None = None, recoveries: int = 3
) -> dict[str, Any]:
    """Trains. When a worker is lost the cluster is ended and a new one goes on from the last checkpoint.

    Args:
        training: What. Its function has to keep checkpoints, or a new cluster begins anew.
        settings: Where. As many workers as there are slots: total_cores over cores_per_worker (1).
        progress: Called after each epoch with what `fit` says of it, and with kind "recovery" and a reason.
        recoveries: How often a new cluster is started.

    Returns:
        What the first worker's function returned.

    Raises:
        EngineError: There is no such cluster, it has too few slots, workers were lost more often, or the function
            failed.
        TrainingError: There are no rows to train on.
    """
    find_function(training.select), find_function(training.function)
    report = progress or _ignore
    for left in range(recoveries, -1, -1):
        try:
            return _train(training, _one_slot_each(settings), report)
        except _WorkerLostError as error:
            if not left:
                raise
            report({"kind": "recovery", "reason": str(error).splitlines()[0], "left": left - 1})
    raise AssertionError("unreachable")


class _WorkerLostError(EngineError):
    """Nothing is wrong with what was to be done: a new cluster may do it."""


def _train(training: ClusterTraining, settings: SparkSettings, progress: Progress) -> dict[str, Any]:
    """One cluster from its start to its end: one Spark application."""
    with spark_context(training.name, settings) as context:
        workers = settings.needed_slots
        sources = [[absolute(uri) for uri in uris] for uris in training.sources]
        read = _Read(training.select, training.config, hdfs_environment())
        try:
            rows = (
                context.parallelize(sources, max(1, len(sources)))
                .mapPartitions(read)
                .persist(_storage_level())
            )
            train = rows.filter(_is_train).values().zipWithIndex().persist(_storage_level())
            plan = EpochPlan(train.count(), training.batch_size, workers, training.seed)
            with _cluster(context, training, plan, settings) as nodes:
                return _drive(context, nodes, plan, train, read, sources, progress)
        except Exception as error:
            if not _is_sparks(error):
                raise
            kind = EngineError if FAILED in str(error) else _WorkerLostError
            raise kind(f"{training.name} failed on {context.master}: {told(error)}", str(error)) from error


def _drive(
    context: Any,
    nodes: list[dict[str, Any]],
    plan: EpochPlan,
    train: Any,
    read: _Read,
    sources: list[list[str]],
    progress: Progress,
) -> dict[str, Any]:
    """Gives the workers what they want, until they are done."""

    def everywhere(task: Any) -> list[dict[str, Any]]:
        return _agreed(
            context.parallelize(range(plan.workers), plan.workers).barrier().mapPartitions(task).collect()
        )

    known = 0
    answers = everywhere(_Feed(nodes, None))
    while not answers[0]["done"]:
        wanted = answers[0]["wants"]
        if isinstance(wanted, int):
            answers = _agreed(
                _epoch(train, plan, wanted).barrier().mapPartitions(_Feed(nodes, wanted, plan)).collect()
            )
        else:
            answers = everywhere(_Validation(nodes, wanted, read, sources))
        history = answers[0]["history"]
        for said in history[known:]:
            progress(said)
        known = len(history)
    everywhere(_Leave(nodes))
    return dict(answers[0]["result"])


def _agreed(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers by worker; all must want the same."""
    answers = sorted(answers, key=lambda answer: answer["index"])
    indices = [answer["index"] for answer in answers]
    if (
        indices != list(range(len(answers)))
        or len({(answer["wants"], answer["done"]) for answer in answers}) != 1
    ):
        raise EngineError(f"the workers do not agree on what comes next: {answers}")
    return answers


def _epoch(train: Any, plan: EpochPlan, epoch: int) -> Any:
    """The rows of an epoch, a partition a worker, each in the order in which it is taken."""
    places = train.context.broadcast(plan.places(epoch))
    keyed = train.map(lambda pair: (int(places.value[pair[1]]), pair[0]))
    return keyed.repartitionAndSortWithinPartitions(plan.workers, plan.worker)


class _Read:
    """Reads shards on a worker, and gives what is selected: (kind, row)."""

    def __init__(self, select: str, config: dict[str, Any], environment: dict[str, str]) -> None:
        self.select, self.config, self.environment = select, config, environment

    def __call__(self, sources: Iterable[list[str]]) -> Iterator[tuple[str, dict[str, Any]]]:
        os.environ.update(self.environment)
        select = find_function(self.select)
        for uris in sources:
            for record in merge_records([read_shard(uri) for uri in uris]):
                if (chosen := select(record, self.config)) is not None:
                    yield chosen


@dataclass
class _Feed:
    """Feeds the worker on whose executor it runs with an epoch; None: nothing. Then waits for what that wants next."""

    nodes: list[dict[str, Any]]
    wanted: int | None
    plan: EpochPlan | None = None

    def __call__(self, rows: Iterable[Any]) -> Iterator[dict[str, Any]]:
        index, node = find_node(self.nodes)
        if self.plan is None:
            list(rows)
        else:
            put_all(node, self.wanted, self.plan.parts(rows))
        yield {"index": index, **node.wait_for_wish(self.wanted)}


@dataclass
class _Validation:
    """Feeds the worker on whose executor it runs with all validation rows."""

    nodes: list[dict[str, Any]]
    wanted: str
    read: _Read
    sources: list[list[str]]

    def __call__(self, tasks: Iterable[int]) -> Iterator[dict[str, Any]]:
        list(tasks)
        index, node = find_node(self.nodes)
        rows = (row for kind, row in self.read(self.sources) if kind != "train")
        put_all(node, self.wanted, iter(lambda: list(itertools.islice(rows, _PER_PART)), []))
        yield {"index": index, **node.wait_for_wish(self.wanted)}


@dataclass
class _Leave:
    """Tells the worker on whose executor it runs that all are done."""

    nodes: list[dict[str, Any]]

    def __call__(self, tasks: Iterable[int]) -> Iterator[dict[str, Any]]:
        list(tasks)
        index, node = find_node(self.nodes)
        node.tell("leave", True)
        yield {"index": index, "wants": None, "done": True}


def put_all(node: Node, wanted: Any, parts: Iterable[list[dict[str, Any]]]) -> None:
    """Feeds a worker with what it wanted, part by part, and says where that ends."""
    for step, rows in enumerate(parts):
        node.put((wanted, step, rows))
    node.put((wanted, -1, []))


def _is_train(chosen: tuple[str, Any]) -> bool:
    return chosen[0] == "train"


@contextlib.contextmanager
def _cluster(
    context: Any, training: ClusterTraining, plan: EpochPlan, settings: SparkSettings
) -> Iterator[list[dict[str, Any]]]:
    """A TensorFlow cluster on the executors; ends with the application."""
    tensorflow = _import_quietly()
    argument = {
        "function": training.function,
        "config": training.config,
        "steps": plan.steps,
        "share": plan.share,
        "threads": settings.cores_per_worker or 1,
        "environment": hdfs_environment(),
    }
    tensorflow.tf_status.clear()  # what the cluster before left
    try:
        cluster = tensorflow.run(
            context,
            train_node,
            argument,
            plan.workers,
            num_ps=0,
            input_mode=tensorflow.InputMode.SPARK,
            master_node="chief",
            reservation_timeout=int(training.reservation_seconds),
        )
    except (SystemExit, Exception) as error:
        # It exits where a worker did not start.
        told_of = str(error) if isinstance(error, Exception) else ""
        reason = tensorflow.tf_status.get("error") or told_of or "no reason was given"
        raise EngineError(
            f"{training.name}: the {plan.workers} training workers did not start within "
            f"{training.reservation_seconds:.0f} s: {reason.splitlines()[0]}",
            reason,
        ) from error
    try:
        yield cluster.cluster_info
    finally:
        # Not its shutdown: that waits up to three days, and takes a worker that was lost for done.
        cluster.server.stop()


def _import_quietly() -> Any:
    """TensorFlowOnSpark sets up the logging of the process, and TensorFlow greets: undone, and not heard, here."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with _silent():
        from tensorflowonspark import TFCluster
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("tensorflowonspark").setLevel(logging.CRITICAL)
    return TFCluster


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Nothing reaches standard error, not from below Python either."""
    before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


def _storage_level() -> Any:
    from pyspark import StorageLevel

    return StorageLevel.MEMORY_AND_DISK


def _one_slot_each(settings: SparkSettings) -> SparkSettings:
    """One task an executor at a time, and none done twice: a second try would feed rows twice."""
    cores = settings.cores_per_worker or 1
    conf = {
        "spark.task.maxFailures": "1",
        "spark.stage.maxConsecutiveAttempts": "1",
        "spark.task.cpus": str(cores),
    }
    return dataclasses.replace(settings, cores_per_worker=cores, conf={**settings.conf, **conf})


def _is_sparks(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in ("py4j", "pyspark")


def _ignore(_said: dict[str, Any]) -> None:
    pass
