"""A Spark application from its start to its end: found before it is needed, quiet, with our own errors."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import EngineError
from .java import find_java_home
from .storage import Uri
from .threads import ONE_THREAD

__all__ = ["Slots", "SparkSettings", "spark_context", "told"]

ENVIRONMENT = "environment"
_SUBMITTED = "PYSPARK_GATEWAY_PORT"  # spark-submit sets it, and knows the master
_CONNECT_SECONDS = 5.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class SparkSettings:
    """How to reach a cluster, and what to take of it.

    Attributes:
        master: Its URL, such as spark://host:7077 or yarn; None: spark-submit has said it.
        total_cores: Slots to take, all of them needed; None: what the cluster gives.
        cores_per_worker: Slots of each executor; None: Spark's own choice.
        archive: The environment made by `pack_environment`, for workers that have none; None: workers have
            this very Python at this very path.
        conf: Further settings of Spark; they go before ours.
        log: A file for what Spark tells; None: nowhere.
        start_seconds: How long executors may take to come up.
    """

    master: str | None = None
    total_cores: int | None = None
    cores_per_worker: int | None = None
    archive: Uri | None = None
    conf: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    start_seconds: float = 25.0


@dataclass(frozen=True)
class Slots:
    """What an application got: executors, and tasks at once on all of them."""

    executors: int
    slots: int


@contextlib.contextmanager
def spark_context(name: str, settings: SparkSettings) -> Iterator[Any]:
    """Runs an application.

    Args:
        name: What the cluster shows.
        settings: Where and how.

    Yields:
        The pyspark.SparkContext, with its executors up.

    Raises:
        EngineError: No Java, no pyspark, no such cluster, or too few slots; within about 30 s.
    """
    context = _start(name, settings)
    try:
        _wait_for_slots(context, settings)
        yield context
    finally:
        _stop(context)


def was_submitted() -> bool:
    """Whether spark-submit has started this process, and so knows the master."""
    return _SUBMITTED in os.environ


def slots_of(context: Any) -> Slots:
    """Counts the executors that are up now, and their slots."""
    # The driver is listed among them where it is no executor; local masters have only the driver.
    status = context._jsc.sc().statusTracker().getExecutorInfos()
    count = len(status) - (0 if context.master.startswith("local[") else 1)
    if context.master.startswith("local"):
        return Slots(max(count, 1), int(context.defaultParallelism))
    cores = int(context._jsc.sc().defaultParallelism())
    return Slots(count, cores if count else 0)


def told(error: Exception) -> str:
    """Says in a line why Spark failed: the cause that lies deepest, without the stack."""
    text = str(getattr(error, "java_exception", None) or error)
    from_python = re.findall(r"^\w+(?:Error|Exception|Exit|Interrupt)(?:: .*)?$", text, re.MULTILINE)
    if from_python:
        return str(from_python[-1])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by:")]
    first = (causes[-1].removeprefix("Caused by:") if causes else lines[0]) if lines else type(error).__name__
    return re.sub(r"^(\w+\.)+(\w+(Exception|Error)): ", "", first.strip())


def _start(name: str, settings: SparkSettings) -> Any:
    try:
        import pyspark
    except ImportError as error:
        raise EngineError("Spark needs pyspark: pip install 'boneage-sparkrun[spark]'") from error
    if not (settings.master or "spark.master" in settings.conf or was_submitted()):
        raise EngineError("no Spark master was named; a URL such as spark://host:7077 or yarn would do")
    os.environ["JAVA_HOME"] = str(find_java_home())
    os.environ["PYSPARK_PYTHON"] = f"./{ENVIRONMENT}/bin/python" if settings.archive else sys.executable
    conf = pyspark.SparkConf()
    for key, value in _conf(name, settings).items():
        conf.set(key, value)
    try:
        return pyspark.SparkContext(conf=conf)
    except Exception as error:
        raise EngineError(f"Spark did not start on {conf.get('spark.master')}: {told(error)}") from error


def _stop(context: Any) -> None:
    # A context whose JVM is gone cannot be stopped; that it is gone was told already.
    with contextlib.suppress(Exception):
        context.stop()


def _conf(name: str, settings: SparkSettings) -> dict[str, str]:
    log = settings.log or Path(os.devnull)
    options = (
        f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties')} -Dsparkrun.log={log}"
    )
    conf = {
        "spark.app.name": name,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.extraJavaOptions": options,
        "spark.speculation": "false",
        "spark.dynamicAllocation.enabled": "false",
        "spark.python.worker.reuse": "true",
        # Scheduled as soon as there is anybody; that all are there is awaited by us.
        "spark.scheduler.minRegisteredResourcesRatio": "0",
        **{f"spark.executorEnv.{key}": value for key, value in ONE_THREAD.items()},
    }
    if settings.master is not None:
        conf["spark.master"] = settings.master
        conf |= _address(settings.master)
    if settings.archive is not None:
        conf["spark.archives"] = f"{os.fspath(settings.archive)}#{ENVIRONMENT}"
    conf |= _size(settings)
    return conf | dict(settings.conf)


def _size(settings: SparkSettings) -> dict[str, str]:
    conf, cores = {}, settings.cores_per_worker
    if settings.total_cores is not None:
        conf["spark.cores.max"] = str(settings.total_cores)
        # YARN knows no most: it is told how many executors.
        conf["spark.executor.instances"] = str(-(-settings.total_cores // (cores or 1)))
    if cores is not None:
        conf["spark.executor.cores"] = str(cores)
    return conf


def _address(master: str) -> dict[str, str]:
    """Reaches a standalone master, and tells the address of ours that its workers can reach."""
    found = re.fullmatch(r"spark://(?:.*,)?(.+):(\d+)", master)
    if not found:
        return {}
    host, port = found[1], int(found[2])
    try:
        with socket.create_connection((host.strip("[]"), port), timeout=_CONNECT_SECONDS) as connection:
            return {"spark.driver.host": connection.getsockname()[0]}
    except OSError as error:
        reason = error.strerror or str(error)
        raise EngineError(f"no Spark master answers at {master}: {reason}") from error


def _wait_for_slots(context: Any, settings: SparkSettings) -> None:
    needed = settings.total_cores or 1
    deadline = time.monotonic() + settings.start_seconds
    while (found := slots_of(context)).slots < needed:
        if time.monotonic() > deadline:
            raise EngineError(
                f"{needed} slots are needed and {found.slots} were found on {context.master} within "
                f"{settings.start_seconds:.0f} s; a free or larger cluster, fewer cores or less memory an "
                "executor would do"
            )
        time.sleep(_POLL_SECONDS)
