"""The engine of a Spark cluster: each call is an application of its own, each shard a task."""

from __future__ import annotations

import contextlib
import os
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .errors import EngineError
from .functions import find_function
from .hdfs_addresses import hdfs_environment
from .mapping import MAP_SHARD, MapResult, MapTask, add_counts, plan_map
from .memory import tells_lack_of_memory
from .pool import TaskProgress
from .spark_errors import MORE_MEMORY, told
from .spark_session import SparkSettings, spark_context
from .storage import Uri, absolute

__all__ = ["SparkEngine", "absolute", "run_tasks"]

_POLL_SECONDS = 0.5
_GROUP = "sparkrun"


class SparkEngine:
    """Runs on a cluster; keeps `boneage_sparkrun.engine.Engine`'s promises.

    What it reads and writes must be reached under the same URI from the driver and from every worker: HDFS, or
    a folder that all of them share. An executor that dies has its tasks done again by another; a shard is
    written whole or not at all, so nothing is doubled. Nothing but counts and results comes back to the driver.

    Args:
        settings: Where the cluster is, and what to take of it.
    """

    def __init__(self, settings: SparkSettings) -> None:
        self.settings = settings

    def threads(self, tasks: int) -> int:
        """How many threads each task may use, however many there are: the cores of its slot (`spark.task.cpus`)."""
        del tasks  # each has a slot of its own, or waits for one
        return self.settings.threads

    def map(
        self,
        task: MapTask,
        sources: Sequence[Sequence[Uri]],
        target_folder: Uri,
        progress: TaskProgress | None = None,
    ) -> MapResult:
        """Applies a task to every record; see `boneage_sparkrun.engine.Engine.map`."""
        everywhere = [[absolute(uri) for uri in uris] for uris in sources]
        todo, kept = plan_map(task, everywhere, absolute(target_folder))
        counts = self._run(task.name, MAP_SHARD, todo, progress, len(kept), len(sources))
        return add_counts([*kept, *counts])

    def run(
        self, function: str, arguments: Sequence[dict[str, Any]], progress: TaskProgress | None = None
    ) -> list[dict[str, Any]]:
        """Calls a function once per argument, one task each; see `boneage_sparkrun.engine.Engine.run`."""
        return self._run(function, function, arguments, progress, 0, len(arguments))

    def _run(
        self,
        name: str,
        function: str,
        arguments: Sequence[dict[str, Any]],
        progress: TaskProgress | None,
        done_before: int,
        total: int,
    ) -> list[Any]:
        find_function(function)
        report = progress or _ignore
        report(done_before, total)
        if not arguments:
            return []
        with spark_context(name, self.settings) as context:
            answers = run_tasks(
                context, name, function, arguments, lambda done: report(done_before + done, total)
            )
        report(total, total)
        return answers


def run_tasks(
    context: Any,
    name: str,
    function: str,
    arguments: Sequence[dict[str, Any]],
    report: Callable[[int], None] = lambda _: None,
) -> list[Any]:
    """Calls a function once per argument in an application that runs.

    Args:
        context: The pyspark.SparkContext.
        name: For people.
        function: "module:function".
        arguments: One task each.
        report: Called with the number of tasks done.

    Raises:
        EngineError: A call failed, or the application did.
    """
    job = context.parallelize(list(enumerate(arguments)), len(arguments)).mapPartitions(
        _Tasks(function, hdfs_environment())
    )
    with _counting(context, report):
        try:
            answers = dict(job.collect())
        except Exception as error:
            raise EngineError(f"{name} failed on {context.master}: {told(error)}") from error
    for index, answer in sorted(answers.items()):
        if answer["reason"] is not None:
            if tells_lack_of_memory(answer["reason"]):
                raise EngineError(
                    f"a worker is out of memory: {answer['reason']}; {MORE_MEMORY}", answer["details"]
                )
            place = f"in task {index + 1} of {len(arguments)} of {function}"
            raise EngineError(f"{answer['reason']} ({place})", answer["details"])
    return [answers[index]["result"] for index in range(len(arguments))]


class _Tasks:
    """What a task does: calls a function by name. A failure is an answer, as doing it again would not help."""

    def __init__(self, function: str, environment: dict[str, str]) -> None:
        self.function = function
        self.environment = environment

    def __call__(
        self, arguments: Iterable[tuple[int, dict[str, Any]]]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        os.environ.update(self.environment)
        for index, argument in arguments:
            try:
                answer = {"result": find_function(self.function)(argument), "reason": None, "details": ""}
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                answer = {"result": None, "reason": reason, "details": traceback.format_exc()}
            yield index, answer


@contextlib.contextmanager
def _counting(context: Any, report: Any) -> Iterator[None]:
    """Reports how many tasks are done, from a thread of its own."""
    context.setJobGroup(_GROUP, "sparkrun", interruptOnCancel=True)
    stop = threading.Event()

    def follow() -> None:
        status = context.statusTracker()
        while not stop.wait(_POLL_SECONDS):
            # Where the cluster has just gone there is nothing to count; the job itself will tell.
            with contextlib.suppress(Exception):
                jobs = (status.getJobInfo(job) for job in status.getJobIdsForGroup(_GROUP))
                stages = (status.getStageInfo(stage) for job in jobs if job for stage in job.stageIds)
                report(sum(stage.numCompletedTasks for stage in stages if stage))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _ignore(_done: int, _total: int) -> None:
    pass
