import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_regression.errors import MetricError
from boneage_regression.floors import ridge_ages, thumbnail_features

from .strategies import seeds


def _cases(seed, count=40, width=5, noise=0.0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, width))
    ages = 120 + features @ rng.normal(0, 20, width) + noise * rng.normal(size=count)
    return rng, features, ages


@given(seeds)
def test_what_is_linear_is_told(seed):
    _, features, ages = _cases(seed)
    assert ridge_ages(features[:30], ages[:30], features[30:]) == pytest.approx(ages[30:], abs=0.1)


@given(seeds)
def test_noise_alone_is_answered_with_the_mean(seed):
    rng = np.random.default_rng(seed)
    features, ages = rng.normal(size=(60, 200)), rng.normal(120, 40, 60)
    told = ridge_ages(features, ages, rng.normal(size=(50, 200)))
    assert np.std(told) < 0.75 * np.std(ages)


@given(seeds, st.floats(0.1, 10), st.floats(-50, 50))
def test_scale_and_origin_of_the_features_do_not_matter_nor_does_the_order_of_cases(seed, scale, origin):
    rng, features, ages = _cases(seed, noise=10)
    told = ridge_ages(features[:30], ages[:30], features[30:])
    order = rng.permutation(30)
    again = ridge_ages(
        features[:30][order] * scale + origin, ages[:30][order], features[30:] * scale + origin
    )
    assert again == pytest.approx(told, abs=1e-6)


def test_the_penalty_pays_where_least_squares_would_learn_the_noise_by_heart():
    _, features, ages = _cases(3, count=425, width=20, noise=60)
    told = ridge_ages(features[:25], ages[:25], features[25:])
    known = np.c_[features[:25], np.ones(25)]
    by_heart = np.c_[features[25:], np.ones(400)] @ np.linalg.lstsq(known, ages[:25], rcond=None)[0]
    assert np.abs(told - ages[25:]).mean() < 0.8 * np.abs(by_heart - ages[25:]).mean()


def test_a_feature_that_never_changes_says_nothing():
    _, features, ages = _cases(1)
    flat = np.c_[features, np.full(40, 7.0)]
    assert ridge_ages(flat[:30], ages[:30], flat[30:]) == pytest.approx(
        ridge_ages(features[:30], ages[:30], features[30:])
    )


@pytest.mark.parametrize(
    ("features", "ages", "unseen"),
    [
        (np.zeros((2, 3)), np.zeros(2), np.zeros((1, 3))),
        (np.zeros((5, 3)), np.zeros(4), np.zeros((1, 3))),
        (np.zeros((5, 3)), np.zeros(5), np.zeros((1, 2))),
        (np.full((5, 3), np.nan), np.zeros(5), np.zeros((1, 3))),
    ],
)
def test_what_does_not_fit_together_is_refused(features, ages, unseen):
    with pytest.raises(MetricError, match=r"Received|finite"):
        ridge_ages(features, ages, unseen)


def test_a_radiograph_becomes_a_small_picture_and_its_sex_whatever_its_depth():
    image = np.random.default_rng(0).integers(0, 256, (90, 70)).astype(np.uint8)
    features = thumbnail_features(image, True)
    assert features.shape == (577,)
    assert features[-1] == 1
    assert thumbnail_features(image, None)[-1] == 0
    deep = thumbnail_features(image.astype(np.uint16) * 257, True)
    assert deep == pytest.approx(features, abs=0.003)
