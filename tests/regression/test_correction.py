import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_regression.correction import NO_CORRECTION, Correction, fit_correction
from boneage_regression.errors import CalibrationError

from .strategies import age_lists, ages_months, seeds, told_and_true

offsets, slopes = st.floats(-30, 30), st.floats(0.5, 2)


@given(told_and_true(least=0), seeds)
def test_the_order_of_the_cases_does_not_matter(pair, seed):
    order = np.random.default_rng(seed).permutation(len(pair[0]))
    turned = fit_correction(pair[0][order], pair[1][order])
    assert turned.apply(100.0) == pytest.approx(fit_correction(*pair).apply(100.0), abs=1e-6)
    assert turned.slope == pytest.approx(fit_correction(*pair).slope, abs=1e-6)


@given(age_lists(least=0))
def test_what_was_told_right_is_left_alone(ages):
    assert fit_correction(ages, ages) == NO_CORRECTION
    assert not fit_correction(ages, ages).used


@given(age_lists(), offsets)
def test_an_offset_is_shrunk_by_the_number_of_cases(ages, offset):
    correction = fit_correction(ages, ages + offset)
    wanted = offset * len(ages) / (len(ages) + 5)
    assert correction.slope == pytest.approx(1)
    assert correction.offset_months == pytest.approx(wanted, abs=1e-6)


@given(st.floats(40, 180), st.integers(1, 30), slopes)
def test_a_slope_is_shrunk_by_cases_as_far_out_as_the_prior_ones(mean, pairs, slope):
    told = np.array([mean - 40, mean + 40] * pairs)
    correction = fit_correction(told, mean + slope * (told - mean))
    assert correction.slope == pytest.approx(1 + (slope - 1) * len(told) / (len(told) + 5))
    assert correction.apply(mean) == pytest.approx(mean)


@given(told_and_true())
def test_a_mean_correction_is_never_larger_than_the_largest_gap(pair):
    told, truth = pair
    correction, gap = fit_correction(told, truth), np.abs(truth - told).max()
    nearest = np.abs(correction.apply(told) - told).min()
    assert nearest <= gap + 1e-9


@given(told_and_true())
def test_upside_down_the_same_is_found(pair):
    there, back = fit_correction(*pair), fit_correction(228 - pair[0], 228 - pair[1])
    assert back.slope == pytest.approx(there.slope, abs=1e-6)
    assert 228 - back.apply(228 - 70.0) == pytest.approx(there.apply(70.0), abs=1e-5)


@given(told_and_true(), ages_months, ages_months)
def test_what_was_told_older_stays_older(pair, one, other):
    correction = fit_correction(*pair)
    assert 0.5 <= correction.slope <= 2
    low, high = sorted((one, other))
    assert correction.apply(low) <= correction.apply(high)


@given(offsets, st.floats(0.8, 1.25), seeds)
def test_many_cases_tell_the_line_in_spite_of_noise_and_labels_typed_wrongly(offset, slope, seed):
    rng = np.random.default_rng(seed)
    told = rng.uniform(20, 200, 2000)
    truth = offset + slope * told + rng.normal(0, 10, 2000)
    truth[:100] *= 12  # in another unit
    correction = fit_correction(told, truth)
    assert correction.apply([40.0, 180.0]) == pytest.approx(offset + slope * np.array([40.0, 180.0]), abs=4)


def test_of_noise_a_part_of_the_cases_makes_less():
    rng = np.random.default_rng(0)
    sizes = []
    for count in (5, 10, 20, 60):
        found = []
        for _ in range(300):
            truth = rng.uniform(60, 180, count)
            found.append(abs(fit_correction(truth + rng.normal(0, 12, count), truth).apply(120.0) - 120))
        sizes.append(np.mean(found))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] < 12 / np.sqrt(5) * np.sqrt(2 / np.pi)  # what the mean alone would be off by


@given(offsets, slopes)
def test_json_there_and_back(offset, slope):
    correction = Correction(offset, slope)
    assert Correction.from_json(json.loads(json.dumps(correction.to_json()))) == correction


@pytest.mark.parametrize("values", [{}, {"offset_months": 1.0}, {"offset_months": "x", "slope": 1.0}, None])
def test_what_is_no_correction_is_refused(values):
    with pytest.raises(CalibrationError, match="offset_months and slope would do"):
        Correction.from_json(values)


def test_what_cannot_be_fitted_is_refused():
    for told, truth in (([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]]), ([float("nan")], [1.0])):
        with pytest.raises(CalibrationError, match="one length"):
            fit_correction(told, truth)
    for offset, slope in ((float("inf"), 1.0), (0.0, 0.0), (0.0, float("nan"))):
        with pytest.raises(CalibrationError, match="slope above 0"):
            Correction(offset, slope)
