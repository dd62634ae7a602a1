"""Which plots the report shows: from what came out for each case, and from the trainings' histories."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from boneage_cli import plots
from boneage_cli.outcomes import TEST, TRAIN, MaskOutcome, Outcome

__all__ = ["outcome_plots", "training_plots"]

_MEASURES = {"mad": "MAD (months)", "jaccard": "Jaccard index"}
_TRAININGS = (("train-segmentation", "segmentation"), ("train-regression", "regression"))
Facts = dict[str, Any]


def outcome_plots(
    outcomes: Sequence[Outcome], masks: Sequence[MaskOutcome], metrics: Facts, *, wanted: float | None = None
) -> dict[str, str]:
    """The plots by name; one that has nothing to show is not there.

    Args:
        outcomes: Every radiograph's.
        masks: Every outline's.
        metrics: What `evaluate` wrote.
        wanted: The mean Jaccard index that should be reached at least.
    """
    held_out = [row for row in outcomes if row.part == TEST]
    test, widths = _points(held_out), _intervals(held_out)
    training = _points(row for row in outcomes if row.part == TRAIN)
    unseen = [
        (row.truth_months, row.out_of_fold_months, row.male)
        for row in outcomes
        if row.truth_months is not None and row.out_of_fold_months is not None
    ]
    jaccards = [row.jaccard for row in masks if row.part == TEST]
    drawn: dict[str, str] = {}
    if test:
        drawn |= _errors(test, metrics["floors"]["median_guess"].get("age_months"))
    if training:
        drawn["training"] = plots.agreement(training, label="Estimates against the reference, in-sample")
    if unseen:
        drawn["out_of_fold"] = plots.agreement(unseen, label="Estimates against the reference, out of fold")
    if widths:
        level = metrics["intervals"].get("level")
        drawn["intervals"] = plots.intervals(widths, label="Intervals and reference, test part")
        drawn["coverage"] = plots.coverage(widths, label="References in their interval by age", level=level)
    if jaccards:
        drawn["jaccard"] = plots.histogram(jaccards, label="Jaccard index of held-out masks", wanted=wanted)
    return drawn


def _errors(test: Sequence[plots.Point], guess: float | None) -> dict[str, str]:
    errors = {"this run": [abs(told - truth) for truth, told, _ in test]}
    if guess is not None:
        errors["median guess"] = [abs(guess - truth) for truth, *_ in test]
    return {
        "test": plots.agreement(test, label="Estimates against the reference, test part"),
        "cumulative": plots.cumulative(errors, label="Share of cases by largest error, test part"),
        "error_by_age": plots.error_by_age(test, label="MAD by age and sex, test part"),
        "differences": plots.differences(test, label="Differences over means, test part"),
    }


def _points(rows: Iterable[Outcome]) -> list[plots.Point]:
    return [
        (row.truth_months, row.age_months, row.male)
        for row in rows
        if row.truth_months is not None and row.age_months is not None
    ]


def _intervals(rows: Iterable[Outcome]) -> list[plots.Interval]:
    return [
        (row.truth_months, row.age_months, row.lower, row.upper)
        for row in rows
        if row.truth_months is not None
        and row.age_months is not None
        and row.lower is not None
        and row.upper is not None
    ]


def training_plots(folder: Path) -> list[tuple[str, str]]:
    """Titles and plots of the trainings of a run.

    Args:
        folder: The run's.
    """
    found = []
    for stage, title in _TRAININGS:
        path = folder / stage / "history.json"
        if not path.is_file():
            continue
        histories = _histories(json.loads(path.read_bytes()))
        names = sorted({name for history in histories for entry in history for name in entry})
        others = [name for name in names if name.startswith("val_") and name != "val_loss"]
        for measure, lines in (("loss", ["loss", "val_loss"]), *((name[4:], [name]) for name in others[:1])):
            shown = {name: histories for name in lines if name in names}
            if shown:
                name = _MEASURES.get(measure, measure)
                drawn = plots.curves(shown, label=f"{title}: {name} by epoch", ylabel=name)
                found.append((f"{title}: {name}", drawn))
    return found


def _histories(stored: list[Facts]) -> list[list[Facts]]:
    """One training's history, or those of all folds."""
    return [fold["history"] for fold in stored] if stored and "history" in stored[0] else [stored]
