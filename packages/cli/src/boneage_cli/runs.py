"""The commands that train: the whole run, or its part up to one of the two models."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boneage_cli.cases import Cases, ListedCases, find_packed
from boneage_cli.config import RunConfig, load_config
from boneage_cli.errors import CallError
from boneage_cli.fitting import OUT_OF_FOLD, OVERLAYS
from boneage_cli.models import check_replaceable, find_segmentation, replace_folder
from boneage_cli.pipeline import Run, run_stages
from boneage_cli.progress import Progress
from boneage_cli.sources import Data, list_cases, list_phantoms, locate
from boneage_cli.workspace import Workspace
from boneage_sparkrun.engine import Engine, LocalEngine
from boneage_sparkrun.place import Place
from boneage_sparkrun.storage import absolute

__all__ = ["RunResult", "run_pipeline", "train_regression_model", "train_segmentation_model"]

# What a training shows of itself, beside its model: not in its folder, which others may be given.
_BESIDE = {"train-segmentation": OVERLAYS, "train-regression": OUT_OF_FOLD}
_KEYS = {OVERLAYS: "overlays", OUT_OF_FOLD: "out_of_fold"}


@dataclass(frozen=True)
class RunResult:
    """What a run gave.

    Attributes:
        summary: The stages' summaries, for machines.
        lines: What a person wants to know.
        shortfalls: What a run on phantoms should have reached and did not.
    """

    summary: dict[str, Any]
    lines: list[str]
    shortfalls: list[str]


def run_pipeline(
    *,
    data: str | None,
    labels: Path | None,
    outlines: Path | None,
    out: str,
    config_path: Path | None,
    preset: str,
    seed: int | None,
    first: str | None,
    only: str | None,
    engine: Engine,
    quiet: bool,
) -> RunResult:
    """Runs the stages on the data, or on phantoms where none are given. The arguments are the command's.

    Raises:
        CallError: If paths, settings or stages are not there or do not fit together.
    """
    if data is None and (labels or outlines):
        raise CallError(
            "received --labels or --outlines without --data; the folder of their radiographs would do"
        )
    changes = {} if seed is None else {"seed": seed, "phantoms": {"seed": seed}}
    config = load_config(config_path, preset=preset, changes=changes)
    progress = Progress(quiet=quiet)
    if not isinstance(engine, LocalEngine):  # workers are in other folders than we are
        out, data = absolute(out), data and absolute(data)
        labels, outlines = (path and path.absolute() for path in (labels, outlines))
    run = Run(
        Workspace(Place(out)),
        config,
        engine,
        *_cases(config, data, labels, outlines),
        progress,
        phantoms=data is None,
    )
    summaries = run_stages(run, first=first, only=only)
    shortfalls = summaries.get("evaluate", {}).get("shortfalls", [])
    return RunResult({"run": out, "stages": summaries}, _lines(Place(out), summaries, shortfalls), shortfalls)


def _cases(
    config: RunConfig, data: str | None, labels: Path | None, outlines: Path | None
) -> tuple[Cases, dict[str, str]]:
    if data is None:
        drawn = list_phantoms(config.phantoms)
        return ListedCases(drawn, config.shard_size), {"data": f"{len(drawn)} drawn phantoms"}
    packed = find_packed(data)
    if packed:
        if labels or outlines:
            raise CallError(
                f"received --labels or --outlines with the packed data in {data}, which bring theirs; "
                "'boneage upload' with them would do"
            )
        return packed, {"data": data}
    found = locate(Path(data), labels, outlines)
    names = ("images", "labels", "outlines", "thumbnails")
    origin = {name: str(getattr(found, name)) for name in names if getattr(found, name)}
    return ListedCases(list_cases(found), config.shard_size), origin


def _lines(out: Place, summaries: dict[str, Any], shortfalls: list[str]) -> list[str]:
    headline = summaries.get("evaluate", {}).get("headline", [])
    report = out / "report" / "report.html"
    return [
        *headline,
        *(f"short of what phantoms must reach: {text}" for text in shortfalls),
        *([f"report: {report}"] if "report" in summaries else []),
        "Not a medical device.",
    ]


def train_segmentation_model(
    images: Path,
    outlines: Path,
    out: Path,
    *,
    architecture: str,
    init: Path | None,
    config_path: Path | None,
    preset: str,
    workers: int,
    quiet: bool,
) -> dict[str, Any]:
    """Trains the segmentation by the run's own stages and puts its model into `out`.

    Beside it, `OUT-overlays.png` shows the best, the median and the worst radiograph of the inner part: not in
    the model's folder, which others may be given.
    """
    config = load_config(config_path, preset=preset, changes={"segmentation": {"architecture": architecture}})
    found = locate(images, outlines=outlines)
    cases = [
        case
        for case in list_cases(Data(found.images, None, found.outlines, None, found.thumbnails))
        if case["outline_uri"] or case["fault"]
    ]
    if not any(case["outline_uri"] for case in cases):
        raise CallError(f"none of the outlines in {outlines} belongs to a radiograph in {images}")
    return _train(
        "train-segmentation",
        cases,
        config,
        out,
        init=init,
        workers=workers,
        quiet=quiet,
        masks_given=False,
        model=None,
    )


def train_regression_model(
    images: Path,
    labels: Path,
    out: Path,
    *,
    masks: Path | None,
    segmentation: Path | None,
    architecture: str | None,
    init: Path | None,
    config_path: Path | None,
    preset: str,
    workers: int,
    quiet: bool,
) -> dict[str, Any]:
    """Trains the regression by the run's own stages and puts its model into `out`.

    Beside it, `OUT-out-of-fold.csv` tells what was said of each case by a network that had not seen it.
    """
    changes = {"regression": {"architecture": architecture}} if architecture else {}
    config = load_config(config_path, preset=preset, changes=changes)
    if masks is not None and not masks.is_dir():
        raise CallError(f"received {masks} for --masks, which is not a folder that is there")
    found = locate(images, labels=labels)
    return _train(
        "train-regression",
        list_cases(Data(found.images, found.labels, None, masks)),
        config,
        out,
        init=init,
        workers=workers,
        quiet=quiet,
        masks_given=masks is not None,
        model=str(find_segmentation(segmentation)),
    )


def _train(
    stage: str,
    cases: list[dict[str, Any]],
    config: RunConfig,
    out: Path,
    *,
    init: Path | None,
    workers: int,
    quiet: bool,
    masks_given: bool,
    model: str | None,
) -> dict[str, Any]:
    check_replaceable(out)
    name = _BESIDE[stage]
    if not out.exists() and _beside(out, name).exists():
        raise CallError(f"received {out} for --out, but {_beside(out, name)} is there; a new name would do")
    work = out.parent / f".{out.name}.work"
    engine = LocalEngine(workers or None)
    run = Run(
        Workspace(Place(work)),
        config,
        engine,
        ListedCases(cases, config.shard_size),
        {},
        Progress(quiet=quiet),
        init={stage: str(init)} if init else None,
        segmentation_model=model,
        masks_given=masks_given,
    )
    summary: dict[str, Any] = run_stages(run, last=stage)[stage]
    with run.workspace.locked():
        beside = _put_beside(run.workspace.stage(stage) / name, _beside(out, name))
        replace_folder(run.workspace.stage(stage) / "model", out, aside=work / "exchange")
        shutil.rmtree(work)
    return {"model": str(out), **({_KEYS[name]: str(beside)} if beside else {}), **summary}


def _beside(out: Path, name: str) -> Path:
    return out.with_name(f"{out.name}-{name}")


def _put_beside(made: Place, place: Path) -> Path | None:
    """Puts what a training shows of itself beside its model, in place of that of the model before."""
    if not made.exists():
        place.unlink(missing_ok=True)
        return None
    Place(place).write_bytes(made.read_bytes())
    return place
