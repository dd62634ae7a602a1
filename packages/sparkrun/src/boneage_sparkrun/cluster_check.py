"""Looks at a cluster before hours are spent: slots, memory, versions, environment, and what workers reach."""

from __future__ import annotations

import inspect
import json
import os
import socket
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from . import look as look_module
from .errors import EngineError, StorageError
from .look import look
from .place import Place
from .spark_engine import SparkEngine, absolute, run_tasks
from .spark_errors import told
from .spark_session import settled_slots, spark_context
from .storage import Uri
from .transfers import transfer

__all__ = ["check_cluster", "examine_folders"]

_ROUNDS = 5
# Run by the executor's Java, so that it answers whatever its Python is: host, the executor's process, and what
# its Python says or why there is none.
_LOOK = """
uname -n
echo $PPID
sleep "$1"
python=$2 program=$3
shift 3
"$python" -c "$program" $PPID "$@" 2>&1 || :
"""


def check_cluster(
    engine: SparkEngine, *, distributions: Sequence[str], folders: Sequence[Uri] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Looks at a cluster; takes an application of a few seconds.

    Args:
        engine: The one to be used.
        distributions: What workers need installed, in the versions that are installed here.
        folders: Where the driver and every worker must be able to write and read.

    Returns:
        The facts, and what is wrong with them, a sentence each.

    Raises:
        EngineError: There is no such cluster, or it gives too few slots.
    """
    argument = {"folders": [absolute(folder) for folder in folders]}
    here = {"host": socket.gethostname(), **examine_folders(argument)}
    wrong = [f"the driver: {reason}" for reason in here["folders"].values() if reason]
    with spark_context("check", engine.settings) as context:
        slots = settled_slots(context, engine.settings)
        workers = _look_at_all(context, slots.slots, slots.executors, distributions)
        here |= look(int(context._jvm.java.lang.ProcessHandle.current().pid()), list(distributions))
        lacking = [line for worker in workers for line in _differences(worker, here)]
        if len(workers) < slots.executors:
            lacking.append(f"{len(workers)} of {slots.executors} executors took a task")
        if folders and not wrong and all(_runs(worker, here) for worker in workers):
            lacking += _unreached_by_workers(context, slots.slots, argument)
        memory = int(context._jsc.sc().executorMemory()) << 20
    facts = {
        "executors": slots.executors,
        "slots": slots.slots,
        "executor_memory_bytes": memory,
        "driver": here,
        "workers": workers,
    }
    return facts, list(dict.fromkeys([*wrong, *lacking]))


def examine_folders(argument: dict[str, Any]) -> dict[str, Any]:
    """Tells of each folder why this machine cannot write and read there; "" if it can."""
    folders = argument["folders"]
    reasons = transfer(lambda folder: _unreached(Place(folder)), folders)
    return {"host": socket.gethostname(), "folders": dict(zip(folders, reasons, strict=True))}


def _look_at_all(
    context: Any, slots: int, executors: int, distributions: Sequence[str]
) -> list[dict[str, Any]]:
    """What each executor's machine has, or why its Python cannot tell."""
    program = inspect.getsource(look_module)
    workers: dict[tuple[str, str], dict[str, Any]] = {}
    for pause in range(_ROUNDS):
        # A task a slot; each goes on for a while, where at first some executor had none.
        command = ["sh", "-c", _LOOK, "sh", str(pause), os.environ["PYSPARK_PYTHON"], program, *distributions]
        try:
            answers = context._jsc.parallelize([""] * slots, slots).pipe(command).glom().collect()
        except Exception as error:
            raise EngineError(f"the look at {context.master} failed: {told(error)}") from error
        for host, process, *said in answers:
            workers[host, process] = {"host": host, **_understood(said)}
        if len(workers) >= executors:
            break
    return list(workers.values())


def _understood(said: Iterable[str]) -> dict[str, Any]:
    lines = [line for line in said if line.strip()]
    try:
        return {**json.loads(lines[-1]), "failure": ""}
    except (ValueError, IndexError):
        return {"failure": lines[-1].strip() if lines else "it says nothing"}


def _differences(worker: dict[str, Any], here: dict[str, Any]) -> list[str]:
    host = worker["host"]
    if worker["failure"]:
        return [f"{host}: its Python does not run: {worker['failure']}: pack an environment"]
    if _minor(worker["python"]) != _minor(here["python"]):
        return [f"{host} has Python {worker['python']}, the driver {here['python']}: pack an environment"]
    found = [
        f"{host} has {name} {worker['versions'][name] or 'not at all'}, the driver {number}"
        for name, number in here["versions"].items()
        if worker["versions"][name] != number
    ]
    if worker["spark"] not in (None, here["spark"]):
        found.append(f"{host} has Spark {worker['spark']}, the driver {here['spark']}")
    return found


def _runs(worker: dict[str, Any], here: dict[str, Any]) -> bool:
    """Whether Spark can run our functions there."""
    return not worker["failure"] and _minor(worker["python"]) == _minor(here["python"])


def _minor(version: str) -> str:
    return version.rpartition(".")[0]


def _unreached_by_workers(context: Any, slots: int, argument: dict[str, Any]) -> list[str]:
    try:
        answers = run_tasks(context, "the look at folders", f"{__name__}:examine_folders", [argument] * slots)
    except EngineError as error:
        return [str(error)]
    return [
        f"{answer['host']}: {reason}" for answer in answers for reason in answer["folders"].values() if reason
    ]


def _unreached(folder: Place) -> str:
    """Why a folder cannot be written and read; "" if it can."""
    place, content = folder / f"check-{uuid.uuid4().hex}", os.urandom(1000)
    try:
        place.write_bytes(content)
        read = place.read_bytes()
        place.remove()
    except StorageError as error:
        return str(error)
    return "" if read == content else f"{place} was read back as something else than was written"
