import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_regression.errors import MetricError
from boneage_regression.metrics import (
    bias,
    bootstrap_interval,
    mad,
    mean_absolute_deviation,
    rmse,
    share_over,
)

from .strategies import age_lists, seeds, told_and_true

CLOSE = {"rel": 1e-9, "abs": 1e-9}
shifts = st.floats(-500, 500)
scales = st.floats(-10, 10)


@given(told_and_true())
def test_bias_mad_and_rmse_are_ordered(pair):
    assert abs(bias(*pair)) <= mad(*pair) * (1 + 1e-12) + 1e-12
    assert mad(*pair) <= rmse(*pair) * (1 + 1e-12) + 1e-12


@given(told_and_true())
def test_by_the_formulas(pair):
    told, true = (list(map(float, values)) for values in pair)
    n = len(told)
    assert mad(*pair) == pytest.approx(sum(abs(a - b) for a, b in zip(told, true, strict=True)) / n, **CLOSE)
    assert bias(*pair) == pytest.approx(sum(a - b for a, b in zip(told, true, strict=True)) / n, **CLOSE)
    assert rmse(*pair) ** 2 == pytest.approx(
        sum((a - b) ** 2 for a, b in zip(told, true, strict=True)) / n, **CLOSE
    )


@given(age_lists())
def test_the_truth_itself_has_no_error(ages):
    assert mad(ages, ages) == rmse(ages, ages) == bias(ages, ages) == 0


@given(told_and_true())
def test_mad_and_rmse_are_symmetric_and_bias_changes_sign(pair):
    told, true = pair
    assert mad(told, true) == mad(true, told)
    assert rmse(told, true) == rmse(true, told)
    assert bias(told, true) == -bias(true, told)


@given(told_and_true(), shifts)
def test_a_shift_of_both_changes_nothing_and_of_one_moves_the_bias(pair, shift):
    told, true = pair
    assert mad(told + shift, true + shift) == pytest.approx(mad(told, true), rel=1e-6, abs=1e-9)
    assert rmse(told + shift, true + shift) == pytest.approx(rmse(told, true), rel=1e-6, abs=1e-9)
    assert bias(told + shift, true) == pytest.approx(bias(told, true) + shift, **CLOSE)


@given(age_lists(), shifts)
def test_a_constant_error_is_mad_rmse_and_bias(ages, shift):
    for statistic, expected in ((mad, abs(shift)), (rmse, abs(shift)), (bias, shift)):
        assert statistic(ages + shift, ages) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(told_and_true(), scales)
def test_scale_law(pair, scale):
    told, true = pair
    for statistic, factor in ((mad, abs(scale)), (rmse, abs(scale)), (bias, scale)):
        expected = factor * statistic(told, true)
        assert statistic(scale * told, scale * true) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(age_lists(), shifts, scales)
def test_mean_absolute_deviation_ignores_shifts_and_follows_scale(ages, shift, scale):
    deviation = mean_absolute_deviation(ages)
    assert mean_absolute_deviation(ages + shift) == pytest.approx(deviation, rel=1e-6, abs=1e-9)
    assert mean_absolute_deviation(scale * ages) == pytest.approx(abs(scale) * deviation, rel=1e-6, abs=1e-9)


@given(age_lists())
def test_mean_absolute_deviation_is_the_mad_of_guessing_the_mean(ages):
    assert mean_absolute_deviation(ages) == pytest.approx(mad(np.full_like(ages, ages.mean()), ages), **CLOSE)


def test_the_two_mads_are_two_figures():
    told, true = np.array([100.0, 100.0]), np.array([90.0, 110.0])
    assert (mad(told, true), mean_absolute_deviation(told)) == (10.0, 0.0)


@given(told_and_true(), st.floats(0, 100), st.floats(0, 100))
def test_share_over_falls_as_the_limit_rises(pair, one, other):
    low, high = sorted((one, other))
    assert 0 <= share_over(*pair, high) <= share_over(*pair, low) <= 1


@given(told_and_true(), seeds)
def test_bootstrap_stays_within_the_least_and_largest_error(pair, seed):
    errors = np.abs(pair[0] - pair[1])
    lower, upper = bootstrap_interval(*pair, mad, seed, samples=50)
    assert errors.min() - 1e-9 <= lower <= upper <= errors.max() + 1e-9


def test_bootstrap_repeats_with_its_seed_and_narrows_with_the_level():
    rng = np.random.default_rng(1)
    true = rng.uniform(0, 228, 60)
    told = true + rng.normal(0, 12, 60)
    interval = bootstrap_interval(told, true, rmse, seed=3, samples=300)
    assert interval == bootstrap_interval(told, true, rmse, seed=3, samples=300)
    assert interval != bootstrap_interval(told, true, rmse, seed=4, samples=300)
    narrow = bootstrap_interval(told, true, rmse, seed=3, samples=300, level=0.5)
    assert interval[0] < narrow[0] < narrow[1] < interval[1]


def test_bootstrap_covers_the_true_value_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    expected = 10 * np.sqrt(2 / np.pi)  # mean |N(0, 10)|
    held = 0
    for draw in range(200):
        errors = rng.normal(0, 10, 80)
        lower, upper = bootstrap_interval(errors, np.zeros(80), mad, seed=draw, samples=200)
        held += lower <= expected <= upper
    assert 0.88 <= held / 200 <= 0.99


@pytest.mark.parametrize(
    ("told", "true"),
    [([], []), ([1.0], [1.0, 2.0]), ([float("nan")], [1.0]), ([1.0], [float("inf")]), ([[1.0]], [[1.0]])],
)
def test_what_cannot_be_scored_is_refused(told, true):
    for statistic in (mad, rmse, bias, bootstrap_interval):
        with pytest.raises(MetricError, match="Received"):
            statistic(told, true)


def test_bootstrap_refuses_no_samples_and_a_level_beyond_one():
    for wrong in ({"samples": 0}, {"level": 1.0}):
        with pytest.raises(MetricError, match="samples"):
            bootstrap_interval([1.0], [2.0], **wrong)
