"""Intervals that can be trusted: how far off were the ages told of cases that the network had not seen?

Conformal prediction (Vovk et al. 2005; Lei et al. 2018): if a new case is drawn like the calibration cases,
then an interval of plus or minus the finite-sample quantile of their absolute residuals holds the truth with
at least the wanted probability, whatever the network. With several groups by *predicted* age (Mondrian
conformal) this holds within each group.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from boneage_regression.errors import CalibrationError

__all__ = ["MAX_AGE_MONTHS", "Calibration", "calibrate", "conformal_half_width", "cross_conformal"]

MAX_AGE_MONTHS = 228.0
"""Where the Greulich-Pyle scale ends: 19 years. Ages and intervals are cut to 0..228."""

_LEAST_PER_GROUP = 50


@dataclass(frozen=True)
class Calibration:
    """Half-widths of the intervals, in months, by group of predicted age.

    Attributes:
        level: Wanted share of intervals that hold the truth.
        edges_months: Edges between the groups of predicted age, ascending; none for one group.
        known: Half-width per group where the sex is given, one more than there are edges.
        unknown: Half-width per group where it is not.
        cases: Number of cases it rests on.
    """

    level: float
    edges_months: tuple[float, ...]
    known: tuple[float, ...]
    unknown: tuple[float, ...]
    cases: int

    def __post_init__(self) -> None:
        groups = len(self.edges_months) + 1
        if len(self.known) != groups or len(self.unknown) != groups:
            raise CalibrationError(
                f"{groups} half-widths for {groups - 1} edges. "
                f"Received: {len(self.known)} and {len(self.unknown)}"
            )
        widths = (*self.known, *self.unknown)
        if not all(math.isfinite(width) and width >= 0 for width in widths):
            raise CalibrationError(f"half-widths must be finite and not negative. Received: {widths}")
        if not all(low < high for low, high in itertools.pairwise(self.edges_months)):
            raise CalibrationError(f"edges_months must ascend. Received: {self.edges_months}")

    def interval(self, age_months: float, *, sex_known: bool) -> tuple[float, float]:
        """The interval around an age told.

        Args:
            age_months: The age told, months.
            sex_known: Whether the network was given the sex.

        Returns:
            (lower, upper) in months, within 0..228; it holds the age itself where that lies within 0..228.
        """
        group = int(np.searchsorted(self.edges_months, age_months, side="right"))
        half_width = (self.known if sex_known else self.unknown)[group]
        return _cut(age_months - half_width), _cut(age_months + half_width)

    def to_json(self) -> dict[str, Any]:
        """As plain values, for model.json."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Calibration:
        """From `to_json`'s values.

        Raises:
            CalibrationError: A value is missing or will not do.
        """
        try:
            edges, known, unknown = (
                tuple(map(float, values[name])) for name in ("edges_months", "known", "unknown")
            )
            return cls(float(values["level"]), edges, known, unknown, int(values["cases"]))
        except (KeyError, OverflowError, TypeError) as error:
            raise CalibrationError(
                "not a calibration: level, edges_months, known, unknown and cases would do. "
                f"Received: {values!r}"
            ) from error


def conformal_half_width(residuals: ArrayLike, level: float = 0.9) -> float:
    """The ceil((n + 1) * level)-th smallest absolute residual: split conformal's finite-sample quantile.

    Args:
        residuals: Prediction minus truth of n cases that the network had not seen, months.
        level: Wanted coverage, between 0 and 1.

    Returns:
        Half-width in months; the whole scale (228) where n is too small to promise the level.

    Raises:
        CalibrationError: No residuals, one that is not finite, or a level outside 0..1.

    >>> conformal_half_width([3.0, -1.0, 2.0, 5.0], level=0.6)
    3.0
    """
    sizes = np.sort(np.abs(np.asarray(residuals, np.float64)).ravel())
    if not sizes.size or not np.isfinite(sizes).all():
        raise CalibrationError(f"residuals must be finite numbers, at least one. Received: {sizes.size}")
    if not 0 < level < 1:
        raise CalibrationError(f"level must lie between 0 and 1. Received: {level!r}")
    # Rounded first: 11 * 0.9 must not become 9.9000000000000004, hence 10.
    rank = math.ceil(round((sizes.size + 1) * level, 9))
    return float(sizes[rank - 1]) if rank <= sizes.size else MAX_AGE_MONTHS


def calibrate(
    truth: ArrayLike, known: ArrayLike, unknown: ArrayLike, *, level: float = 0.9, max_groups: int = 4
) -> Calibration:
    """Calibrate intervals from out-of-fold predictions.

    Args:
        truth: True ages, months, shape (n,).
        known: Ages told with the sex given, each by a network that had not seen the case, shape (n,).
        unknown: Ages told of the same cases without the sex, shape (n,).
        level: Wanted coverage.
        max_groups: Groups of predicted age at most; each has at least 50 cases, a small table one group.

    Returns:
        The calibration. Without the sex an interval is never narrower than with it.

    Raises:
        CalibrationError: Shapes differ, no cases, or a value that is not finite.
    """
    true, told, told_without = (np.asarray(values, np.float64) for values in (truth, known, unknown))
    if true.ndim != 1 or not true.size or not true.shape == told.shape == told_without.shape:
        raise CalibrationError(
            f"three lists of one length. Received shapes: {true.shape}, {told.shape}, {told_without.shape}"
        )
    edges = _group_edges(told, min(max_groups, len(true) // _LEAST_PER_GROUP))
    with_sex = _half_widths(told, true, edges, level)
    without = _half_widths(told_without, true, edges, level)
    # Never narrower without the sex: knowing less must not look like knowing more.
    widest = tuple(max(pair) for pair in zip(with_sex, without, strict=True))
    return Calibration(level, edges, with_sex, widest, len(true))


def cross_conformal(
    truth: ArrayLike,
    known: ArrayLike,
    unknown: ArrayLike,
    folds: ArrayLike,
    *,
    level: float = 0.9,
    max_groups: int = 4,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The interval of each case by a calibration on the other folds: tells whether the intervals hold (Vovk 2015).

    Args:
        truth: True ages, months, shape (n,).
        known: Ages told with the sex given, each by a network that had not seen the case, shape (n,).
        unknown: Ages told of the same cases without the sex, shape (n,).
        folds: The fold of each case, shape (n,); at least two different ones.
        level: Wanted coverage.
        max_groups: As of `calibrate`.

    Returns:
        Intervals with and without the sex, months, each of shape (n, 2): lower and upper end.

    Raises:
        CalibrationError: As `calibrate`, or folds that do not fit.
    """
    true, told, told_without = (np.asarray(values, np.float64) for values in (truth, known, unknown))
    of_fold = np.asarray(folds)
    if of_fold.shape != true.shape or len(np.unique(of_fold)) < 2:
        raise CalibrationError(
            f"a fold for each case, of at least two. Received: shape {of_fold.shape}, {len(np.unique(of_fold))} folds"
        )
    with_sex, without = np.empty((len(true), 2)), np.empty((len(true), 2))
    for fold in np.unique(of_fold):
        own = of_fold == fold
        calibration = calibrate(
            true[~own], told[~own], told_without[~own], level=level, max_groups=max_groups
        )
        for index in np.flatnonzero(own):
            with_sex[index] = calibration.interval(told[index], sex_known=True)
            without[index] = calibration.interval(told_without[index], sex_known=False)
    return with_sex, without


def _group_edges(told: NDArray[np.float64], groups: int) -> tuple[float, ...]:
    """Quantiles of the predicted age that part it into groups of equal size; fewer where ages repeat."""
    if groups < 2:
        return ()
    edges = np.unique(np.quantile(told, np.arange(1, groups) / groups))
    return tuple(float(edge) for edge in edges if told.min() < edge)


def _half_widths(
    told: NDArray[np.float64], true: NDArray[np.float64], edges: tuple[float, ...], level: float
) -> tuple[float, ...]:
    group = np.searchsorted(edges, told, side="right")
    overall = conformal_half_width(told - true, level)
    return tuple(
        conformal_half_width((told - true)[group == index], level)
        if np.count_nonzero(group == index) >= _LEAST_PER_GROUP // 2
        else overall
        for index in range(len(edges) + 1)
    )


def _cut(age_months: float) -> float:
    return min(max(age_months, 0.0), MAX_AGE_MONTHS)
