"""The stages that treat each case by itself, handed to the engine; and the split."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from boneage_cli.batch import plain_reason
from boneage_cli.config import to_dict
from boneage_cli.errors import RunError
from boneage_cli.files import shown
from boneage_cli.workspace import merged
from boneage_sparkrun.engine import MapResult, MapTask
from boneage_sparkrun.shards import read_shard, shard_uris, write_shard

if TYPE_CHECKING:
    from boneage_cli.pipeline import Run

__all__ = ["ingest", "map_cases", "prepare", "segment", "split"]

_TOLD = 20


def ingest(run: Run) -> dict[str, Any]:
    """Takes the radiographs in, at the size of the run; sets aside what cannot be read."""
    sources = run.cases.sources(run.scratch / "sources", run.engine)
    result = map_cases(run, "ingest", sources, to_dict(run.config.ingest))
    return {"cases": result.done, "set_aside": result.failed}


def split(run: Run) -> dict[str, Any]:
    """Decides for the whole run who is test and in which fold everyone else is.

    A fold is for training the regression: a case without an age has none, nor has a thumbnail (-1).
    """
    from boneage_regression.folds import assign_folds, in_test

    counts = {"train": 0, "test": 0}
    cases = list(run.workspace.records(("ingest",), ("age_months", "male", "kind")))
    rest = [
        case
        for case in cases
        if not in_test(case["case_id"]) and case["age_months"] is not None and case["kind"] != "thumbnail"
    ]
    folds = {}
    if len(rest) >= run.config.split.folds:  # with fewer, training says what it lacks
        ids, ages, males = ([case[name] for case in rest] for name in ("case_id", "age_months", "male"))
        folds = assign_folds(ids, ages, males, k=run.config.split.folds)
    for uri in run.workspace.shards("ingest"):
        records = []
        for case in merged([uri], ()):
            part = "test" if in_test(case["case_id"]) else "train"
            counts[part] += 1
            records.append(case | {"part": part, "fold": folds.get(case["case_id"], -1)})
        write_shard(str(run.output / uri.rsplit("/", 1)[1]), records)
    return counts | {"folds": run.config.split.folds}


def segment(run: Run) -> dict[str, Any]:
    """Finds the hand in every radiograph."""
    model = None if run.masks_given else str(run.workspace.segmentation_model)
    result = map_cases(run, "segment", run.workspace.shard_table(("ingest",)), {"model": model})
    return {"cases": result.done, "set_aside": result.failed}


def prepare(run: Run) -> dict[str, Any]:
    """Makes the regression network's input of every radiograph."""
    table = run.workspace.shard_table(("ingest", "segment"))
    result = map_cases(run, "prepare", table, to_dict(run.config.prepare))
    return {"cases": result.done, "set_aside": result.failed}


def map_cases(run: Run, name: str, sources: list[list[str]], config: dict[str, Any]) -> MapResult:
    """Runs one map stage on the engine; fails when too many cases were set aside.

    Raises:
        RunError: If more than the share of cases in the settings was set aside, or all of them.
    """
    task = MapTask(name, f"boneage_cli.stages:setup_{name}", f"boneage_cli.stages:apply_{name}", config)
    result = run.engine.map(task, sources, str(run.output), progress=run.progress.count)
    total = result.done + result.failed
    reasons = _reasons(f"{run.output}/failures", result.failed)
    if not result.done or result.failed > run.config.ingest.max_failures * total:
        raise RunError(
            f"{name}: {result.failed} of {total} cases set aside, more than ingest.max_failures "
            f"({run.config.ingest.max_failures:g} of all) allows{reasons}"
        )
    if result.failed:
        run.progress.note(f"{name}: {result.failed} of {total} cases set aside{reasons}")
    return result


def _reasons(folder: str, count: int) -> str:
    """The first few cases that were set aside, a line each."""
    failures = (record for uri in shard_uris(folder) for record in read_shard(uri))
    first = [
        f"{shown(record['case_id'])}: {plain_reason(record['reason'])}" for record in islice(failures, _TOLD)
    ]
    more = [f"... and {count - _TOLD} more, named in the report"] if count > _TOLD else []
    return "".join(f"\n  {line}" for line in [*first, *more])
