"""From what came out for each case to the figures of the run: pure functions, no files."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from boneage_cli.outcomes import TEST, TRAIN, MaskOutcome, Outcome
from boneage_regression.metrics import bootstrap_interval, mean_absolute_deviation
from boneage_regression.summary import AGE_EDGES_MONTHS, summarize
from boneage_segmentation.metrics import dice, jaccard

__all__ = [
    "age_figures",
    "finite",
    "interval_figures",
    "mask_figures",
    "overlap",
    "score",
    "share_interval",
]

_SEED = 0
_LEAST_IN_GROUP = 50
_Z = 1.96  # standard deviations on either side that hold 95 %
_FIGURES = ("mad", "mad_interval", "rmse", "rmse_interval", "bias", "over_12_months", "over_24_months")
_TABLE_1 = ("count", "rmse", "rmse_interval", "mad", "mad_interval")
Pair = tuple[float, float, bool | None]
"""Truth and answer in months, and whether the child is male (None: unknown)."""


def score(pairs: Sequence[Pair], *, groups: bool = False) -> dict[str, Any]:
    """Scores answers against the truth.

    Args:
        pairs: Of each case.
        groups: Whether to score them by sex and by age, too.

    Returns:
        count; mad, rmse and bias in months; the bootstrap 95 % intervals of mad and rmse; the shares that are
        off by more than 12 and 24 months; and mean_absolute_deviation of the truth and of the answers, which
        is another figure than mad: how far the values lie from their own mean. None where there are no pairs.
    """
    spread: dict[str, float | None] = {"truth": None, "answers": None}
    if not pairs:
        figures: dict[str, Any] = dict.fromkeys(_FIGURES) | ({"by_sex": [], "by_age": []} if groups else {})
        return {"count": 0, **figures, "mean_absolute_deviation": spread}
    truth, answers = (np.array(column, float) for column in zip(*[pair[:2] for pair in pairs], strict=True))
    found = summarize(answers, truth, males=[male for *_, male in pairs], seed=_SEED)
    wanted = (*_FIGURES, "by_sex", "by_age") if groups else _FIGURES
    figures = {name: found[name] for name in wanted}
    if len(pairs) < 2:
        figures |= {"mad_interval": None, "rmse_interval": None}
    spread = {"truth": mean_absolute_deviation(truth), "answers": mean_absolute_deviation(answers)}
    return {"count": len(pairs), **figures, "mean_absolute_deviation": spread}


def age_figures(
    outcomes: Sequence[Outcome],
    *,
    without_sex: Mapping[str, float] | None = None,
    ridge: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """All figures of the ages.

    Args:
        outcomes: Every radiograph's.
        without_sex: What the out-of-fold networks said when the sex was kept from them, by case id.
        ridge: What ridge regression that had not seen them said, by case id.
    """
    by_part = {
        part: [row for row in outcomes if row.part == part and row.truth_months is not None]
        for part in (TEST, TRAIN)
    }
    test, train = by_part[TEST], by_part[TRAIN]
    return {
        "test": _part(test),
        "training": {**_part(train), "in_sample": True},
        "out_of_fold": {
            **_out_of_fold(train, without_sex or {}),
            "floors": _floors(
                train, [replace(row, age_months=row.out_of_fold_months) for row in train], ridge or {}
            ),
        },
        "floors": _floors(train, test, ridge or {}),
        "intervals": _coverage(test),
        "table_1": [
            {"part": name, **{figure: figures[figure] for figure in _TABLE_1}}
            for name, rows in (("training", train), ("test", test))
            for figures in [score(_answered(rows))]
        ],
    }


def _part(rows: Sequence[Outcome]) -> dict[str, Any]:
    pairs = _answered(rows)
    return {**score(pairs, groups=True), "unanswered": len(rows) - len(pairs)}


def _answered(rows: Iterable[Outcome]) -> list[Pair]:
    return [
        (row.truth_months, row.age_months, row.male)
        for row in rows
        if row.truth_months is not None and row.age_months is not None
    ]


def _out_of_fold(train: Sequence[Outcome], without_sex: Mapping[str, float]) -> dict[str, Any]:
    unseen = [
        (row, (row.truth_months, row.out_of_fold_months, row.male))
        for row in train
        if row.truth_months is not None and row.out_of_fold_months is not None
    ]
    folds = [
        {"fold": number, **score([pair for row, pair in unseen if row.fold == number])}
        for number in sorted({row.fold for row, _ in unseen})
    ]
    blind = [
        (truth, without_sex[row.case_id], male)
        for row, (truth, _, male) in unseen
        if row.case_id in without_sex
    ]
    return {
        **score([pair for _, pair in unseen], groups=True),
        "folds": folds,
        **_mean_and_sd("mad", folds),
        **_mean_and_sd("rmse", folds),
        "without_sex": score(blind),
    }


def _mean_and_sd(name: str, folds: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    values = [fold[name] for fold in folds]
    return {
        f"{name}_mean_of_folds": statistics.fmean(values) if values else None,
        f"{name}_sd_of_folds": statistics.stdev(values) if len(values) > 1 else None,
    }


def _floors(train: Sequence[Outcome], told: Sequence[Outcome], ridge: Mapping[str, float]) -> dict[str, Any]:
    """What a guess by the training labels' median reaches, and what ridge regression on a small picture does.

    The cases are those that the model answered, so that all are scored on the same.
    """
    answered = [row for row in told if _answered([row])]
    seen = _answered(answered)
    everyone = _median(row.truth_months for row in train)
    boys = _median(row.truth_months for row in train if row.male is True)
    girls = _median(row.truth_months for row in train if row.male is False)
    by_sex = {True: boys, False: girls, None: None}
    return {
        "median_guess": {"age_months": everyone, **_guess(seen, lambda _: everyone)},
        "sex_and_median": {
            "age_months_male": boys,
            "age_months_female": girls,
            **_guess(seen, lambda male: everyone if by_sex[male] is None else by_sex[male]),
        },
        "thumbnail_ridge": score(
            [
                (row.truth_months, ridge[row.case_id], row.male)
                for row in answered
                if row.truth_months is not None and row.case_id in ridge
            ]
        ),
    }


def _guess(seen: Sequence[Pair], guess: Callable[[bool | None], float | None]) -> dict[str, Any]:
    guesses = [(truth, guess(male), male) for truth, _, male in seen]
    return score([(truth, age, male) for truth, age, male in guesses if age is not None])


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(statistics.median(known)) if known else None


def _coverage(test: Sequence[Outcome]) -> dict[str, Any]:
    """How often the truth lies within the interval, and how wide that is, on the test part."""
    rows = [
        (row.lower, row.truth_months, row.upper)
        for row in test
        if row.lower is not None and row.upper is not None and row.truth_months is not None
    ]
    if not rows:
        return {"count": 0, "coverage": None, "coverage_interval": None, "mean_width": None}
    lower, truth, upper = np.array(rows, float).T
    return _hold((lower <= truth) & (truth <= upper), upper - lower)


def _hold(held: np.ndarray, widths: np.ndarray) -> dict[str, Any]:
    """Figures of intervals: whether each holds the truth, and how wide it is, months."""
    return {
        "count": len(held),
        "coverage": float(held.mean()),
        "coverage_interval": list(share_interval(int(held.sum()), len(held))),
        "mean_width": float(widths.mean()),
    }


def interval_figures(
    truth: Sequence[float],
    told: Sequence[float],
    intervals: np.ndarray,
    males: Sequence[bool | None],
) -> dict[str, Any]:
    """How often intervals hold the truth, and how wide they are.

    Args:
        truth: Of each case, months.
        told: Of each case, months.
        intervals: Lower and upper end of each, months, shape (n, 2).
        males: Whether the child is male (None: unknown).

    Returns:
        count, coverage with its 95 % interval, mean_width in months, width_over_mad; and `groups`: count and
        coverage by sex and age told, where there are 50 cases at least.
    """
    true, ages = np.asarray(truth, float), np.asarray(told, float)
    held = (intervals[:, 0] <= true) & (true <= intervals[:, 1])
    figures = _hold(held, intervals[:, 1] - intervals[:, 0])
    groups = []
    for name, sex in (("female", False), ("male", True)):
        for low, high in itertools.pairwise(AGE_EDGES_MONTHS):
            own = np.array([male is sex for male in males]) & (low <= ages) & (ages < high)
            if own.sum() >= _LEAST_IN_GROUP:
                group = f"{name}, told {low:.0f} to {high - 1:.0f} months"
                groups.append({"group": group, "count": int(own.sum()), "coverage": float(held[own].mean())})
    return {
        **figures,
        "width_over_mad": figures["mean_width"] / float(np.abs(ages - true).mean()),
        "groups": groups,
    }


def share_interval(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927), which also holds for few cases and for shares near 1.

    >>> [round(end, 2) for end in share_interval(9, 10)]
    [0.6, 0.98]
    """
    share, spread = hits / count, _Z**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    # Rounding must not leave the share itself outside.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def overlap(mask: Any, truth: Any) -> tuple[float, float]:
    """Jaccard and Dice of two masks (2-D, one size), to a millionth."""
    return round(jaccard(mask, truth), 6), round(dice(mask, truth), 6)


def mask_figures(outcomes: Sequence[MaskOutcome]) -> dict[str, Any]:
    """Jaccard and Dice of the held-out and of the training outlines."""
    return {
        name: _mask_part([row for row in outcomes if row.part == part])
        for name, part in (("test", TEST), ("training", TRAIN))
    }


def _mask_part(rows: Sequence[MaskOutcome]) -> dict[str, Any]:
    if not rows:
        return {"count": 0, "jaccard_mean": None, "jaccard_interval": None, "jaccard_median": None}
    values = [row.jaccard for row in rows]
    worst = min(rows, key=lambda row: (row.jaccard, row.case_id))
    return {
        "count": len(rows),
        "jaccard_mean": statistics.fmean(values),
        "jaccard_interval": _mean_interval(values),
        "jaccard_median": float(statistics.median(values)),
        "jaccard_least": worst.jaccard,
        "least_case": worst.case_id,
        "dice_mean": statistics.fmean(row.dice for row in rows),
        "dice_median": float(statistics.median(row.dice for row in rows)),
    }


def _mean_interval(values: Sequence[float]) -> list[float] | None:
    """The bootstrap 95 % interval of the mean."""
    if len(values) < 2:
        return None
    return list(bootstrap_interval(values, values, lambda told, _: float(np.mean(told)), seed=_SEED))


def finite(value: Any) -> Any:
    """The value with None in place of every number that JSON cannot hold (NaN, infinity).

    >>> finite({"mad": float("nan"), "folds": [1.5, float("inf")]})
    {'mad': None, 'folds': [1.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
