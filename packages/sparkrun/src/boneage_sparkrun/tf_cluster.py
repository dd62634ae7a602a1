"""TensorFlowOnSpark's start and end, with our own errors: nothing else of the driver's side touches it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from .cluster_node import train_node
from .errors import EngineError

__all__ = ["greet", "tf_cluster"]


def greet(context: Any, name: str, workers: int, seconds: float) -> None:
    """Has Python started on every executor, and names the one where it does not come up.

    Args:
        context: The pyspark.SparkContext.
        name: Of what is trained.
        workers: How many there are.
        seconds: How long it may take.

    Raises:
        EngineError: Some did not start in time.
    """
    late: list[str] = []

    def give_up() -> None:
        late.extend(_busy(context))
        context.cancelAllJobs()

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        context.parallelize(range(workers), workers).barrier().mapPartitions(_hello).collect()
    except Exception as error:
        if not late:
            raise
        raise EngineError(
            f"{name}: {len(late)} of {workers} training workers did not start within {seconds:.0f} s: "
            f"{', '.join(sorted(late))}; that machine's logs of the executor may tell why"
        ) from error
    finally:
        timer.cancel()


def _hello(tasks: Iterable[int]) -> list[int]:
    return list(tasks)


def _busy(context: Any) -> list[str]:
    """The executors that have a task to do, as host:port."""
    executors = context._jsc.sc().statusTracker().getExecutorInfos()
    return [f"the executor {e.host()}:{e.port()}" for e in executors if e.numRunningTasks()]


@contextlib.contextmanager
def tf_cluster(
    context: Any, name: str, workers: int, argument: dict[str, Any], seconds: float
) -> Iterator[list[dict[str, Any]]]:
    """A TensorFlow cluster on the executors; ends with the application.

    Args:
        context: The pyspark.SparkContext.
        name: Of what is trained.
        workers: How many, one an executor.
        argument: For `train_node`.
        seconds: How long the start may take.

    Yields:
        TensorFlowOnSpark's `cluster_info`: a dict a worker.

    Raises:
        EngineError: It did not start.
    """
    tensorflow = _import_quietly()
    tensorflow.tf_status.clear()  # what the cluster before left
    try:
        cluster = tensorflow.run(
            context,
            train_node,
            argument,
            workers,
            num_ps=0,
            input_mode=tensorflow.InputMode.SPARK,
            master_node="chief",
            reservation_timeout=int(seconds),
        )
    except (SystemExit, Exception) as error:
        # It exits where a worker did not start.
        told_of = str(error) if isinstance(error, Exception) else ""
        reason = tensorflow.tf_status.get("error") or told_of or "no reason was given"
        raise EngineError(
            f"{name}: the {workers} training workers did not start within {seconds:.0f} s: "
            f"{reason.splitlines()[0]}",
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
