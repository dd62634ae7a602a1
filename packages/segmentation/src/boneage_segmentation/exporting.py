"""From a trained network to a model folder."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ModelError
from .model_folder import GRAPH, KIND, WEIGHTS, check_file, read_metadata, write_model_folder

if TYPE_CHECKING:
    import keras

    from .training import SegmentationRecipe

__all__ = ["export", "initial_weights"]

_LARGEST_DIFFERENCE = 1e-3
_NO_LICENCE = "None stated: the terms of the data that it was trained on apply."


def export(
    model: keras.Model,
    recipe: SegmentationRecipe,
    folder: str | Path,
    *,
    threshold: float,
    least_sure: float = 0.0,
    summary: dict[str, Any],
    licence: str | None = None,
) -> None:
    """Writes a model folder, whole or not at all; an older one of that name is replaced.

    It holds model.onnx (image to probability, any batch size), model.weights.h5 (to go on training from) and
    model.json.

    Args:
        model: Trained by the recipe, on the TensorFlow backend.
        recipe: The recipe.
        folder: Where the folder shall stand.
        threshold: From which probability on a pixel is hand; see `choose_threshold`.
        least_sure: Of what share of a hand the network must be sure; see `choose_least_sure`.
        summary: What is to be known of the training: cases, figures, seconds, command; stored as it is.
        licence: Under which terms the weights may be used.

    Raises:
        ModelError: The threshold or the share is none, or the graph answers differently from the network.
    """
    target = Path(folder)
    if not 0 < threshold < 1:
        raise ModelError(target, f"the threshold must lie between 0 and 1; received {threshold}")

    if not 0 <= least_sure <= 1:
        raise ModelError(target, f"least_sure must lie from 0 to 1; received {least_sure}")

    def fill(new: Path) -> dict[str, Any]:
        model.save_weights(new / WEIGHTS)
        _write_graph(model, new / GRAPH)
        _check_graph(model, recipe.size, new / GRAPH, target)
        return {
            "kind": KIND,
            "architecture": recipe.architecture,
            "input_size": list(recipe.size),
            "preprocessing": recipe.preprocessing.to_json(),
            "threshold": float(threshold),
            "least_sure": float(least_sure),
            "recipe": dataclasses.asdict(recipe),
            "parameters": int(model.count_params()),
            "summary": summary,
            "licence": licence or _NO_LICENCE,
            "notice": "Not a medical device.",
            "versions": _versions("boneage-segmentation", "boneage-imaging", "keras", "tensorflow", "onnx"),
        }

    write_model_folder(target, fill)


def initial_weights(folder: str | Path, recipe: SegmentationRecipe) -> Path:
    """Finds the weights in a model folder that training with a recipe can start from.

    Args:
        folder: A model folder.
        recipe: What shall be trained; its network must have the same layers. The input's size may differ.

    Returns:
        The weights file.

    Raises:
        ModelError: No model folder, a damaged one, or a network of other layers.
    """
    folder = Path(folder)
    metadata = read_metadata(folder)
    for name in ("architecture", "base", "depth"):
        there, wanted = metadata["recipe"].get(name), getattr(recipe, name)
        if there != wanted:
            raise ModelError(folder, f"training cannot start from it: its {name} is {there}, wanted {wanted}")
    return check_file(folder, metadata, WEIGHTS)


def _write_graph(model: keras.Model, path: Path) -> None:
    import keras

    probability = keras.layers.Activation("sigmoid", name="probability")(model.output)
    network = keras.Model(model.input, probability)
    network(np.zeros((1, *model.input.shape[1:]), np.float32))  # Keras exports only what was called once
    with contextlib.redirect_stdout(io.StringIO()):  # Keras prints where it saved
        network.export(path, format="onnx", verbose=False)


def _check_graph(model: keras.Model, size: tuple[int, int], path: Path, folder: Path) -> None:
    """Runs both on noise: an export that answers differently must not leave the house."""
    from keras import ops

    from .inference import open_session, run_graph

    images = np.random.default_rng(0).normal(0, 1, (2, *size, 1)).astype(np.float32)
    logits = ops.convert_to_numpy(model(images, training=False))
    difference = float(np.abs(run_graph(open_session(path), images) - 1 / (1 + np.exp(-logits))).max())
    if not difference <= _LARGEST_DIFFERENCE:
        raise ModelError(folder, f"the exported graph's answers differ from the network's by {difference}")


def _versions(*names: str) -> dict[str, str]:
    found = {}
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
