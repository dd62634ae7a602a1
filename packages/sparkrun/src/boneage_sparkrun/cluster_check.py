"""Looks at a cluster before hours are spent: slots, memory, versions, environment, and what workers reach."""

from __future__ import annotations

import os
import platform
import socket
import uuid
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .errors import StorageError
from .place import Place
from .spark_engine import SparkEngine
from .spark_session import Slots, slots_of, spark_context
from .storage import Uri, absolute

__all__ = ["check_cluster", "examine"]


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
    with spark_context("check", engine.settings) as context:
        slots, spark = slots_of(context), str(context.version)
    argument = {"distributions": list(distributions), "folders": [absolute(folder) for folder in folders]}
    here = examine(argument)
    there = engine.run(f"{__name__}:examine", [argument] * slots.slots)
    workers = list({answer["host"]: answer for answer in there}.values())
    facts = {
        "executors": slots.executors,
        "slots": slots.slots,
        "spark": spark,
        "driver": here,
        "workers": workers,
    }
    return facts, _wrong(engine, slots, here, workers)


def examine(argument: dict[str, Any]) -> dict[str, Any]:
    """Tells what the machine that it runs on has: versions, memory, and which folders it reaches."""
    return {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "versions": {name: _version(name) for name in argument["distributions"]},
        "folders": {folder: _unreached(Place(folder)) for folder in argument["folders"]},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


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


def _wrong(
    engine: SparkEngine, slots: Slots, here: dict[str, Any], workers: Sequence[dict[str, Any]]
) -> list[str]:
    found = []
    wanted = engine.settings.total_cores
    if wanted is not None and slots.slots < wanted:
        found.append(f"{wanted} slots are wanted, {slots.slots} were found")
    for worker in workers:
        host = worker["host"]
        if worker["python"].rpartition(".")[0] != here["python"].rpartition(".")[0]:
            found.append(
                f"{host} has Python {worker['python']}, the driver {here['python']}: pack an environment"
            )
        for name, number in here["versions"].items():
            if worker["versions"][name] != number:
                found.append(
                    f"{host} has {name} {worker['versions'][name] or 'not at all'}, the driver {number}"
                )
        found += [f"{host}: {reason}" for reason in worker["folders"].values() if reason]
    return [*(f"the driver: {reason}" for reason in here["folders"].values() if reason), *found]
