import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_regression.calibration import Calibration, calibrate, conformal_half_width, cross_conformal
from boneage_regression.errors import CalibrationError

from .strategies import ages_months, seeds, told_and_true

residual_lists = st.lists(st.floats(-200, 200), min_size=1, max_size=60)
levels = st.floats(0.05, 0.95)


@given(residual_lists, levels)
def test_at_least_the_level_of_the_residuals_fit_or_the_whole_scale_is_given(residuals, level):
    half_width = conformal_half_width(residuals, level)
    assert np.mean(np.abs(residuals) <= half_width) >= level - 1e-9 or half_width == 228


@given(residual_lists, levels, seeds)
def test_order_and_sign_do_not_matter_and_scale_carries_over(residuals, level, seed):
    half_width = conformal_half_width(residuals, level)
    rng = np.random.default_rng(seed)
    turned = rng.permutation(residuals) * rng.choice([-1, 1], len(residuals))
    assert conformal_half_width(turned, level) == half_width
    if half_width != 228:
        assert conformal_half_width(np.array(residuals) * 0.5, level) == pytest.approx(half_width * 0.5)


@given(residual_lists, levels, levels)
def test_a_higher_level_is_never_narrower(residuals, one, other):
    low, high = sorted((one, other))
    # Where too few residuals are given the answer is 228, and no residual here is larger.
    assert conformal_half_width(residuals, low) <= conformal_half_width(residuals, high)


def test_the_rank_is_the_finite_sample_one():
    residuals = np.arange(1.0, 20.0)  # 19 of them: ceil(20 * 0.9) = 18
    assert conformal_half_width(residuals, 0.9) == 18.0
    assert conformal_half_width(np.arange(1.0, 10.0), 0.9) == 9.0  # ceil(10 * 0.9) = 9, not 10
    assert conformal_half_width(np.arange(1.0, 9.0), 0.9) == 228.0  # 8 cannot promise 90 %


def test_new_cases_are_covered_as_often_as_promised():
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        half_width = conformal_half_width(rng.standard_t(3, 50) * 10, 0.9)
        held.append(np.mean(np.abs(rng.standard_t(3, 200) * 10) <= half_width))
    assert 0.89 <= np.mean(held) <= 0.94


def _simulated(n, rng):
    """Ages told whose error doubles above 120 months, and grows where the sex is not given."""
    true = rng.uniform(10, 220, n)
    spread = np.where(true > 120, 16, 8)
    return true, true + rng.normal(0, 1, n) * spread, true + rng.normal(0, 1.4, n) * spread


def test_groups_adapt_the_width_and_cover_each_sex_knowledge():
    rng = np.random.default_rng(0)
    calibration = calibrate(*_simulated(600, rng))
    assert len(calibration.known) == 4
    assert calibration.known[0] < 0.7 * calibration.known[3]
    true, known, unknown = _simulated(4000, rng)
    for told, sex_known in ((known, True), (unknown, False)):
        ends = np.array([calibration.interval(float(age), sex_known=sex_known) for age in told])
        for group in (told < 80, told > 160):
            covered = (ends[:, 0] <= true) & (true <= ends[:, 1])
            assert 0.85 <= covered[group].mean() <= 0.96


def test_across_folds_each_case_has_the_interval_of_a_calibration_that_has_not_seen_it():
    rng = np.random.default_rng(1)
    true, known, unknown = _simulated(1500, rng)
    folds = np.arange(1500) % 5
    with_sex, without = cross_conformal(true, known, unknown, folds)
    own = folds == 2
    calibration = calibrate(true[~own], known[~own], unknown[~own])
    wanted = [calibration.interval(age, sex_known=True) for age in known[own]]
    assert with_sex[own] == pytest.approx(np.array(wanted))
    for ends in (with_sex, without):
        assert 0.88 <= np.mean((ends[:, 0] <= true) & (true <= ends[:, 1])) <= 0.93
    # A case whose own residual is huge does not widen its own interval.
    true[7] = 0.0 if known[7] > 114 else 228.0
    again, _ = cross_conformal(true, known, unknown, folds)
    assert again[7] == pytest.approx(with_sex[7])
    with pytest.raises(CalibrationError, match="fold"):
        cross_conformal(true, known, unknown, np.zeros(1500))


@given(told_and_true(most=120), seeds)
def test_without_the_sex_no_interval_is_narrower(pair, seed):
    truth, known = pair
    unknown = truth + np.random.default_rng(seed).normal(0, 5, len(truth))
    calibration = calibrate(truth, known, unknown)
    assert all(w <= v for w, v in zip(calibration.known, calibration.unknown, strict=True))
    assert calibration.cases == len(truth)


@given(ages_months, st.floats(0, 300), st.booleans())
def test_intervals_stay_on_the_scale_and_hold_the_age(age, half_width, sex_known):
    calibration = Calibration(0.9, (100.0,), (half_width, half_width), (half_width, half_width), 60)
    lower, upper = calibration.interval(age, sex_known=sex_known)
    assert 0 <= lower <= age <= upper <= 228


def test_an_edge_belongs_to_the_group_above():
    calibration = Calibration(0.9, (100.0,), (1.0, 10.0), (2.0, 20.0), 60)
    assert calibration.interval(99.0, sex_known=True) == (98.0, 100.0)
    assert calibration.interval(100.0, sex_known=True) == (90.0, 110.0)
    assert calibration.interval(100.0, sex_known=False) == (80.0, 120.0)


@given(told_and_true(most=120), levels)
def test_json_there_and_back(pair, level):
    calibration = calibrate(pair[0], pair[1], pair[1] + 1, level=level)
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_equal_ages_told_make_one_group():
    truth = np.arange(200.0)
    told = np.full(200, 100.0)
    calibration = calibrate(truth, told, told)
    assert len(calibration.known) == 1


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(CalibrationError, match="one length"):
        calibrate([1.0], [1.0, 2.0], [1.0])
    with pytest.raises(CalibrationError, match="one length"):
        calibrate([], [], [])
    with pytest.raises(CalibrationError, match="finite"):
        calibrate([1.0], [float("nan")], [1.0])
    with pytest.raises(CalibrationError, match="level"):
        conformal_half_width([1.0], 1.0)
    with pytest.raises(CalibrationError, match="2 half-widths"):
        Calibration(0.9, (1.0,), (1.0,), (1.0, 2.0), 5)
    with pytest.raises(CalibrationError, match="ascend"):
        Calibration(0.9, (2.0, 1.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 5)
    with pytest.raises(CalibrationError, match="not negative"):
        Calibration(0.9, (), (-1.0,), (1.0,), 5)
    with pytest.raises(CalibrationError, match="not a calibration"):
        Calibration.from_json({"level": 0.9})
