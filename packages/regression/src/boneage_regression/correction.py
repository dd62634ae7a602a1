"""A linear correction of ages told: fitted robustly, and shrunk towards none where few cases speak for it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from boneage_regression.errors import CalibrationError

__all__ = ["NO_CORRECTION", "PRIOR_CASES", "PRIOR_SPREAD_MONTHS", "Correction", "fit_correction"]

PRIOR_CASES = 5.0
"""What is believed before: as if this many further cases had been told right."""
PRIOR_SPREAD_MONTHS = 40.0
"""How far from the mean age those cases lie; the ages of the RSNA challenge have about this deviation."""

_SLOPES = (0.5, 2.0)  # what asks for more than that is no matter of a scale
_HUBER = 1.345  # 95 % as good as least squares where nothing is amiss (Huber 1964)
_TO_DEVIATION = 1.4826  # from a median absolute residual to a standard deviation
_LEAST_DEVIATION_MONTHS = 1.0
_ITERATIONS = 50
_SETTLED_MONTHS = 1e-4


@dataclass(frozen=True)
class Correction:
    """age -> offset_months + slope * age, all in months.

    Attributes:
        offset_months: Is added.
        slope: Above 0, so that what was told older stays older.
    """

    offset_months: float
    slope: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.offset_months) and math.isfinite(self.slope) and self.slope > 0):
            raise CalibrationError(
                "a correction is a finite offset and a slope above 0. "
                f"Received: {self.offset_months!r} and {self.slope!r}"
            )

    @property
    def used(self) -> bool:
        """Whether it changes anything."""
        return self != NO_CORRECTION

    def apply(self, ages_months: ArrayLike) -> NDArray[np.float64]:
        """Corrected ages, months, of the same shape; not cut to 0..228."""
        return self.offset_months + self.slope * np.asarray(ages_months, np.float64)

    def to_json(self) -> dict[str, float]:
        """As plain values, for model.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Correction:
        """From `to_json`'s values.

        Raises:
            CalibrationError: A value is missing or will not do.
        """
        try:
            return cls(float(values["offset_months"]), float(values["slope"]))
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise CalibrationError(
                f"not a correction: offset_months and slope would do. Received: {values!r}"
            ) from error


NO_CORRECTION = Correction(0.0, 1.0)


def fit_correction(told: ArrayLike, truth: ArrayLike) -> Correction:
    """Fit the correction that brings ages told to the truth.

    Huber's regression of truth - told on told, by iteratively reweighted least squares (Huber 1964; Holland and
    Welsch 1977), so that a few labels typed wrongly do not turn it. Ridge (Hoerl and Kennard 1970) shrinks the
    offset at the mean age and the slope's difference from 1 towards 0: as if `PRIOR_CASES` further cases,
    `PRIOR_SPREAD_MONTHS` from the mean age, had been told right. An offset of n cases comes out n / (n + 5) as
    large: 2 in 3 of it with 10 cases, 12 in 13 with 60.

    Args:
        told: Ages told, months, shape (n,); none gives no correction.
        truth: True ages, months, shape (n,).

    Returns:
        The correction; its slope lies within 0.5..2.

    Raises:
        CalibrationError: Shapes differ, or a value is not finite.

    >>> correction = fit_correction([60.0, 100.0, 140.0] * 15, [70.0, 110.0, 150.0] * 15)
    >>> round(correction.offset_months, 6), correction.slope
    (9.0, 1.0)
    """
    ages, true = np.asarray(told, np.float64), np.asarray(truth, np.float64)
    if ages.ndim != 1 or ages.shape != true.shape or not np.isfinite([ages, true]).all():
        raise CalibrationError(
            f"two lists of finite numbers, of one length. Received shapes: {ages.shape} and {true.shape}"
        )
    if not ages.size:
        return NO_CORRECTION
    gap, weights, line = true - ages, np.ones_like(ages), (0.0, 0.0)
    for _ in range(_ITERATIONS):
        before, mean = line, float(np.average(ages, weights=weights))
        line = _weighted_line(ages - mean, gap, weights)
        if _change(before, line) < _SETTLED_MONTHS:
            break
        weights = _huber_weights(gap - line[0] - line[1] * (ages - mean))
    slope = min(max(1 + line[1], _SLOPES[0]), _SLOPES[1])
    return Correction(line[0] + (1 - slope) * mean, slope)


def _weighted_line(
    centred: NDArray[np.float64], gap: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Offset at the mean age and slope of the gap, shrunk; the ages' weighted mean has been taken off."""
    offset = weights @ gap / (weights.sum() + PRIOR_CASES)
    slope = weights @ (centred * gap) / (weights @ centred**2 + PRIOR_CASES * PRIOR_SPREAD_MONTHS**2)
    return float(offset), float(slope)


def _huber_weights(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    sizes = np.abs(residuals)
    deviation = max(_TO_DEVIATION * float(np.median(sizes)), _LEAST_DEVIATION_MONTHS)
    return np.minimum(1.0, _HUBER * deviation / np.maximum(sizes, _LEAST_DEVIATION_MONTHS))


def _change(before: tuple[float, float], after: tuple[float, float]) -> float:
    """How far two lines are apart, months."""
    return abs(after[0] - before[0]) + abs(after[1] - before[1]) * PRIOR_SPREAD_MONTHS
