"""Tells bone age in months from a prepared hand radiograph.

Networks, folds, training recipe, inference, calibrated intervals, metrics.

Every public name can be imported from here; it is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boneage_regression.calibration import Calibration, calibrate, conformal_half_width
    from boneage_regression.cnn import build_cnn
    from boneage_regression.errors import (
        CalibrationError,
        FoldError,
        MetricError,
        ModelError,
        RecipeError,
        RegressionError,
    )
    from boneage_regression.exporting import export, initial_weights
    from boneage_regression.folds import assign_folds, in_test, inner_part
    from boneage_regression.inference import Prediction, Regressor, default_model
    from boneage_regression.metrics import (
        bias,
        bootstrap_interval,
        mad,
        mean_absolute_deviation,
        rmse,
        share_over,
    )
    from boneage_regression.recalibration import Recalibration, recalibrate
    from boneage_regression.saliency import saliency_map
    from boneage_regression.summary import summarize
    from boneage_regression.training import RegressionRecipe, predict_ages

__all__ = [
    "Calibration",
    "CalibrationError",
    "FoldError",
    "MetricError",
    "ModelError",
    "Prediction",
    "Recalibration",
    "RecipeError",
    "RegressionError",
    "RegressionRecipe",
    "Regressor",
    "assign_folds",
    "bias",
    "bootstrap_interval",
    "build_cnn",
    "calibrate",
    "conformal_half_width",
    "default_model",
    "export",
    "in_test",
    "initial_weights",
    "inner_part",
    "mad",
    "mean_absolute_deviation",
    "predict_ages",
    "recalibrate",
    "rmse",
    "saliency_map",
    "share_over",
    "summarize",
]

_MODULES: dict[str, tuple[str, ...]] = {
    "calibration": ("Calibration", "calibrate", "conformal_half_width"),
    "cnn": ("build_cnn",),
    "errors": (
        "CalibrationError",
        "FoldError",
        "MetricError",
        "ModelError",
        "RecipeError",
        "RegressionError",
    ),
    "exporting": ("export", "initial_weights"),
    "folds": ("assign_folds", "in_test", "inner_part"),
    "inference": ("Prediction", "Regressor", "default_model"),
    "metrics": ("bias", "bootstrap_interval", "mad", "mean_absolute_deviation", "rmse", "share_over"),
    "recalibration": ("Recalibration", "recalibrate"),
    "saliency": ("saliency_map",),
    "summary": ("summarize",),
    "training": ("RegressionRecipe", "predict_ages"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
