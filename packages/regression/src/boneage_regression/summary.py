"""The table of figures that stands in every result: pooled, and by sex and age."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from boneage_regression.errors import MetricError
from boneage_regression.metrics import bias, bootstrap_interval, mad, rmse, share_over

__all__ = ["AGE_EDGES_MONTHS", "summarize"]

AGE_EDGES_MONTHS = (0.0, 48.0, 96.0, 132.0, 168.0, 229.0)
"""Edges of the age groups, by true age: each group holds its lower edge and not its upper one."""


def summarize(
    prediction: ArrayLike,
    truth: ArrayLike,
    *,
    males: Sequence[bool | None] | None = None,
    training_ages: ArrayLike | None = None,
    seed: int = 0,
    samples: int = 2000,
) -> dict[str, Any]:
    """Score predictions: the pooled figures, the floor, and the same by sex and by age group.

    Args:
        prediction: Ages told, months, shape (n,).
        truth: True ages, months, shape (n,).
        males: Sex of each case (None where it is not known), for the figures per sex.
        training_ages: Ages of the training part, months; their median is the floor's guess for every case.
        seed: Of the bootstrap.
        samples: Draws of the bootstrap.

    Returns:
        ``n``, ``mad``, ``rmse``, ``bias``, ``mad_interval`` and ``rmse_interval`` (95 %), ``over_12_months``
        and ``over_24_months`` (shares); ``floor`` (the same figures of the median guess, with
        ``guess_months``) or None; ``by_sex`` and ``by_age``, lists of the short figures with a ``group`` and its
        ``mad_interval`` (None for a single case); empty groups are left out.

    Raises:
        MetricError: As `metrics.mad`, or `males` of another length.
    """
    told, true = np.asarray(prediction, np.float64), np.asarray(truth, np.float64)
    result: dict[str, Any] = {
        **_figures(told, true),
        "mad_interval": bootstrap_interval(told, true, mad, seed, samples),
        "rmse_interval": bootstrap_interval(told, true, rmse, seed, samples),
        "floor": None,
        "by_sex": [],
        "by_age": _groups(told, true, _age_groups(true), seed, samples),
    }
    if training_ages is not None:
        guess = float(np.median(np.asarray(training_ages, np.float64)))
        result["floor"] = {"guess_months": guess, **_figures(np.full_like(true, guess), true)}
    if males is not None:
        if len(males) != len(true):
            raise MetricError(
                f"males must have one entry per case. Received: {len(males)} for {len(true)} cases"
            )
        result["by_sex"] = _groups(told, true, _sex_groups(males), seed, samples)
    return result


def _figures(told: NDArray[np.float64], true: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "n": len(true),
        "mad": mad(told, true),
        "rmse": rmse(told, true),
        "bias": bias(told, true),
        "over_12_months": share_over(told, true, 12),
        "over_24_months": share_over(told, true, 24),
    }


def _groups(
    told: NDArray[np.float64],
    true: NDArray[np.float64],
    groups: dict[str, NDArray[np.bool_]],
    seed: int,
    samples: int,
) -> list[dict[str, Any]]:
    found = []
    for name, mine in groups.items():
        if mine.any():
            # One case says nothing about how figures scatter.
            scatter = (
                bootstrap_interval(told[mine], true[mine], mad, seed, samples) if mine.sum() > 1 else None
            )
            found.append({"group": name, **_figures(told[mine], true[mine]), "mad_interval": scatter})
    return found


def _age_groups(true: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
    pairs = itertools.pairwise(AGE_EDGES_MONTHS)
    return {f"{low:.0f} to {high - 1:.0f} months": (low <= true) & (true < high) for low, high in pairs}


def _sex_groups(males: Sequence[bool | None]) -> dict[str, NDArray[np.bool_]]:
    named = {"female": False, "male": True, "sex not known": None}
    return {name: np.array([male is value for male in map(_plain, males)]) for name, value in named.items()}


def _plain(male: Any) -> bool | None:
    return None if male is None else bool(male)
