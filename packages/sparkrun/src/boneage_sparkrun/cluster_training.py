"""Training one network on several workers of a Spark cluster, through TensorFlowOnSpark: the driver's side.

Every row reaches exactly one worker once an epoch, and which step it is part of is decided by `EpochPlan`. An epoch is
one barrier job: each of its tasks feeds the worker on whose executor it runs.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .cluster_jobs import Ask, FeedEpoch, FeedValidation, Leave, ReadRows
from .cluster_node import FAILED
from .epoch_plan import EpochPlan
from .errors import EngineError
from .functions import find_function
from .hdfs_addresses import hdfs_environment
from .news import hearing
from .spark_errors import told
from .spark_session import SparkSettings, settled_slots, spark_context
from .storage import Uri, absolute
from .tf_cluster import greet, tf_cluster

__all__ = ["ClusterTraining", "train_on_cluster"]

Progress = Callable[[dict[str, Any]], None]


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
        settings: Where. As many workers as there are slots: total_cores over cores_per_worker (1), or what the cluster
            gives. A new cluster needs as many as the one before, unless settings say `allow_fewer`.
        progress: Called with what `fit` says, of each epoch and now and then of a step, from threads of their own; and
            with kind "start" and workers, and with kind "recovery" and a reason.
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
            if not settings.allow_fewer:
                cores = error.workers * (settings.cores_per_worker or 1)
                settings = dataclasses.replace(settings, total_cores=cores)
    raise AssertionError("unreachable")


class _WorkerLostError(EngineError):
    """Nothing is wrong with what was to be done: a new cluster may do it."""

    workers = 0


def _train(training: ClusterTraining, settings: SparkSettings, progress: Progress) -> dict[str, Any]:
    """One cluster from its start to its end: one Spark application."""
    with spark_context(training.name, settings) as context:
        workers = _count_workers(context, settings)
        try:
            progress({"kind": "start", "workers": workers})
            return _train_together(context, training, settings, workers, progress)
        except Exception as error:
            if not _is_sparks(error):
                raise
            message = f"{training.name} failed on {context.master}: {told(error)}"
            if FAILED in str(error):
                raise EngineError(message, str(error)) from error
            lost = _WorkerLostError(message, str(error))
            lost.workers = workers
            raise lost from error


def _count_workers(context: Any, settings: SparkSettings) -> int:
    found = settled_slots(context, settings)
    if found.executors < found.slots:
        raise EngineError(
            f"{context.master} has {found.executors} executor for {found.slots} training workers, and each needs "
            "one of its own; a cluster would do, or local[1]"
        )
    return found.executors


def _train_together(
    context: Any, training: ClusterTraining, settings: SparkSettings, workers: int, progress: Progress
) -> dict[str, Any]:
    greet(context, training.name, workers, training.reservation_seconds)
    sources = [[absolute(uri) for uri in uris] for uris in training.sources]
    read = ReadRows(training.select, training.config, hdfs_environment())
    # As few partitions as there are slots: a task costs a tenth of a second, each epoch anew.
    partitions = max(1, min(len(sources), workers))
    rows = context.parallelize(sources, partitions).mapPartitions(read).persist(_storage_level())
    train = rows.filter(_is_train).values().zipWithIndex().persist(_storage_level())
    plan = EpochPlan(train.count(), training.batch_size, workers, training.seed)
    conf = context.getConf()
    with hearing(conf.get("spark.driver.host"), progress, conf.get("spark.driver.bindAddress")) as address:
        argument = {
            "function": training.function,
            "config": training.config,
            "steps": plan.steps,
            "share": plan.share,
            "threads": settings.cores_per_worker or 1,
            "environment": hdfs_environment(),
            "news": address,
        }
        with tf_cluster(context, training.name, workers, argument, training.reservation_seconds) as nodes:
            return _drive(context, nodes, plan, train, read, sources, progress)


def _drive(
    context: Any,
    nodes: list[dict[str, Any]],
    plan: EpochPlan,
    train: Any,
    read: ReadRows,
    sources: list[list[str]],
    progress: Progress,
) -> dict[str, Any]:
    """Gives the workers what they want, until they are done."""

    def on_each(task: Any, rows: Any = None) -> list[dict[str, Any]]:
        given = context.parallelize(range(plan.workers), plan.workers) if rows is None else rows
        return _agreed(given.barrier().mapPartitions(task).collect())

    known = 0
    answers = on_each(Ask(nodes))
    while not answers[0]["done"]:
        number, wanted = answers[0]["number"], answers[0]["wants"]
        if isinstance(wanted, list):
            epoch, start = wanted
            answers = on_each(FeedEpoch(nodes, number, start, plan), _epoch(train, plan, epoch, start))
        else:
            answers = on_each(FeedValidation(nodes, number, read, sources))
        history = answers[0]["history"]
        for said in history[known:]:
            progress(said)
        known = len(history)
    on_each(Leave(nodes))
    return dict(answers[0]["result"])


def _agreed(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers by worker; all must want the same."""
    answers = sorted(answers, key=lambda answer: answer["index"])
    indices = [answer["index"] for answer in answers]
    wishes = {json.dumps([answer["number"], answer.get("wants"), answer["done"]]) for answer in answers}
    if indices != list(range(len(answers))) or len(wishes) != 1:
        raise EngineError(f"the workers do not agree on what comes next: {answers}")
    return answers


def _epoch(train: Any, plan: EpochPlan, epoch: int, start: int) -> Any:
    """The rows of an epoch from a step on, a partition a worker, each in the order in which it is taken."""
    places = train.context.broadcast(plan.places(epoch))
    keyed = train.map(lambda pair: (int(places.value[pair[1]]), pair[0]))
    left = keyed.filter(lambda pair: plan.step(pair[0]) >= start)
    return left.repartitionAndSortWithinPartitions(plan.workers, plan.worker)


def _is_train(chosen: tuple[str, Any]) -> bool:
    return chosen[0] == "train"


def _storage_level() -> Any:
    from pyspark import StorageLevel

    return StorageLevel.MEMORY_AND_DISK


def _one_slot_each(settings: SparkSettings) -> SparkSettings:
    """One task an executor at a time, and none done twice: a second try would feed rows twice."""
    cores = settings.cores_per_worker or 1
    conf = {
        # Any slot will do: rows travel to their worker anyway.
        "spark.locality.wait": "0",
        "spark.task.maxFailures": "1",
        "spark.stage.maxConsecutiveAttempts": "1",
        "spark.task.cpus": str(cores),
    }
    return dataclasses.replace(settings, cores_per_worker=cores, conf={**settings.conf, **conf})


def _is_sparks(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in ("py4j", "pyspark")


def _ignore(_said: dict[str, Any]) -> None:
    pass
