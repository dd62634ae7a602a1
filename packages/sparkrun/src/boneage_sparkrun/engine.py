"""Where work runs: the protocol that every engine keeps, and the engine of this machine."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from .errors import EngineError
from .mapping import MAP_RECORDS, MAP_SHARD, MapResult, MapTask, add_counts, forget_resource, plan_map
from .pool import TaskProgress, run_tasks
from .shards import Record, clean_record
from .storage import Uri
from .threads import ONE_THREAD

__all__ = ["Engine", "LocalEngine", "MapResult", "MapTask"]


class Engine(Protocol):
    """Runs named functions over shards and over arguments. Every engine gives the same files."""

    def threads(self, tasks: int) -> int:
        """How many threads each of so many tasks may use, if they are run together."""
        ...

    def map(
        self,
        task: MapTask,
        sources: Sequence[Sequence[Uri]],
        target_folder: Uri,
        progress: TaskProgress | None = None,
    ) -> MapResult:
        """Applies a task to every record.

        A shard that is there already is kept and counted: a map that was cut off goes on.

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
        self._workers = workers or _cores()
        self._environment = dict(ONE_THREAD if environment is None else environment)

    def threads(self, tasks: int) -> int:
        """How many threads each of so many tasks may use: its share of the processes."""
        return max(1, self._workers // tasks)

    def map(
        self,
        task: MapTask,
        sources: Sequence[Sequence[Uri]],
        target_folder: Uri,
        progress: TaskProgress | None = None,
    ) -> MapResult:
        """Applies a task to every record; see `Engine.map`."""
        todo, kept = plan_map(task, sources, target_folder)
        report = progress or _ignore
        try:
            counts = self._run(MAP_SHARD, todo, lambda done, _: report(len(kept) + done, len(sources)))
        finally:
            forget_resource()
        return add_counts([*kept, *counts])

    def map_records(
        self, task: MapTask, parts: Sequence[Sequence[Record]], progress: TaskProgress | None = None
    ) -> tuple[list[Record], list[Record]]:
        """Applies a task to records that are at hand, and writes no shards: for few and small ones.

        Args:
            task: What to do.
            parts: The records; those of one part are given to a process together.
            progress: Called with (parts done, in all).

        Returns:
            What `apply` added to each record, with its case_id; and case_id and reason of each that was set aside.
            Both are in order.

        Raises:
            EngineError: The task could not be run to its end.
            ShardError: A record is none, see `clean_record`.
        """
        call = uuid.uuid4().hex
        arguments = [
            {"call": call, "task": asdict(task), "records": [clean_record(record) for record in part]}
            for part in parts
        ]
        try:
            outcomes = self._run(MAP_RECORDS, arguments, progress)
        finally:
            forget_resource()
        done, failed = ([row for rows in outcomes for row in rows[name]] for name in ("done", "failed"))
        return done, failed

    def run(
        self, function: str, arguments: Sequence[dict[str, Any]], progress: TaskProgress | None = None
    ) -> list[dict[str, Any]]:
        """Calls a function once per argument, each in a process of the pool; see `Engine.run`."""
        return self._run(function, arguments, progress)

    def _run(
        self, function: str, arguments: Sequence[dict[str, Any]], progress: TaskProgress | None
    ) -> list[dict[str, Any]]:
        return run_tasks(
            function, arguments, workers=self._workers, environment=self._environment, progress=progress
        )


def _ignore(_done: int, _total: int) -> None:
    pass


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
