"""The one table of stages, and the way through it: from the first to the last, or from one, or only one."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from boneage_cli import evaluation, fitting, mapping, report
from boneage_cli.cases import Cases
from boneage_cli.config import RunConfig, to_dict, to_toml
from boneage_cli.errors import CallError, RunError
from boneage_cli.markers import code_version, digest, is_done, mark_done, outputs, read_marker
from boneage_cli.progress import Progress
from boneage_cli.workspace import Workspace
from boneage_sparkrun.engine import Engine
from boneage_sparkrun.place import Place

__all__ = ["STAGES", "Run", "Stage", "run_stages", "stage_names"]

Summary = dict[str, Any]
_NOWHERE = Place("")


@dataclass(frozen=True)
class Stage:
    """One line of the table.

    Attributes:
        name: What it is called on the command line, and its folder's name.
        reads: The stages whose output it reads.
        settings: The sections of the configuration that it depends on.
        work: Does it, and returns a summary.
    """

    name: str
    reads: tuple[str, ...]
    settings: tuple[str, ...]
    work: Callable[[Run], Summary]


@dataclass(frozen=True)
class Run:
    """What a stage needs to do its work.

    Attributes:
        workspace: The run's folder.
        config: The resolved settings.
        engine: Where map stages and folds run.
        cases: What `ingest` reads.
        origin: What the cases are, for the reader: the data's paths, or phantoms.
        phantoms: Whether the cases are phantoms, drawn because no data were given.
        init: Weights that training starts from, by stage name.
        progress: Where progress is shown.
        segmentation_model: A segmentation model to be used as it is, instead of training one.
        masks_given: Whether every case brings its mask.
        output: Where the present stage writes; it is renamed to the stage's folder when the stage is done.
        scratch: Where the present stage keeps what only it needs, checkpoints above all; gone when it is done.
    """

    workspace: Workspace
    config: RunConfig
    engine: Engine
    cases: Cases
    origin: dict[str, str]
    progress: Progress
    phantoms: bool = False
    init: dict[str, str] | None = None
    segmentation_model: str | None = None
    masks_given: bool = False
    output: Place = _NOWHERE
    scratch: Place = _NOWHERE


STAGES: tuple[Stage, ...] = (
    Stage("ingest", (), ("shard_size", "phantoms", "ingest"), mapping.ingest),
    Stage("split", ("ingest",), ("split", "seed"), mapping.split),
    Stage(
        "train-segmentation",
        ("ingest", "split"),
        ("split", "segmentation", "seed", "licence"),
        fitting.train_segmentation,
    ),
    Stage("segment", ("ingest", "train-segmentation"), (), mapping.segment),
    Stage("prepare", ("ingest", "segment"), ("prepare",), mapping.prepare),
    Stage(
        "train-regression",
        ("ingest", "split", "train-segmentation", "segment", "prepare"),
        ("split", "regression", "prepare", "ingest", "seed", "licence"),
        fitting.train_regression,
    ),
    Stage(
        "evaluate",
        ("ingest", "split", "train-segmentation", "segment", "prepare", "train-regression"),
        ("acceptance",),
        evaluation.evaluate,
    ),
    Stage(
        "report",
        ("ingest", "split", "train-segmentation", "segment", "prepare", "train-regression", "evaluate"),
        (),
        report.write,
    ),
)


def stage_names() -> tuple[str, ...]:
    """The stages' names, in order."""
    return tuple(stage.name for stage in STAGES)


def run_stages(
    run: Run, *, first: str | None = None, only: str | None = None, last: str | None = None
) -> Summary:
    """Runs the stages in order; one that was finished for the same settings and inputs is not done again.

    Args:
        run: What to run on.
        first: Do this stage and those after it anew; those before it must be done.
        only: Do this stage alone anew; those before it must be done.
        last: Stop after this stage.

    Returns:
        The summaries of all stages that are done now, by name.

    Raises:
        CallError: If a stage's name is unknown, or another run works in the same folder.
        RunError: If a stage before the first is not done.
    """
    if first and only:
        raise CallError("received both --from and --only; one of them would do")
    names = stage_names()
    for name in (first, only, last):
        if name is not None and name not in names:
            raise CallError(f"there is no stage {name!r}; there are {', '.join(names)}")
    start = names.index(only or first) if only or first else 0
    end = names.index(only or last) if only or last else len(names) - 1
    with run.workspace.locked():
        summaries, skipped = {}, 0
        for index, stage in enumerate(STAGES[: end + 1]):
            key = _key(run, stage)
            folder = run.workspace.stage(stage.name)
            forced = bool(only or first) and index >= start
            if not forced and is_done(folder, key):
                run.progress.skipped(stage.name)
                skipped += 1
            elif index < start:
                raise RunError(f"the stage {stage.name} is not done for these settings; run it first")
            else:
                (run.workspace.folder / "config.toml").write_bytes(to_toml(run.config).encode())
                _do(run, stage, key, anew=forced)
            marker = read_marker(folder)
            summaries[stage.name] = marker["summary"] if marker else {}
        if skipped == len(summaries):
            run.progress.note("nothing to do: every stage was done for these settings and inputs")
    return summaries


def _do(run: Run, stage: Stage, key: str, *, anew: bool) -> None:
    """Does a stage beside its place, where it goes on if it was cut off, and puts it in its place at the end."""
    unfinished = run.workspace.begin(stage.name, key, anew=anew)
    started = time.monotonic()
    if not is_done(unfinished.output, key):
        with run.progress.stage(stage.name):
            summary = stage.work(
                dataclasses.replace(run, output=unfinished.output, scratch=unfinished.scratch)
            )
        unfinished.clean()
        mark_done(unfinished.output, key, {**summary, "seconds": round(time.monotonic() - started, 1)})
    unfinished.finish()


def _key(run: Run, stage: Stage) -> str:
    """What the stage's output depends on: its settings, the code, its inputs."""
    settings = to_dict(run.config)
    inputs = [outputs(run.workspace.stage(name)) for name in stage.reads]
    return digest(
        {
            "settings": {name: settings[name] for name in stage.settings},
            "code": code_version(),
            "inputs": inputs,
            "origin": _origin(run, stage),
        }
    )


def _origin(run: Run, stage: Stage) -> Any:
    if stage.name == "ingest":
        return run.cases.stamp()
    given = [_model_digest(run.segmentation_model), run.masks_given]
    init = (run.init or {}).get(stage.name)
    return [given, _model_digest(init)] if stage.name.startswith("train") else given


def _model_digest(folder: str | None) -> Any:
    """What a model folder holds, by the digest that it brings; None where none is given."""
    return None if folder is None else digest((Place(folder) / "model.json").read_text())
