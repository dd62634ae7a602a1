"""Where work runs: the protocol that every engine keeps, and the engine of this machine."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from .errors import EngineError
from .functions import find_function
from .pool import TaskProgress, run_tasks
from .shards import Record, clean_record, read_shard, shard_name, write_shard
from .storage import Uri, join, open_storage
from .threads import ONE_THREAD

__all__ = ["Engine", "LocalEngine", "MapResult", "MapTask", "map_shard", "merge_records"]

FAILURES = "failures"


@dataclass(frozen=True)
class MapTask:
    """One function over all records of a stage.

    Attributes:
        name: For people.
        setup: "module:function": setup(config) -> resource, once per worker process.
        apply: "module:function": apply(record, resource) -> the fields it adds.
        config: What JSON can hold.
    """

    name: str
    setup: str
    apply: str
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MapResult:
    """How many records were done and how many set aside, with their reasons, under `failures`."""

    done: int
    failed: int


class Engine(Protocol):
    """Runs named functions over shards and over arguments. Every engine gives the same files."""

    def map(
        self,
        task: MapTask,
        sources: Sequence[Sequence[Uri]],
        target_folder: Uri,
        progress: TaskProgress | None = None,
    ) -> MapResult:
        """Applies a task to every record.

        Args:
            task: What to do.
            sources: For each shard to write, the shards that it is made of: one of each stage read. Their
                records are merged by case_id; a record must be in all of them to be used.
            target_folder: Gets shard-00000-of-0000N.parquet and the same under failures/ (case_id, reason).
            progress: Called with (shards done, shards in all).

        Returns:
            The counts.

        Raises:
            EngineError: The task could not be run to its end.
        """
        ...

    def run(
        self, function: str, arguments: Sequence[dict[str, Any]], progress: TaskProgress | None = None
    ) -> list[dict[str, Any]]:
        """Calls a function once per argument, independently.

        Args:
            function: "module:function"; it takes one dict and returns one.
            arguments: The dicts.
            progress: Called with (done, in all).

        Returns:
            The results, in order.

        Raises:
            EngineError: A call failed or its process died.
        """
        ...


class LocalEngine:
    """Runs on this machine, in processes of its own.

    Args:
        workers: Processes at once; None: one per core; 1: everything in this process.
        environment: Variables for the processes; None: `ONE_THREAD`, so that they do not fight for cores.
    """

    def __init__(self, workers: int | None = None, environment: Mapping[str, str] | None = None) -> None:
        if workers is not None and workers < 1:
            raise EngineError(f"workers must be at least 1; received {workers}")
        self.workers = workers or _cores()
        self._environment = dict(ONE_THREAD if environment is None else environment)

    def map(
        self,
        task: MapTask,
        sources: Sequence[Sequence[Uri]],
        target_folder: Uri,
        progress: TaskProgress | None = None,
    ) -> MapResult:
        """Applies a task to every record; see `Engine.map`."""
        find_function(task.setup), find_function(task.apply)
        for folder in (target_folder, join(target_folder, FAILURES)):
            open_storage(folder).make_folder(folder)
        call = uuid.uuid4().hex
        arguments = [
            {
                "call": call,
                "task": asdict(task),
                "sources": [os.fspath(uri) for uri in uris],
                "target": join(target_folder, shard_name(index, len(sources))),
                "failures": join(target_folder, FAILURES, shard_name(index, len(sources))),
            }
            for index, uris in enumerate(sources)
        ]
        try:
            counts = self._run(f"{__name__}:map_shard", arguments, progress)
        finally:
            _resources.clear()
        return MapResult(sum(count["done"] for count in counts), sum(count["failed"] for count in counts))

    def run(
        self, function: str, arguments: Sequence[dict[str, Any]], progress: TaskProgress | None = None
    ) -> list[dict[str, Any]]:
        """Calls a function once per argument, each in a process of the pool; see `Engine.run`."""
        return self._run(function, arguments, progress)

    def _run(
        self, function: str, arguments: Sequence[dict[str, Any]], progress: TaskProgress | None
    ) -> list[dict[str, Any]]:
        return run_tasks(
            function, arguments, workers=self.workers, environment=self._environment, progress=progress
        )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# The one resource of this process, by the call that it belongs to.
_resources: dict[str, Any] = {}


def map_shard(argument: dict[str, Any]) -> dict[str, int]:
    """Does one shard of a map: what every engine runs in its workers.

    Args:
        argument: call (a name of the whole map), task, sources, target, failures.

    Returns:
        The counts done and failed.
    """
    task = MapTask(**argument["task"])
    records = merge_records([read_shard(uri) for uri in argument["sources"]])
    if argument["call"] not in _resources:
        _resources.clear()
        _resources[argument["call"]] = find_function(task.setup)(task.config)
    resource, apply = _resources[argument["call"]], find_function(task.apply)
    done: list[Record] = []
    failed: list[Record] = []
    for record in records:
        try:
            done.append(_added(record, apply(dict(record), resource)))
        except Exception as error:
            failed.append({"case_id": record["case_id"], "reason": f"{type(error).__name__}: {error}"})
    # The target comes last: where it is, the failures are too.
    write_shard(argument["failures"], failed)
    write_shard(argument["target"], done)
    return {"done": len(done), "failed": len(failed)}


def _added(record: Record, fields: Any) -> Record:
    case_id = record["case_id"]
    if not isinstance(fields, dict):
        raise TypeError(f"apply must return a dict of fields; it returned {type(fields).__name__}")
    if fields.get("case_id", case_id) != case_id:
        raise ValueError(f"apply must keep the case_id; it returned {fields['case_id']!r}")
    return clean_record({"case_id": case_id, **fields})


def merge_records(shards: Sequence[Sequence[Record]]) -> list[Record]:
    """Joins what several stages know of the same cases.

    Args:
        shards: The records of one shard of each stage.

    Returns:
        The records that are in all of them (a stage may have set some aside), in the first one's order.

    Raises:
        EngineError: Two stages give a field of the same name.
    """
    if not shards:
        return []
    merged = [dict(record) for record in shards[0]]
    for shard in shards[1:]:
        known = {record["case_id"]: record for record in shard}
        merged = [record for record in merged if record["case_id"] in known]
        for record in merged:
            more = known[record["case_id"]]
            doubled = sorted((record.keys() & more.keys()) - {"case_id"})
            if doubled:
                raise EngineError(
                    f"two stages give field {doubled[0]!r} of {record['case_id']}; a stage only adds fields"
                )
            record.update(more)
    return merged
