import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_imaging.codec import encode_png
from boneage_regression.errors import RecipeError
from boneage_regression.training import RegressionRecipe

from .strategies import age_lists, ages_months, seeds, sexes

SIZE = (48, 32)
RECIPE = RegressionRecipe(size=SIZE)
IMAGE = np.random.default_rng(0).integers(0, 256, SIZE).astype(np.uint8)


def _row(**changes):
    return {"case_id": "7", "input": IMAGE, "male": True, "age_months": 100.0, **changes}


@given(ages_months, sexes)
def test_validation_takes_the_row_as_it_is(age, male):
    inputs, target = RECIPE.prepare(_row(age_months=age, male=male), seed=3, epoch=None)
    assert inputs["image"].dtype == inputs["sex"].dtype == target.dtype == np.float32
    assert np.array_equal(inputs["image"][..., 0], IMAGE)
    assert inputs["sex"].tolist() == [{True: 1.0, False: -1.0, None: 0.0}[male]]
    assert target[0] * RECIPE.spread_months + RECIPE.mean_months == pytest.approx(age, abs=1e-3)


@given(seeds, st.integers(1, 500))
def test_training_examples_are_varied_by_seed_epoch_and_case_alone(seed, epoch):
    one, _ = RECIPE.prepare(_row(), seed, epoch)
    again, _ = RECIPE.prepare(_row(), seed, epoch)
    assert np.array_equal(one["image"], again["image"])
    assert one["sex"] == again["sex"]
    for row, other_seed, other_epoch in (
        (_row(case_id="8"), seed, epoch),
        (_row(), seed + 1, epoch),
        (_row(), seed, epoch + 1),
    ):
        other, _ = RECIPE.prepare(row, other_seed, other_epoch)
        assert not np.array_equal(one["image"], other["image"])


@pytest.mark.parametrize(("male", "code"), [(True, 1.0), (False, -1.0), (None, 0.0)])
def test_the_sex_is_given_and_is_to_be_told_too(male, code):
    inputs, target = RECIPE.prepare(_row(male=male), 0, 1)
    assert inputs["sex"].tolist() == [code]
    assert target[1] == code


def test_a_png_is_as_good_as_an_array():
    from_png, _ = RECIPE.prepare(_row(input=encode_png(IMAGE)), 0, 4)
    from_array, _ = RECIPE.prepare(_row(), 0, 4)
    assert np.array_equal(from_png["image"], from_array["image"])


@given(age_lists(least=2))
def test_fitted_standardises_the_training_ages(ages):
    if np.ptp(ages) < 1e-6:
        return
    recipe = RegressionRecipe().fitted(ages, size=(64, 80))
    standard = (ages - recipe.mean_months) / recipe.spread_months
    assert standard.mean() == pytest.approx(0, abs=1e-6)
    assert standard.std() == pytest.approx(1, rel=1e-6)
    assert recipe.size == (64, 80)


def test_the_metric_is_in_months():
    recipe = dataclasses.replace(RECIPE, spread_months=40.0)
    target, output = np.array([[0.0, 1.0], [1.0, -1.0]]), np.array([[0.5, 1.0, 9.0], [-1.0, 1.0, 9.0]])
    figures = recipe.metrics(target, output)
    assert figures["mad"].tolist() == [20.0, 80.0]
    assert figures["mad_without_sex"].tolist() == [40.0, 0.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": IMAGE[:-1]},
        {"input": IMAGE.astype(np.float32)},
        {"input": "7.png"},
        {"age_months": None},
    ],
)
def test_a_row_that_will_not_do_is_refused_by_name(wrong):
    with pytest.raises(RecipeError, match="case 7"):
        RECIPE.prepare(_row(**wrong), 0, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"spread_months": 0.0},
        {"blind_share": 1.1},
        {"sex_weight": -1.0},
        {"loss_delta": 0.0},
        {"learning_rate": -1.0},
    ],
)
def test_a_recipe_that_will_not_do_is_refused(wrong):
    with pytest.raises(RecipeError, match="Received"):
        RegressionRecipe(**wrong)


def test_ages_that_do_not_differ_cannot_be_scaled_by():
    with pytest.raises(RecipeError, match="different ages"):
        RegressionRecipe().fitted([100.0, 100.0])
