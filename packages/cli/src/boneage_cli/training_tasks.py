"""What the training stages do in a process of their own: named functions, one dict in, one dict out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from boneage_cli.config import replaced, to_dict
from boneage_cli.quiet import stderr_into
from boneage_cli.training_log import EpochLog
from boneage_cli.workspace import merged
from boneage_imaging.codec import decode, decode_mask
from boneage_regression.folds import inner_part
from boneage_sparkrun.place import Place
from boneage_sparkrun.scratch import temporary_files_in_scratch

if TYPE_CHECKING:
    from boneage_sparkrun.cluster_node import ClusterWorker
    from boneage_sparkrun.feed import Feed

__all__ = ["fit_fold", "fit_segmentation", "fit_segmentation_together", "join_folds", "select_outlined"]

Row = dict[str, Any]
_WEIGHTS = "fold.weights.h5"
_CHECKPOINT_STEPS = 200  # within an epoch; a short one has a checkpoint at its end only


def select_outlined(case: Row, argument: dict[str, Any]) -> tuple[str, Row] | None:
    """Parts the outlined radiographs of the training part in those to train on and those to choose by."""
    if case["part"] != "train" or case["outline"] is None:
        return None
    kind = "validation" if case["case_id"] in argument["inner"] else "train"
    return kind, {name: case[name] for name in ("case_id", "image", "outline")}


@temporary_files_in_scratch()
def fit_segmentation(argument: dict[str, Any]) -> dict[str, Any]:
    """Trains the segmentation in this process; epoch and threshold are chosen on the inner part."""
    _start(Place(argument["libraries"]), argument["threads"])
    from boneage_sparkrun.feed import ListFeed

    cases = _cases(argument["shards"], ("image", "outline", "part"))
    chosen = [found for case in cases if (found := select_outlined(case, argument)) is not None]
    rows, inner = (
        [_decoded(row) for kind, row in chosen if kind == wanted] for wanted in ("train", "validation")
    )
    recipe = argument["recipe"]
    return _segmentation(argument, ListFeed(rows, recipe["batch_size"], recipe["seed"]), inner)


@temporary_files_in_scratch()
def fit_segmentation_together(argument: dict[str, Any], worker: ClusterWorker) -> dict[str, Any]:
    """Trains the segmentation as one of several workers; see `boneage_sparkrun.cluster_training`."""
    inner = [_decoded(row) for row in worker.validation()]
    return _segmentation(argument, _DecodedFeed(worker.feed), inner, worker)


@dataclass(frozen=True)
class _DecodedFeed:
    """A cluster's rows travel as files; here they are pictures again."""

    feed: Feed

    @property
    def steps(self) -> int:
        return self.feed.steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[list[Row]]:
        for rows in self.feed.epoch(epoch, start):
            yield [_decoded(row) for row in rows]


def _decoded(row: Row) -> Row:
    return row | {"image": decode(row["image"]), "outline": decode_mask(row["outline"])}


def _segmentation(
    argument: dict[str, Any], feed: Feed, inner: list[Row], worker: ClusterWorker | None = None
) -> dict[str, Any]:
    from boneage_segmentation.training import (
        SegmentationRecipe,
        choose_least_sure,
        choose_threshold,
        export,
        initial_weights,
        predict_probabilities,
    )
    from boneage_sparkrun.checkpoints import Checkpoints
    from boneage_sparkrun.training import fit

    recipe = replaced(SegmentationRecipe(), argument["recipe"], where="segmentation")
    initial = initial_weights(argument["init"], recipe) if argument["init"] else None
    is_first = worker is None or worker.is_first
    result = fit(
        recipe,
        feed,
        validation=inner,
        initial=initial,
        checkpoints=Checkpoints(
            argument["checkpoints"], every_steps=_CHECKPOINT_STEPS, read_only=not is_first
        ),
        progress=_EpochReport(EpochLog(Place(argument["log"])) if is_first else None, worker),
        strategy=worker.strategy if worker else None,
        batch_size=worker.share if worker else None,
    )
    if not is_first:
        return {}
    model = result.model
    if worker:  # one that belongs to this worker alone
        model = recipe.build_model()
        model.set_weights(result.model.get_weights())
    probabilities, masks = predict_probabilities(model, recipe, inner)
    threshold = choose_threshold(probabilities, masks)
    summary = {
        "train": argument["outlined"] - len(inner),
        "inner": len(inner),
        "best_epoch": result.best_epoch,
        "threshold": threshold,
    }
    with stderr_into(Place(argument["libraries"])), Place(argument["folder"]).filled() as folder:
        export(
            model,
            recipe,
            folder,
            threshold=threshold,
            least_sure=choose_least_sure(probabilities, threshold),
            summary=summary,
            licence=argument["licence"] or None,
        )
    _show_inner(argument, inner)
    return summary | {"history": result.history}


def _show_inner(argument: dict[str, Any], inner: list[Row]) -> None:
    """Draws the best, the median and the worst of the inner part, as drawn (red) and as found (green)."""
    from boneage_segmentation.inference import Segmenter
    from boneage_segmentation.metrics import jaccard
    from boneage_segmentation.sheets import draw_sheet

    if not inner:
        return
    with Place(argument["folder"]).here() as model:
        segmenter = Segmenter.load(model, threads=argument["threads"])
    found = [(row, segmenter.mask(row["image"])) for row in inner]
    scored = sorted(
        ((jaccard(mask, row["outline"]), row, mask) for row, mask in found), key=lambda one: -one[0]
    )
    shown = [("best", scored[0]), ("median", scored[len(scored) // 2]), ("worst", scored[-1])]
    hands = [
        (f"{name}: {row['case_id']}, Jaccard {score:.3f}", row["image"], row["outline"], mask)
        for name, (score, row, mask) in shown
    ]
    Place(argument["overlays"]).write_bytes(draw_sheet(hands))


@dataclass(frozen=True)
class _EpochReport:
    """Tells of each epoch in the training's log, and to the cluster."""

    log: EpochLog | None
    worker: ClusterWorker | None

    def __call__(self, event: dict[str, Any]) -> None:
        if self.log:
            self.log(event)
        if self.worker:
            self.worker.progress(event)


@temporary_files_in_scratch()
def fit_fold(argument: dict[str, Any]) -> dict[str, Any]:
    """Trains the network of one fold on the other folds, and asks it for the fold it has not seen."""
    _start(Place(argument["libraries"]), argument["threads"])
    from boneage_regression.calibration import MAX_AGE_MONTHS
    from boneage_regression.exporting import initial_weights
    from boneage_regression.training import RegressionRecipe, predict_ages
    from boneage_sparkrun.training import fit

    rows = [
        {name: case[name] for name in ("case_id", "male", "age_months", "fold")}
        | {"input": decode(case["input"])}
        for case in _cases(argument["shards"], ("input", "male", "age_months", "fold"))
        if case["fold"] >= 0 and case["input"] is not None
    ]
    own = [row for row in rows if row["fold"] == argument["fold"]]
    others = [row for row in rows if row["fold"] != argument["fold"]]
    given = replaced(RegressionRecipe(), argument["recipe"], where="regression")
    # Where nothing is chosen there is nothing to keep back.
    train, inner = (others, []) if given.monitor is None else _inner(others, argument["inner_share"])
    recipe = given.fitted([row["age_months"] for row in train], size=rows[0]["input"].shape)
    initial = initial_weights(argument["init"], recipe, argument["fold"]) if argument["init"] else None
    result = fit(recipe, validation=inner, initial=initial, **_fit_settings(recipe, train, argument))
    model = recipe.finished(result.model)
    with Place(argument["weights"]).filled() as folder:
        model.save_weights(folder / _WEIGHTS)
    # Cut to the scale, as the answers of the model are.
    known = np.clip(predict_ages(model, recipe, own), 0, MAX_AGE_MONTHS)
    unknown = np.clip(predict_ages(model, recipe, [row | {"male": None} for row in own]), 0, MAX_AGE_MONTHS)
    return {
        "recipe": to_dict(recipe),
        "weights": argument["weights"],
        "history": result.history,
        "best_epoch": result.best_epoch,
        "out_of_fold": [
            {
                "id": row["case_id"],
                "fold": argument["fold"],
                "male": row["male"],
                "truth_months": row["age_months"],
                "age_months": float(age),
                "age_months_without_sex": float(age_without_sex),
            }
            for row, age, age_without_sex in zip(own, known, unknown, strict=True)
        ],
    }


@temporary_files_in_scratch()
def join_folds(argument: dict[str, Any]) -> dict[str, Any]:
    """Exports the folds' networks as one model that answers their mean, with calibrated intervals."""
    libraries = Place(argument["libraries"])
    _start(libraries, argument["threads"])
    from boneage_regression.calibration import calibrate
    from boneage_regression.training import RegressionRecipe, export

    recipes = [replaced(RegressionRecipe(), given, where="regression") for given in argument["recipes"]]
    models = []
    for recipe, weights in zip(recipes, argument["weights"], strict=True):
        models.append(dataclasses.replace(recipe, precision="float32").build_model())
        with Place(weights).here() as folder:
            models[-1].load_weights(folder / _WEIGHTS)
    out_of_fold = [row for row in argument["out_of_fold"] if row["truth_months"] is not None]
    truth = np.array([row["truth_months"] for row in out_of_fold])
    calibration = calibrate(
        truth,
        np.array([row["age_months"] for row in out_of_fold]),
        np.array([row["age_months_without_sex"] for row in out_of_fold]),
    )
    with stderr_into(libraries), Place(argument["folder"]).filled() as folder:
        export(
            models,
            recipes,
            folder,
            preprocessing=argument["preprocessing"],
            calibration=calibration,
            summary=argument["summary"],
            licence=argument["licence"] or None,
        )
    return {"networks": len(models)}


def _start(log: Place, threads: int) -> None:
    """Starts TensorFlow and lets it greet into a file."""
    from boneage_sparkrun.threads import start_tensorflow

    with stderr_into(log):
        start_tensorflow(threads)


def _cases(shards: list[list[str]], fields: tuple[str, ...]) -> list[Row]:
    return [case for row in shards for case in merged(row, fields)]


def _inner(rows: list[Row], share: float) -> tuple[list[Row], list[Row]]:
    """Parts the rows in those to train on and those to choose epoch and threshold on."""
    inner = inner_part([row["case_id"] for row in rows], share)
    return [row for row in rows if row["case_id"] not in inner], [
        row for row in rows if row["case_id"] in inner
    ]


def _fit_settings(recipe: Any, train: list[Row], argument: dict[str, Any]) -> dict[str, Any]:
    from boneage_sparkrun.checkpoints import Checkpoints
    from boneage_sparkrun.feed import ListFeed

    return {
        "feed": ListFeed(train, recipe.batch_size, recipe.seed),
        "checkpoints": Checkpoints(argument["checkpoints"], every_steps=_CHECKPOINT_STEPS),
        "progress": EpochLog(Place(argument["log"])),
    }
