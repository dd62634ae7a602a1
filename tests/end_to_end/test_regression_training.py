"""The recipe of the regression under the one training loop, on a few phantoms."""

import dataclasses

import numpy as np
import pytest

from boneage_imaging.augmentation import IDENTITY
from boneage_imaging.geometry import letterbox
from boneage_imaging.masks import apply_mask
from boneage_imaging.phantom import draw_case
from boneage_regression.calibration import calibrate
from boneage_regression.exporting import initial_weights
from boneage_regression.inference import Regressor
from boneage_regression.metrics import mad
from boneage_regression.training import RegressionRecipe, export, predict_ages
from boneage_sparkrun.feed import ListFeed
from boneage_sparkrun.training import fit

SIZE = (64, 48)
COUNT = 24
SEX = {True: "M", False: "F"}


@pytest.fixture(scope="module")
def rows():
    drawn = [draw_case(3, index, size=(192, 144)) for index in range(COUNT)]
    return [
        {
            "case_id": str(index),
            "input": letterbox(apply_mask(phantom.image, phantom.mask), SIZE)[0],
            "male": phantom.male,
            "age_months": phantom.age_months,
        }
        for index, phantom in enumerate(drawn)
    ]


@pytest.fixture(scope="module")
def recipe(rows):
    """To be learnt by heart: no augmentation, nothing dropped."""
    settings = RegressionRecipe(
        epochs=40,
        batch_size=8,
        learning_rate=2e-3,
        dropout=0.0,
        augmentation=IDENTITY,
        averaging=0.9,
    )
    return settings.fitted([row["age_months"] for row in rows], size=SIZE)


def train(recipe, rows, **options):
    return fit(recipe, ListFeed(rows, recipe.batch_size, recipe.seed), threads=1, **options)


@pytest.fixture(scope="module")
def trained(recipe, rows):
    return train(recipe, rows)


@pytest.fixture(scope="module")
def ages(rows):
    return np.array([row["age_months"] for row in rows])


def test_a_few_phantoms_are_learnt_by_heart(trained, recipe, rows, ages):
    told = predict_ages(trained.model, recipe, rows)
    assert mad(told, ages) < 0.35 * mad(np.full(COUNT, np.median(ages)), ages)
    assert trained.history[-1]["loss"] < 0.3 * trained.history[0]["loss"]


def test_both_architectures_train_with_everything_switched_on(rows):
    for architecture in ("report", "boneage"):
        full = RegressionRecipe(architecture=architecture, epochs=2, batch_size=8, monitor="mad", size=SIZE)
        result = train(full, rows[:16], validation=rows[16:])
        assert len(result.history) == 2
        assert np.isfinite([entry["val_mad"] for entry in result.history]).all()


@pytest.mark.parametrize(
    ("architecture", "precision"), [("report", "float32"), ("boneage", "mixed_bfloat16")]
)
def test_the_same_seed_gives_the_same_weights_bit_for_bit(rows, architecture, precision):
    short = RegressionRecipe(
        architecture=architecture, precision=precision, size=SIZE, epochs=2, batch_size=8
    )
    one, same = (train(short, rows).model.get_weights() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))


def test_the_exported_model_tells_the_same_ages_and_training_goes_on_from_it(
    trained, recipe, rows, ages, tmp_path
):
    told = predict_ages(trained.model, recipe, rows)
    without_sex = predict_ages(trained.model, recipe, [row | {"male": None} for row in rows])
    export(
        [trained.model, trained.model],
        recipe,
        tmp_path / "model",
        preprocessing={},
        calibration=calibrate(ages, told, without_sex),
        summary={"cases": COUNT},
    )
    regressor = Regressor.load(tmp_path / "model", threads=1)
    said = [regressor.predict(row["input"], SEX[row["male"]]).age_months for row in rows]
    assert said == pytest.approx(np.clip(told, 0, 228), abs=0.01)

    further = dataclasses.replace(recipe, epochs=1, learning_rate=1e-6, seed=9)
    result = train(further, rows, initial=initial_weights(tmp_path / "model", further))
    assert result.history[0]["loss"] < 1.5 * trained.history[-1]["loss"] + 0.02
