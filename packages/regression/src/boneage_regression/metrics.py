"""How far ages told are from the truth: one function per formula, all in months.

Two figures share the name MAD in this field. `mad` is the RSNA challenge's mean absolute *difference* between
prediction and truth; `mean_absolute_deviation` is the mean absolute deviation of values from their own mean
(equation 2 of Memon and Cuomo 2019) and says nothing about a prediction.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from boneage_regression.errors import MetricError

__all__ = ["bias", "bootstrap_interval", "mad", "mean_absolute_deviation", "rmse", "share_over"]

Floats = NDArray[np.float64]
Statistic = Callable[[Floats, Floats], float]


def mad(prediction: ArrayLike, truth: ArrayLike) -> float:
    """Mean absolute difference between prediction and truth (the RSNA challenge's MAD).

    Args:
        prediction: Ages told, months, shape (n,), n >= 1.
        truth: True ages, months, shape (n,).

    Returns:
        Months, at least 0.

    Raises:
        MetricError: No values, different shapes, or a value that is not finite.

    >>> mad([100.0, 120.0], [110.0, 120.0])
    5.0
    """
    return float(np.mean(np.abs(_differences(prediction, truth))))


def rmse(prediction: ArrayLike, truth: ArrayLike) -> float:
    """Root of the mean squared difference. Arguments and errors as `mad`.

    >>> rmse([103.0, 116.0], [100.0, 120.0]) == 12.5**0.5
    True
    """
    differences = _differences(prediction, truth)
    # Scaled by the largest, so that squares neither overflow nor vanish.
    largest = float(np.max(np.abs(differences)))
    if largest == 0:
        return 0.0
    return largest * float(np.sqrt(np.mean((differences / largest) ** 2)))


def bias(prediction: ArrayLike, truth: ArrayLike) -> float:
    """Mean of prediction minus truth: above 0, the ages told are too high. Arguments and errors as `mad`.

    >>> bias([104.0, 118.0], [100.0, 120.0])
    1.0
    """
    return float(np.mean(_differences(prediction, truth)))


def mean_absolute_deviation(values: ArrayLike) -> float:
    """Mean absolute deviation of values from their own mean (the report's equation 2).

    Args:
        values: Months, shape (n,), n >= 1.

    Returns:
        Months, at least 0. It is a property of one list; to score predictions use `mad`.

    Raises:
        MetricError: No values, or a value that is not finite.

    >>> mean_absolute_deviation([90.0, 110.0])
    10.0
    """
    array = _checked(values, "values")
    return float(np.mean(np.abs(array - np.mean(array))))


def share_over(prediction: ArrayLike, truth: ArrayLike, months: float) -> float:
    """Share of cases, 0 to 1, in which prediction and truth differ by more than so many months.

    >>> share_over([100.0, 130.0], [110.0, 100.0], 12)
    0.5
    """
    return float(np.mean(np.abs(_differences(prediction, truth)) > months))


def bootstrap_interval(
    prediction: ArrayLike,
    truth: ArrayLike,
    statistic: Statistic = mad,
    seed: int = 0,
    samples: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic, cases drawn with replacement (Efron and Tibshirani 1993).

    Args:
        prediction: Ages told, months, shape (n,).
        truth: True ages, months, shape (n,).
        statistic: A function of (prediction, truth), such as `mad`.
        seed: Same seed, same interval.
        samples: Number of draws.
        level: Share of draws inside the interval.

    Returns:
        (lower, upper), in the statistic's unit.

    Raises:
        MetricError: As `mad`; or fewer than 1 sample, or a level outside 0..1.
    """
    _differences(prediction, truth)
    if samples < 1 or not 0 < level < 1:
        raise MetricError(f"samples must be at least 1 and level in 0..1. Received: {samples!r}, {level!r}")
    told, true = np.asarray(prediction, np.float64), np.asarray(truth, np.float64)
    draws = np.random.default_rng(seed).integers(0, len(true), (samples, len(true)))
    figures = [statistic(told[draw], true[draw]) for draw in draws]
    lower, upper = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def _differences(prediction: ArrayLike, truth: ArrayLike) -> Floats:
    told, true = _checked(prediction, "prediction"), _checked(truth, "truth")
    if told.shape != true.shape:
        raise MetricError(
            f"prediction and truth must have one shape. Received: {told.shape} and {true.shape}"
        )
    return told - true


def _checked(values: ArrayLike, name: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size:
        raise MetricError(f"{name} must be a list of at least one number. Received shape: {array.shape}")
    if not np.isfinite(array).all():
        raise MetricError(
            f"{name} must be finite. Received {np.count_nonzero(~np.isfinite(array))} that are not"
        )
    return array
