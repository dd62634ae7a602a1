"""The stage `evaluate`; the comparisons that need no run are `comparison`'s."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from boneage_cli.comparison import evaluate_mask_folders, evaluate_tables
from boneage_cli.fitting import OUT_OF_FOLD
from boneage_cli.outcomes import (
    TEST,
    TRAIN,
    MaskOutcome,
    Outcome,
    parsed,
    read_table,
    write_mask_outcomes,
    write_outcomes,
)
from boneage_cli.provenance import set_aside
from boneage_cli.scores import age_figures, finite, interval_figures, mask_figures, overlap
from boneage_cli.verdicts import headline, shortfalls
from boneage_imaging.codec import decode, decode_mask

if TYPE_CHECKING:
    from boneage_cli.pipeline import Run
    from boneage_cli.workspace import Workspace
    from boneage_regression.inference import Regressor

__all__ = [
    "cross_conformal_figures",
    "evaluate",
    "evaluate_mask_folders",
    "evaluate_tables",
    "ridge_answers",
]

_STATUSES = ("ok", "warning", "refused")
_LEAST_TO_FIT = 3
_SEX = {True: "M", False: "F", None: None}
Summary = dict[str, Any]


class Answer(NamedTuple):
    """What the final model says of one case: months, None where it says nothing."""

    status: str
    reason: str
    age_months: float | None = None
    lower: float | None = None
    upper: float | None = None


def evaluate(run: Run) -> Summary:
    """Says how good the run's models are: `predictions.csv`, `masks.csv` and `metrics.json`.

    Every radiograph is given to the final model with its sex, None where it is unknown. The test part is what
    counts; the training part is in-sample for that model, so the out-of-fold answers stand beside it.

    Returns:
        The main figures; `headline`, the same in plain lines; and `shortfalls`: what a run on phantoms should
        have reached and did not.
    """
    from boneage_regression.inference import Regressor

    workspace = run.workspace
    with workspace.regression_model.here() as model:
        regressor = Regressor.load(model)
    unseen = read_table(workspace.stage("train-regression") / OUT_OF_FOLD)
    outcomes = _outcomes(run, _answers(workspace, regressor), _column(unseen, "age_months"))
    masks = _compare_masks(workspace)
    metrics = {
        **age_figures(
            outcomes,
            without_sex=_column(unseen, "age_months_without_sex"),
            ridge=ridge_answers(outcomes, _thumbnails(workspace)),
        ),
        "segmentation": mask_figures(masks),
        "data": _counts(workspace, outcomes),
    }
    metrics["intervals"]["cross_conformal"] = cross_conformal_figures(
        outcomes, _column(unseen, "age_months_without_sex")
    )
    metrics["intervals"]["level"] = regressor.metadata["calibration"].get("level")
    missing = shortfalls(metrics, run.config.acceptance) if run.phantoms else []
    metrics["acceptance"] = {"judged": run.phantoms, "shortfalls": missing}
    metrics = finite(metrics)
    folder = run.output
    write_outcomes(folder / "predictions.csv", outcomes)
    write_mask_outcomes(folder / "masks.csv", masks)
    (folder / "metrics.json").write_bytes(json.dumps(metrics, indent=1, allow_nan=False).encode())
    return _summary(metrics)


def _summary(metrics: Summary) -> Summary:
    return {
        "headline": headline(metrics),
        "shortfalls": metrics["acceptance"]["shortfalls"],
        "test_mad": metrics["test"]["mad"],
        "test_mad_interval": metrics["test"]["mad_interval"],
        "test_rmse": metrics["test"]["rmse"],
        "test_count": metrics["test"]["count"],
        "median_guess_mad": metrics["floors"]["median_guess"]["mad"],
        "out_of_fold_mad": metrics["out_of_fold"]["mad"],
        "coverage": metrics["intervals"]["coverage"],
        "held_out_jaccard": metrics["segmentation"]["test"]["jaccard_mean"],
    }


def _column(rows: Sequence[Mapping[str, str]], name: str) -> dict[str, float]:
    """The numbers of one column by case id; empty fields are left out."""
    return {row["id"]: value for row in rows for value in [_rounded(parsed(row[name]))] if value is not None}


def _answers(workspace: Workspace, regressor: Regressor) -> dict[str, Answer]:
    """What the final model says of every case that was prepared."""
    fields = ("male", "status", "reason", "input", "prepare_status", "prepare_reason")
    cases = workspace.records(("ingest", "segment", "prepare"), ("kind", *fields))
    return {case["case_id"]: _answer(case, regressor) for case in cases if case["kind"] != "thumbnail"}


def _answer(case: Summary, regressor: Regressor) -> Answer:
    said = [(case["status"], case["reason"]), (case["prepare_status"], case["prepare_reason"])]
    if case["input"] is None:
        return Answer(*_worst(said))
    found = regressor.predict(decode(case["input"]), _SEX[case["male"]])
    said.append((found.status, found.reason))
    months = (_rounded(found.age_months), _rounded(found.lower), _rounded(found.upper))
    return Answer(*_worst(said), *months)


def _thumbnails(workspace: Workspace) -> dict[str, np.ndarray]:
    from boneage_regression.floors import thumbnail_features

    return {
        case["case_id"]: thumbnail_features(decode(case["image"]), case["male"])
        for case in workspace.records(("ingest",), ("kind", "image", "male"))
        if case["kind"] != "thumbnail"
    }


def ridge_answers(outcomes: Sequence[Outcome], features: Mapping[str, np.ndarray]) -> dict[str, float]:
    """What ridge regression on a small picture says of each case, months; a floor.

    Args:
        outcomes: Every radiograph's; those of the training part are told by a fit to the other folds, those of the
            test part by one to the whole training part.
        features: Of each case with a known age, see `boneage_regression.floors.thumbnail_features`.
    """
    from boneage_regression.floors import ridge_ages

    labelled = [(row.case_id, row.fold, row.truth_months) for row in outcomes if row.truth_months is not None]
    told: dict[str, float] = {}
    for held in sorted({fold for _, fold, _ in labelled}):  # -1: the test part
        seen = [(features[case_id], age) for case_id, fold, age in labelled if fold not in (held, -1)]
        unseen = [case_id for case_id, fold, _ in labelled if fold == held]
        if len(seen) >= _LEAST_TO_FIT:
            ages = ridge_ages(
                [feature for feature, _ in seen],
                [age for _, age in seen],
                [features[case_id] for case_id in unseen],
            )
            told |= dict(zip(unseen, map(float, ages), strict=True))
    return told


def cross_conformal_figures(outcomes: Sequence[Outcome], without_sex: Mapping[str, float]) -> Summary:
    """How the intervals do on the training part, each calibrated on the other folds; empty where there is but one.

    Args:
        outcomes: Every radiograph's.
        without_sex: What the out-of-fold networks said when the sex was kept from them, by case id.
    """
    from boneage_regression.calibration import cross_conformal

    rows = [
        (row.truth_months, row.out_of_fold_months, without_sex[row.case_id], row.fold, row.male)
        for row in outcomes
        if row.part == TRAIN
        and row.truth_months is not None
        and row.out_of_fold_months is not None
        and row.case_id in without_sex
    ]
    if len({fold for *_, fold, _ in rows}) < 2:
        return {}
    truth, known, unknown, folds, males = zip(*rows, strict=True)
    with_sex, without = cross_conformal(truth, known, unknown, folds)
    return {
        "known": interval_figures(truth, known, with_sex, males),
        "unknown": interval_figures(truth, unknown, without, males),
    }


def _outcomes(run: Run, answers: Mapping[str, Answer], unseen: Mapping[str, float]) -> list[Outcome]:
    """One row for every radiograph taken in, also for those that a later stage set aside."""
    lost = {row["case_id"]: f"set aside by {row['stage']}: {row['reason']}" for row in set_aside(run)}
    cases = run.workspace.records(("ingest", "split"), ("kind", "part", "fold", "male", "age_months"))
    rows = []
    for case in cases:
        case_id = case["case_id"]
        if case["kind"] != "thumbnail":
            nothing = Answer(status="refused", reason=lost.get(case_id, "set aside"))
            rows.append(_outcome(case, answers.get(case_id, nothing), unseen.get(case_id)))
    return rows


def _outcome(case: Summary, answer: Answer, unseen: float | None) -> Outcome:
    return Outcome(
        case["case_id"],
        case["part"],
        case["fold"],
        case["male"],
        case["age_months"],
        answer.age_months,
        answer.lower,
        answer.upper,
        answer.status,
        answer.reason,
        unseen,
    )


def _worst(said: Iterable[tuple[str, str | None]]) -> tuple[str, str]:
    """The worst status of several, and every reason once."""
    pairs = list(said)
    status = max((status for status, _ in pairs), key=_STATUSES.index)
    return status, "; ".join(dict.fromkeys(reason for _, reason in pairs if reason))


def _rounded(value: float | None) -> float | None:
    """A hundredth of a month is more than enough, and the table says exactly what was scored."""
    return None if value is None or math.isnan(value) else round(float(value), 2)


def _compare_masks(workspace: Workspace) -> list[MaskOutcome]:
    cases = workspace.records(("ingest", "split", "segment"), ("part", "outline", "mask"))
    return [
        MaskOutcome(
            case["case_id"],
            case["part"],
            *overlap(decode_mask(case["mask"]), decode_mask(case["outline"])),
        )
        for case in cases
        if case["outline"] is not None
    ]


def _counts(workspace: Workspace, outcomes: list[Outcome]) -> Summary:
    kinds = Counter(case["kind"] for case in workspace.records(("ingest",), ("kind",)))
    statuses = Counter(row.status for row in outcomes)
    return {
        "kinds": dict(sorted(kinds.items())),
        "statuses": {status: statuses[status] for status in _STATUSES},
        "test": sum(row.part == TEST for row in outcomes),
        "without_age": sum(row.truth_months is None for row in outcomes),
        "without_sex": sum(row.male is None for row in outcomes),
    }
