"""A Spark application from its start to its end: found before it is needed, quiet, with our own errors."""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .driver import ended_after, start_driver, was_submitted
from .errors import EngineError
from .java import find_java_home
from .masters import dial_master
from .spark_errors import told
from .storage import Uri
from .threads import ONE_THREAD

__all__ = ["Slots", "SparkSettings", "settled_slots", "slots_of", "spark_context"]

ENVIRONMENT = "environment"
_WAITING = "spark.scheduler.maxRegisteredResourcesWaitingTime"
_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
# Java only moves bytes here: better that it starts soon and leaves the core to Python than that it compiles well.
_QUICK_JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
_NO_ANSWER = "what answers there took no application within {:.0f} s; is it the master of a Spark {}?"
_POLL_SECONDS = 0.1
_QUIET_SECONDS = 4.0  # executors start one after another


@dataclass(frozen=True)
class SparkSettings:
    """How to reach a cluster, and what to take of it.

    Attributes:
        master: Its URL, such as spark://host:7077 or yarn; None: spark-submit has said it.
        total_cores: Slots to take, all of them needed; None: what the cluster gives.
        cores_per_worker: Slots of each executor; None: Spark's own choice.
        archive: The environment made by `pack_environment`, for workers that have none; None: workers have
            this very Python at this very path.
        conf: Further settings of Spark; they go before ours. Its own spark.scheduler.maxRegisteredResourcesWaitingTime
            goes before `start_seconds`.
        log: A file for what Spark tells; None: nowhere.
        start_seconds: How long executors may take to come up; None: 15, and 60 on YARN, which copies files first.
        allow_fewer: Begin with fewer slots than total_cores, if no more come up; with one at least.
    """

    master: str | None = None
    total_cores: int | None = None
    cores_per_worker: int | None = None
    archive: Uri | None = None
    conf: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    start_seconds: float | None = None
    allow_fewer: bool = False

    @property
    def waiting_seconds(self) -> float:
        """How long executors may take, by Spark's own setting if it is given."""
        given = self.conf.get(_WAITING)
        if given is None:
            usual = 60.0 if self.master == "yarn" else 15.0
            return usual if self.start_seconds is None else self.start_seconds
        found = re.fullmatch(r"(\d+)(ms|s|m|min)?", given)
        if not found:
            raise EngineError(f"received {_WAITING}={given}; a time such as 90s would do")
        return float(found[1]) * {"ms": 0.001, "m": 60.0, "min": 60.0}.get(found[2], 1.0)

    @property
    def threads(self) -> int:
        """Of one task: the cores of a slot, 1 but for Spark's own setting."""
        given = self.conf.get("spark.task.cpus", "1")
        if not (given.isdecimal() and int(given) > 0):
            raise EngineError(f"received spark.task.cpus={given}; a whole number from 1 on would do")
        return int(given)

    @property
    def wanted_slots(self) -> int | None:
        """How many are asked for; None: what the cluster gives."""
        worker = self.cores_per_worker or self.threads
        return None if self.total_cores is None else self.total_cores // worker * (worker // self.threads)

    @property
    def needed_slots(self) -> int:
        """Without which nothing is begun."""
        return 1 if self.allow_fewer else max(1, self.wanted_slots or 0)


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


def slots_of(context: Any) -> Slots:
    """Counts the executors that are up now, and the tasks that they can do at once."""
    spark = context._jsc.sc()
    tasks = spark.maxNumConcurrentTasks(spark.resourceProfileManager().defaultResourceProfile())
    # The scheduler's own list: the status tracker's lags behind the slots. Local masters have only the driver.
    return Slots(1 if spark.isLocal() else spark.getExecutorIds().size(), int(tasks))


def settled_slots(context: Any, settings: SparkSettings) -> Slots:
    """Counts when all that were asked for are there; or where none were, when nothing more comes up for a while."""
    found, since = slots_of(context), time.monotonic()
    deadline = since + settings.waiting_seconds
    wanted = settings.wanted_slots or math.inf
    quiet = _QUIET_SECONDS if settings.wanted_slots is None else math.inf
    while found.slots < wanted and time.monotonic() < min(since + quiet, deadline):
        time.sleep(_POLL_SECONDS)
        now = slots_of(context)
        if now != found:
            found, since = now, time.monotonic()
    return found


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
    master = str(conf.get("spark.master", "the master that spark-submit knows"))
    start_driver(conf, settings.log)
    # A standalone master takes an application at once, or never; YARN first takes its files.
    standalone = master.startswith("spark:")
    with ended_after(settings.waiting_seconds if standalone else None) as ended:
        try:
            return pyspark.SparkContext(conf=conf)
        except Exception as error:
            reason = (
                _NO_ANSWER.format(settings.waiting_seconds, pyspark.__version__)
                if ended.is_set()
                else told(error)
            )
            raise EngineError(f"Spark did not start on {master}: {reason}") from error


def _stop(context: Any) -> None:
    # A context whose JVM is gone cannot be stopped; that it is gone was told already.
    with contextlib.suppress(Exception):
        context.stop()


def _conf(name: str, settings: SparkSettings) -> dict[str, str]:
    log = settings.log or Path(os.devnull)
    options = {
        "log4j2.configurationFile": Path(__file__).with_name("log4j2.properties"),
        "sparkrun.log": log.absolute(),
    }
    conf = {
        "spark.app.name": name,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        _JAVA_OPTIONS: " ".join(
            [_QUICK_JAVA, *(f"-D{key}={_quoted(value)}" for key, value in options.items())]
        ),
        "spark.executor.extraJavaOptions": _QUICK_JAVA,
        "spark.speculation": "false",
        "spark.dynamicAllocation.enabled": "false",
        "spark.python.worker.reuse": "true",
        # Scheduled as soon as there is anybody; that all are there is awaited by us.
        "spark.scheduler.minRegisteredResourcesRatio": "0",
        **{f"spark.executorEnv.{key}": value for key, value in ONE_THREAD.items()},
    }
    master = settings.conf.get("spark.master", settings.master)
    if master is not None:
        conf["spark.master"] = master
        address = dial_master(master)
        if address is not None and master != "yarn":
            conf["spark.driver.host"] = address
    if settings.archive is not None:
        conf["spark.archives"] = f"{os.fspath(settings.archive)}#{ENVIRONMENT}"
    conf |= _size(settings)
    given = dict(settings.conf)
    if _JAVA_OPTIONS in given:
        given[_JAVA_OPTIONS] = f"{conf[_JAVA_OPTIONS]} {given[_JAVA_OPTIONS]}"
    return conf | given


def _quoted(path: Path) -> str:
    """A path as Spark takes it among options, where a space would end it."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _size(settings: SparkSettings) -> dict[str, str]:
    conf, cores = {}, settings.cores_per_worker
    if settings.total_cores is not None:
        conf["spark.cores.max"] = str(settings.total_cores)
        # YARN knows no most: it is told how many executors.
        conf["spark.executor.instances"] = str(-(-settings.total_cores // (cores or 1)))
    if cores is not None:
        conf["spark.executor.cores"] = str(cores)
    return conf


def _wait_for_slots(context: Any, settings: SparkSettings) -> None:
    needed = settings.needed_slots
    deadline = time.monotonic() + settings.waiting_seconds
    while (found := slots_of(context)).slots < needed:
        if time.monotonic() > deadline:
            raise EngineError(
                f"{_counted(needed)} needed and {found.slots} found on {context.master} within "
                f"{settings.waiting_seconds:.0f} s; a free or larger cluster, fewer cores or less memory an "
                f"executor would do, or a longer {_WAITING}"
            )
        time.sleep(_POLL_SECONDS)


def _counted(slots: int) -> str:
    return "1 slot is" if slots == 1 else f"{slots} slots are"
