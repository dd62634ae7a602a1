"""Which plots the report shows of what came out for each case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from boneage_cli import plots
from boneage_cli.outcomes import TEST, TRAIN, MaskOutcome, Outcome

__all__ = ["outcome_plots"]

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
