"""From trained networks to a model folder: one graph that answers their mean, in months."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from boneage_regression.errors import ModelError, RecipeError
from boneage_regression.model_folder import GRAPH, check_file, read_metadata, weights_name, write_model_folder

if TYPE_CHECKING:
    from boneage_regression.calibration import Calibration
    from boneage_regression.training import RegressionRecipe

__all__ = ["REFERENCE_STANDARD", "export", "initial_weights"]

REFERENCE_STANDARD = "Greulich-Pyle readings, one reader"
_NO_LICENCE = "None stated: the terms of the data that it was trained on apply."
_LARGEST_DIFFERENCE_MONTHS = 0.01
_LEAST_HALVED = 64  # numbers; for fewer it is not worth a node
_HALVED_WITHIN = 1e-6  # of a weight: what float32 itself rounds away


def export(
    models: Sequence[Any],
    recipe: RegressionRecipe | Sequence[RegressionRecipe],
    folder: str | Path,
    *,
    preprocessing: dict[str, Any],
    calibration: Calibration,
    summary: dict[str, Any],
    licence: str | None = None,
) -> None:
    """Write a model folder, whole or not at all; an older one of that name is replaced.

    Args:
        models: Trained networks of one input size, the folds' for example; the graph answers their mean.
        recipe: The recipe of all of them, or one each.
        folder: Where the folder shall stand.
        preprocessing: How a radiograph became the networks' input; stored as it is, for the model's users.
        calibration: For the intervals.
        summary: What is to be known of the training: cases, figures, seconds, command; stored as it is.
        licence: Under which terms the weights may be used.

    Raises:
        RecipeError: No models, a number of recipes that does not fit, or inputs of different size.
        ModelError: The graph's answers differ from the networks' by more than 0.01 months.
    """
    recipes = _one_each(models, recipe)
    target = Path(folder)

    def fill(new: Path) -> dict[str, Any]:
        (new / "weights").mkdir()
        for index, model in enumerate(models):
            model.save_weights(new / weights_name(index))
        _write_graph(models, recipes, new / GRAPH)
        _check_graph(models, recipes, new / GRAPH, target)
        return {
            "architecture": recipes[0].architecture,
            "input_size": list(recipes[0].size),
            "mirror_averaging": all(r.augmentation.mirror for r in recipes),
            "networks": len(models),
            "parameters": models[0].count_params(),
            "output": "months",
            "target_scaling": [
                {"mean_months": r.mean_months, "spread_months": r.spread_months} for r in recipes
            ],
            "recipes": [dataclasses.asdict(r) for r in recipes],
            "preprocessing": preprocessing,
            "calibration": calibration.to_json(),
            "summary": summary,
            "reference_standard": REFERENCE_STANDARD,
            "licence": licence or _NO_LICENCE,
            "notice": "Not a medical device.",
            "versions": _versions("boneage-regression", "keras", "tensorflow", "onnx"),
        }

    write_model_folder(target, fill)


def initial_weights(folder: str | Path, recipe: RegressionRecipe, index: int = 0) -> Path:
    """The weights in a model folder that training with a recipe can start from.

    Args:
        folder: A model folder.
        recipe: What shall be trained; the network must have the same layers.
        index: Which of the folder's networks; counted round where there are fewer. Where the split is the
            same, a fold that starts from the network of the same fold starts from one that has not seen its
            held-out cases.

    Returns:
        The weights file.

    Raises:
        ModelError: No model folder, damaged, or a network of another architecture or size.
    """
    folder = Path(folder)
    metadata = read_metadata(folder)
    name = weights_name(index % metadata["networks"])
    given = metadata["recipes"][index % metadata["networks"]]
    for field in ("architecture", "size", "dense_width"):
        wanted, there = getattr(recipe, field), given[field]
        if wanted != (tuple(there) if isinstance(there, list) else there):
            raise ModelError(
                folder, f"training cannot start from it: its {field} is {there}, wanted {wanted}"
            )
    return check_file(folder, metadata, name)


def _one_each(
    models: Sequence[Any], recipe: RegressionRecipe | Sequence[RegressionRecipe]
) -> list[RegressionRecipe]:
    recipes = list(recipe) if isinstance(recipe, Sequence) else [recipe] * len(models)
    if not models or len(recipes) != len(models) or len({r.size for r in recipes}) != 1:
        raise RecipeError(
            "at least one model, one recipe for all or one each, one input size. "
            f"Received: {len(models)} models, {len(recipes)} recipes, "
            f"sizes {sorted({r.size for r in recipes})}"
        )
    return recipes


def _versions(*names: str) -> dict[str, str]:
    """Of the packages that are installed: not every backend has TensorFlow."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _write_graph(models: Sequence[Any], recipes: Sequence[RegressionRecipe], path: Path) -> None:
    """The networks side by side, each brought to months, then averaged."""
    import keras

    size = recipes[0].size
    image, sex = keras.Input((*size, 1), name="image"), keras.Input((1,), name="sex")
    ages = []
    for index, (model, recipe) in enumerate(zip(models, recipes, strict=True)):
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        copy.name = f"network_{index}"
        months = keras.layers.Rescaling(recipe.spread_months, recipe.mean_months, name=f"months_{index}")
        ages.append(months(copy({"image": image, "sex": sex})[:, :1]))
    mean = keras.layers.Average(name="age_months")(ages) if len(ages) > 1 else ages[0]
    together = keras.Model({"image": image, "sex": sex}, mean)
    together({"image": np.zeros((1, *size, 1), np.float32), "sex": np.zeros((1, 1), np.float32)})
    # Keras exports only what was called once.
    together({"image": np.zeros((1, *size, 1), np.float32), "sex": np.zeros((1, 1), np.float32)})
    with redirect_stdout(io.StringIO()):  # Keras prints where it saved
        together.export(path, format="onnx", verbose=False)
    _halve(path)


def _halve(path: Path) -> None:
    """Stores in half precision what loses nothing by it; ONNX Runtime widens it once, as it loads the graph."""
    import onnx

    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _LEAST_HALVED:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.allclose(half.astype(np.float32), values, rtol=_HALVED_WITHIN, atol=0):
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _check_graph(
    models: Sequence[Any], recipes: Sequence[RegressionRecipe], path: Path, folder: Path
) -> None:
    """Run both on noise: an export that answers differently must not leave the house."""
    from boneage_regression.inference import open_session, run_graph

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, *recipes[0].size, 1)).astype(np.float32)
    sexes = np.array([[1.0], [-1.0], [0.0]], np.float32)
    wanted = np.mean(
        [
            r.mean_months
            + r.spread_months * np.asarray(m({"image": images, "sex": sexes}, training=False))[:, 0]
            for m, r in zip(models, recipes, strict=True)
        ],
        axis=0,
    )
    difference = float(np.abs(run_graph(open_session(path), images, sexes) - wanted).max())
    if not difference <= _LARGEST_DIFFERENCE_MONTHS:
        raise ModelError(
            folder, f"the exported graph's ages differ from the networks' by {difference:.3f} months"
        )
