"""One function over all records of a stage, shard by shard: what every engine runs, wherever it does."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from .errors import EngineError
from .functions import find_function
from .memory import tells_lack_of_memory
from .shards import Record, clean_record, count_records, read_shard, shard_name, write_shard
from .storage import Uri, join, open_storage

__all__ = [
    "MAP_RECORDS",
    "MAP_SHARD",
    "MapResult",
    "MapTask",
    "add_counts",
    "forget_resource",
    "map_records",
    "map_shard",
    "merge_records",
    "plan_map",
]

FAILURES = "failures"
MAP_SHARD = f"{__name__}:map_shard"
MAP_RECORDS = f"{__name__}:map_records"


@dataclass(frozen=True)
class MapTask:
    """One function over all records of a stage.

    Attributes:
        name: For people.
        setup: "module:function": setup(config) -> resource, once per worker process.
        apply: "module:function": apply(record, resource) -> the fields it adds.
        config: What JSON can hold.
        threads: How many records a process works on at once: with 2 it does not wait for the disk. `apply` must bear
            it.
    """

    name: str
    setup: str
    apply: str
    config: dict[str, Any] = field(default_factory=dict)
    threads: int = 1


@dataclass(frozen=True)
class MapResult:
    """How many records were done and how many set aside, with their reasons, under `failures`."""

    done: int
    failed: int


def plan_map(
    task: MapTask, sources: Sequence[Sequence[Uri]], target_folder: Uri
) -> tuple[list[dict[str, Any]], list[dict[str, int]]]:
    """Makes the folders of a map and tells what is left to do of it.

    Args:
        task: What to do.
        sources: See `boneage_sparkrun.engine.Engine.map`.
        target_folder: See there.

    Returns:
        The arguments for `map_shard`, one a shard that is not there yet; and the counts of those that are.
    """
    find_function(task.setup), find_function(task.apply)
    storage, call = open_storage(target_folder), uuid.uuid4().hex
    storage.make_folder(join(target_folder, FAILURES))
    there = set(storage.list(target_folder)) & set(storage.list(join(target_folder, FAILURES)))
    todo, kept = [], []
    for index, uris in enumerate(sources):
        name = shard_name(index, len(sources))
        target, failures = join(target_folder, name), join(target_folder, FAILURES, name)
        if name in there:
            kept.append({"done": count_records(target), "failed": count_records(failures)})
            continue
        todo.append(
            {
                "call": call,
                "task": asdict(task),
                "sources": [os.fspath(uri) for uri in uris],
                "target": target,
                "failures": failures,
            }
        )
    return todo, kept


def add_counts(counts: Sequence[Mapping[str, int]]) -> MapResult:
    """Adds up what `map_shard` gave for each shard."""
    return MapResult(sum(count["done"] for count in counts), sum(count["failed"] for count in counts))


# The one resource of this process, by the call that it belongs to.
_resources: dict[str, Any] = {}


def forget_resource() -> None:
    """Lets go of what this process set up for a map."""
    _resources.clear()


def map_shard(argument: dict[str, Any]) -> dict[str, int]:
    """Does one shard of a map: what every engine runs in its workers.

    Args:
        argument: call (a name of the whole map), task, sources, target, failures.

    Returns:
        The counts done and failed.
    """
    records = merge_records([read_shard(uri) for uri in argument["sources"]])
    outcome = map_records({"call": argument["call"], "task": argument["task"], "records": records})
    # The target comes last: where it is, the failures are too.
    write_shard(argument["failures"], outcome["failed"])
    write_shard(argument["target"], outcome["done"])
    return {name: len(rows) for name, rows in outcome.items()}


def map_records(argument: dict[str, Any]) -> dict[str, list[Record]]:
    """Does some records of a map, without any file.

    Args:
        argument: call (a name of the whole map), task, records.

    Returns:
        done: what was told of each record; failed: case_id and reason of each that was set aside; in order.
    """
    task = MapTask(**argument["task"])
    if argument["call"] not in _resources:
        _resources.clear()
        _resources[argument["call"]] = find_function(task.setup)(task.config)
    resource, apply = _resources[argument["call"]], find_function(task.apply)
    outcomes = _try_all(task.threads, partial(_try, apply, resource), argument["records"])
    done = [record for record, reason in outcomes if reason is None]
    failed = [{"case_id": r["case_id"], "reason": reason} for r, reason in outcomes if reason is not None]
    return {"done": done, "failed": failed}


Outcome = tuple[Record, str | None]


def _try_all(threads: int, attempt: Callable[[Record], Outcome], records: list[Record]) -> list[Outcome]:
    if threads == 1:
        return [attempt(record) for record in records]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(attempt, records))


def _try(apply: Callable[[Record, Any], Any], resource: Any, record: Record) -> Outcome:
    """What became of a record; or the record, and why it is set aside."""
    try:
        return _added(record, apply(dict(record), resource)), None
    except Exception as error:
        if _is_the_machines(error):
            raise
        return record, f"{type(error).__name__}: {error}"


# Not the record's fault, and the next one would fare no better: the job stops and can go on later.
_MACHINE_FAULTS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.ENOMEM,
    errno.EMFILE,
    errno.ENFILE,
}


def _is_the_machines(error: BaseException | None) -> bool:
    """Tells whether memory or disk ran out, rather than the record being bad."""
    if error is None or isinstance(error, MemoryError):
        return error is not None
    if getattr(error, "errno", None) in _MACHINE_FAULTS or tells_lack_of_memory(str(error)):
        return True
    return _is_the_machines(error.__cause__)


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
