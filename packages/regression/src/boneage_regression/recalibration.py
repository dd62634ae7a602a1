"""A model fitted to a place of its own: a correction and intervals from cases whose ages are known there.

Another machine, another population, another reader: what is off in the same way in every case can be put right from
few cases. It is done only where cross-validation inside those cases says that it helps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from boneage_regression.calibration import MAX_AGE_MONTHS, Calibration, calibrate, conformal_half_width
from boneage_regression.correction import NO_CORRECTION, Correction, fit_correction
from boneage_regression.errors import CalibrationError
from boneage_regression.metrics import mad

__all__ = ["ENOUGH_ERRORS", "LEAST_CASES", "Recalibration", "Trial", "Verdict", "recalibrate"]

LEAST_CASES = 20
"""With fewer cases nothing is said."""
ENOUGH_ERRORS = 1.28
"""By how many standard errors a correction must be better: chance alone gives that in 1 of 10 places at most."""

NONE, COMMON, PER_SEX = "none", "common", "per sex"
_LEAST_PER_SEX = 5  # a sex with fewer cases is left as it is
_FOLDS = 10
_LEAST_OUTSIDE = 5  # cases that an interval leaves out; fewer do not tell how wide it must be
_LEAST_ERROR_MONTHS = 0.01
_FEMALE, _MALE, _NOT_GIVEN = 0, 1, -1
_LEFT_ALONE = -1

Floats = NDArray[np.float64]
Groups = NDArray[np.int64]


@dataclass(frozen=True)
class Trial:
    """One way to correct, as cross-validation saw it.

    Attributes:
        way: ``"common"`` for one correction for all, ``"per sex"`` for one for each.
        mad_months: MAD of the ages corrected by what the other cases say.
        standard_errors: How many of its standard errors it is better than no correction; below 0, worse.
    """

    way: str
    mad_months: float
    standard_errors: float


@dataclass(frozen=True)
class Verdict:
    """What cross-validation said of one kind of answers.

    Attributes:
        cases: How many there were.
        mad_months: MAD of the ages as they were told; None without cases.
        used: The way that is used: ``"none"``, ``"common"`` or ``"per sex"``.
        mad_used_months: MAD of the ages corrected in that way by what the other cases say.
        trials: Every way that was tried; none where there were too few cases.
    """

    cases: int
    mad_months: float | None
    used: str
    mad_used_months: float | None
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Recalibration:
    """What a model folder's answers are put right by. It holds no case, only figures over all of them.

    Attributes:
        female: Correction of ages told with the sex F.
        male: The same with M.
        unknown: The same where the sex is not given.
        with_sex: What cross-validation said of the answers with the sex.
        without_sex: The same without.
        calibration: The intervals around corrected ages.
        intervals_kept: Whether they are the model's own, at least as wide, for want of cases.
    """

    female: Correction
    male: Correction
    unknown: Correction
    with_sex: Verdict
    without_sex: Verdict
    calibration: Calibration
    intervals_kept: bool

    def correct(self, age_months: float, sex: str | None) -> float:
        """A corrected age, months, not cut to 0..228.

        Args:
            age_months: The age that the network told.
            sex: ``"F"``, ``"M"``, or None where it was not given.
        """
        correction = {"F": self.female, "M": self.male, None: self.unknown}[sex]
        return float(correction.apply(age_months))

    def to_json(self) -> dict[str, Any]:
        """As plain values, for model.json."""
        return asdict(self) | {"calibration": self.calibration.to_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Recalibration:
        """From `to_json`'s values.

        Raises:
            CalibrationError: A value is missing or will not do.
        """
        try:
            return cls(
                Correction.from_json(values["female"]),
                Correction.from_json(values["male"]),
                Correction.from_json(values["unknown"]),
                _read_verdict(values["with_sex"]),
                _read_verdict(values["without_sex"]),
                Calibration.from_json(values["calibration"]),
                bool(values["intervals_kept"]),
            )
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise CalibrationError(f"not a recalibration. Received: {values!r}") from error


def _read_verdict(values: dict[str, Any]) -> Verdict:
    return Verdict(**values | {"trials": tuple(Trial(**trial) for trial in values["trials"])})


def recalibrate(
    truth: ArrayLike,
    known: ArrayLike,
    unknown: ArrayLike,
    males: Sequence[bool | None],
    *,
    calibration: Calibration,
) -> Recalibration:
    """Fit a model's answers to the cases of one place.

    With the sex one correction for all and one per sex are tried, without it one for all; each by ten-fold
    cross-validation. Of those that are better than none by `ENOUGH_ERRORS` standard errors of the cases' gain, the
    one with the least MAD is fitted to all cases and used. A sex with fewer than 5 cases is left as it is.

    The intervals are conformal ones, from the same cross-validated ages. Where they would leave out fewer than 5
    cases (below 50, at 90 %), the model's own are kept, or made as wide as these cases say.

    Args:
        truth: True ages, months, shape (n,).
        known: Ages told with the sex given, months, shape (n,); not looked at where the sex is not known.
        unknown: Ages told of the same cases without the sex, months, shape (n,).
        males: True, False or None (not known), one per case.
        calibration: The model's own intervals.

    Returns:
        The same whatever the order of the cases.

    Raises:
        CalibrationError: Fewer than 20 cases, lists of different length, or a value that is not finite.
    """
    true, told, told_without = (np.asarray(values, np.float64) for values in (truth, known, unknown))
    sexes = np.array([_NOT_GIVEN if male is None else int(male) for male in males], np.int64)
    given = sexes != _NOT_GIVEN
    if true.ndim != 1 or not true.shape == told.shape == told_without.shape == sexes.shape:
        raise CalibrationError(
            "three lists of ages and one of sexes, of one length. Received shapes: "
            f"{true.shape}, {told.shape}, {told_without.shape} and {sexes.shape}"
        )
    if not np.isfinite([true, np.where(given, told, 0), told_without]).all():
        raise CalibrationError("ages must be finite numbers of months")
    if len(true) < LEAST_CASES:
        raise CalibrationError(f"at least {LEAST_CASES} cases. Received: {len(true)}")
    with_sex = _judge(told[given], true[given], _ways(sexes[given]))
    without = _judge(told_without, true, {COMMON: np.zeros(len(true), np.int64)})
    corrected = (with_sex.corrected, without.corrected)
    return Recalibration(
        with_sex.corrections.get(_FEMALE, NO_CORRECTION),
        with_sex.corrections.get(_MALE, NO_CORRECTION),
        without.corrections.get(0, NO_CORRECTION),
        with_sex.verdict,
        without.verdict,
        *_intervals(true, *corrected, given, calibration),
    )


class _Judged(NamedTuple):
    """What is used for one kind of answers: by sex (0 for all where there is none), and what it gives."""

    corrections: dict[int, Correction]
    corrected: Floats
    verdict: Verdict


def _ways(sexes: Groups) -> dict[str, Groups]:
    """The ways to correct, each as the group of every case; -1 is left alone."""
    counted = [sex for sex in (_FEMALE, _MALE) if np.count_nonzero(sexes == sex) >= _LEAST_PER_SEX]
    per_sex = np.where(np.isin(sexes, counted), sexes, _LEFT_ALONE)
    both = {COMMON: np.zeros_like(sexes)} if len(counted) == 2 else {}
    return both | ({PER_SEX: per_sex} if counted else {})


def _judge(told: Floats, true: Floats, ways: Mapping[str, Groups]) -> _Judged:
    before = mad(told, true) if len(true) else None
    if len(true) < LEAST_CASES:
        return _Judged({}, told, Verdict(len(true), before, NONE, before, ()))
    corrected = {way: _cross_validated(told, true, groups) for way, groups in ways.items()}
    trials = tuple(Trial(way, mad(ages, true), _gain(told, ages, true)) for way, ages in corrected.items())
    good = [trial for trial in trials if trial.standard_errors >= ENOUGH_ERRORS]
    if not good:
        return _Judged({}, told, Verdict(len(true), before, NONE, before, trials))
    best = min(good, key=lambda trial: trial.mad_months)
    verdict = Verdict(len(true), before, best.way, best.mad_months, trials)
    return _Judged(_corrections(told, true, best.way, ways[best.way]), corrected[best.way], verdict)


def _corrections(told: Floats, true: Floats, way: str, groups: Groups) -> dict[int, Correction]:
    """The corrections from all cases, by sex."""
    found = {
        int(group): fit_correction(told[mine], true[mine])
        for group, mine in _sorted_groups(told, true, groups)
    }
    return {_FEMALE: found[0], _MALE: found[0]} if way == COMMON else found


def _cross_validated(told: Floats, true: Floats, groups: Groups) -> Floats:
    """Every age as corrected by what the other folds say, months, within 0..228."""
    corrected = told.copy()
    for _, mine in _sorted_groups(told, true, groups):
        # Dealt by age like cards, so that folds are alike and the order of the cases does not matter.
        for fold in range(_FOLDS):
            held, rest = mine[fold::_FOLDS], np.delete(mine, np.s_[fold::_FOLDS])
            correction = fit_correction(told[rest], true[rest])
            corrected[held] = np.clip(correction.apply(told[held]), 0, MAX_AGE_MONTHS)
    return corrected


def _sorted_groups(told: Floats, true: Floats, groups: Groups) -> list[tuple[int, Groups]]:
    """Of each group the places of its cases, by age told; without what is left alone."""
    order = np.lexsort((true, told))
    return [(group, order[groups[order] == group]) for group in np.unique(groups) if group != _LEFT_ALONE]


def _gain(told: Floats, corrected: Floats, true: Floats) -> float:
    """By how many standard errors the corrected ages are nearer to the truth, case by case."""
    gain = np.abs(told - true) - np.abs(corrected - true)
    error = float(gain.std(ddof=1)) / len(gain) ** 0.5
    return float(gain.mean()) / max(error, _LEAST_ERROR_MONTHS)


def _intervals(
    true: Floats, known: Floats, unknown: Floats, given: NDArray[np.bool_], own: Calibration
) -> tuple[Calibration, bool]:
    """The intervals, and whether the model's own were kept; `known` holds the cases with a sex only."""
    if round(len(known) * (1 - own.level), 9) >= _LEAST_OUTSIDE:
        return calibrate(true[given], known, unknown[given], level=own.level), False
    least, least_without = (
        _least_width(residuals, own.level) for residuals in (known - true[given], unknown - true)
    )
    with_sex = tuple(max(width, least) for width in own.known)
    # Never narrower without the sex, as in `calibrate`.
    without = tuple(max(pair, least_without) for pair in map(max, own.unknown, with_sex))
    return Calibration(own.level, own.edges_months, with_sex, without, own.cases), True


def _least_width(residuals: Floats, level: float) -> float:
    """How wide intervals must at least be by some cases, months; 0 where they are too few to say."""
    if len(residuals) < LEAST_CASES:
        return 0.0
    width = conformal_half_width(residuals, level)
    return width if width < MAX_AGE_MONTHS else 0.0
