"""One small model folder for all tests: two untrained nets of the report's kind, exported as one graph."""

import numpy as np
import pytest

from boneage_regression.calibration import Calibration
from boneage_regression.exporting import export
from boneage_regression.training import RegressionRecipe

SIZE = (48, 32)


@pytest.fixture(scope="session")
def recipes():
    """Two folds' recipes: the target scaling differs."""
    return [
        RegressionRecipe(size=SIZE, dense_width=8, seed=1, mean_months=100.0, spread_months=40.0),
        RegressionRecipe(size=SIZE, dense_width=8, seed=2, mean_months=120.0, spread_months=30.0),
    ]


@pytest.fixture(scope="session")
def networks(recipes):
    """Not trained, but each with an opinion of the sex, so that it counts where that is not given."""
    built = [recipe.build_model() for recipe in recipes]
    for sign, network in zip((1, -1), built, strict=True):
        looks_male = network.get_layer("looks_male")
        looks_male.set_weights([np.full_like(looks_male.kernel, 0.02 * sign), looks_male.bias])
    return built


@pytest.fixture(scope="session")
def calibration():
    return Calibration(0.9, (), (10.0,), (15.0,), 100)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, networks, recipes, calibration):
    folder = tmp_path_factory.mktemp("models") / "model"
    export(
        networks,
        recipes,
        folder,
        preprocessing={"prepare": {"clahe": True, "tiles": [8, 8]}},
        calibration=calibration,
        summary={"cases": 12},
        licence="CC BY-NC 4.0",
    )
    return folder
