"""The networks: the 2019 report's small CNN, and a compact residual net of our own.

Both take the same inputs and give the same output, so that everything else (training, export, inference)
does not know which of the two it holds:

- ``image``: float32 (height, width, 1), gray values 0 to 255 as stored; the net normalises them itself;
- ``sex``: float32 (1,), +1 male, -1 female, 0 not known;
- output: float32 (3,): the age told with the sex as given, the age told without it, both standardised (the recipe
  holds mean and spread), and how male the hand looks (log odds). A hand of unknown sex has one age twice.

Plain ``keras.layers``: the same code builds under TensorFlow, JAX and PyTorch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from boneage_regression.errors import RecipeError

__all__ = ["ARCHITECTURES", "PRECISIONS", "build_cnn"]

# Gray values in, about -1..1 out: black (background, padding) becomes 0, as zero padding in a convolution is.
_GRAY_SCALE = 1.0 / 128.0
# Each layer gets its own seed; two nets with different seeds share none.
_SEEDS_PER_NET = 1000
_REPORT_KERNELS = (16, 32, 64, 128)
# (channels, residual blocks) of each stage; every stage but the first halves the image.
_STAGES = ((32, 1), (64, 1), (96, 2), (128, 2), (160, 2))
# Normalising the large images of the first stages too takes a third of the time and gains nothing seen.
_FIRST_NORMALISED = 2
# How steep the last rectifier is below 0. Behind thousands of features a step can push all its units there, for good,
# if it is flat: one of five networks on drawn phantoms then told the median of everybody.
_SLOPES = {"report": 0.1, "boneage": 0.0}
PRECISIONS = ("float32", "mixed_bfloat16")


def build_cnn(
    *,
    architecture: str = "report",
    size: tuple[int, int] = (128, 128),
    dense_width: int = 32,
    dropout: float = 0.0,
    seed: int = 0,
    precision: str = "float32",
) -> Any:
    """Build an untrained network.

    Args:
        architecture: ``"report"`` (Memon and Cuomo 2019: four 3x3 convolutions with 16, 32, 64, 128 kernels,
            each followed by 2x2 max pooling, flatten, fully connected, one number; sex joins after the
            flatten) or ``"boneage"`` (five stages of residual blocks, He et al. 2016, with batch normalisation,
            Ioffe and Szegedy 2015, from the third on, then global average pooling; sex joins after that).
        size: (height, width) of the input in pixels; at least 32 each.
        dense_width: Width of the fully connected layer before the output.
        dropout: Share of features dropped before and after that layer, in training only; 0 for none.
        seed: Of the initial weights and of dropout. Same seed, same weights.
        precision: ``"float32"`` or ``"mixed_bfloat16"``: images are convolved in half precision, which trains in
            half the time on CPUs and GPUs that know it; weights and the last layers stay float32.

    Returns:
        A ``keras.Model`` with inputs ``{"image", "sex"}`` and an output of shape (batch, 3).

    Raises:
        RecipeError: Unknown architecture or precision, or a size that cannot be pooled four times.
    """
    if architecture not in ARCHITECTURES:
        raise RecipeError(
            f"architecture must be one of {', '.join(ARCHITECTURES)}. Received: {architecture!r}"
        )
    if precision not in PRECISIONS:
        raise RecipeError(f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision!r}")
    if len(size) != 2 or min(size) < 32:
        raise RecipeError(f"size must be (height, width) of at least 32 pixels each. Received: {size!r}")
    import keras

    seeds = itertools.count(seed * _SEEDS_PER_NET)
    image = keras.Input((*size, 1), name="image")
    sex = keras.Input((1,), name="sex")
    scaled = keras.layers.Rescaling(_GRAY_SCALE, name="scale")(image)
    features = ARCHITECTURES[architecture](scaled, seeds, precision)
    answers = _answer(features, sex, dense_width, dropout, _SLOPES[architecture], seeds)
    return keras.Model({"image": image, "sex": sex}, answers, name=architecture)


def _report_features(image: Any, seeds: Iterator[int], precision: str) -> Any:
    """The report's feature extractor: four times convolution and pooling, then flatten."""
    import keras

    x = image
    for kernels in _REPORT_KERNELS:
        x = _convolution(kernels, seeds, precision, activation="relu")(x)
        x = keras.layers.MaxPooling2D(2, dtype=precision)(x)
    return keras.layers.Flatten(dtype="float32")(x)


def _boneage_features(image: Any, seeds: Iterator[int], precision: str) -> Any:
    """Ours: a strided stem, stages of residual blocks, then global average pooling."""
    import keras

    x = _convolution(_STAGES[0][0], seeds, precision, kernel=5, strides=2)(image)
    for stage, (width, blocks) in enumerate(_STAGES):
        for block in range(blocks):
            strides = 2 if stage and not block else 1
            x = _residual_block(x, width, strides, stage >= _FIRST_NORMALISED, seeds, precision)
    x = _activation(x, True, precision)
    return keras.layers.GlobalAveragePooling2D(dtype="float32")(x)


def _residual_block(
    x: Any, width: int, strides: int, normalised: bool, seeds: Iterator[int], precision: str
) -> Any:
    """Normalise, activate, convolve, twice, and add the input (He et al. 2016, identity mappings)."""
    import keras

    shortcut, active = x, _activation(x, normalised, precision)
    if strides > 1:
        shortcut = keras.layers.AveragePooling2D(strides, padding="same", dtype=precision)(active)
    if x.shape[-1] != width:
        shortcut = _convolution(width, seeds, precision, kernel=1)(shortcut)
    x = _convolution(width, seeds, precision, strides=strides)(active)
    x = _convolution(width, seeds, precision)(_activation(x, normalised, precision))
    return keras.layers.Add(dtype=precision)([shortcut, x])


def _activation(x: Any, normalised: bool, precision: str) -> Any:
    import keras

    if normalised:
        x = keras.layers.BatchNormalization(dtype=precision)(x)
    return keras.layers.ReLU(dtype=precision)(x)


def _convolution(
    kernels: int,
    seeds: Iterator[int],
    precision: str,
    *,
    kernel: int = 3,
    strides: int = 1,
    activation: str | None = None,
) -> Any:
    import keras

    return keras.layers.Conv2D(
        kernels,
        kernel,
        strides=strides,
        padding="same",
        activation=activation,
        kernel_initializer=keras.initializers.HeNormal(seed=next(seeds)),
        dtype=precision,
    )


def _answer(features: Any, sex: Any, width: int, dropout: float, slope: float, seeds: Iterator[int]) -> Any:
    """The age with the sex and without it, by the same layers, and how male the hand looks.

    Where the sex is not given, what the hand looks like stands in for it, and that it does is told too. A dense layer
    over [features, sex] is the sum of one over each. Written as that sum, sex keeps weights of a useful size beside
    thousands of features, and dropout never takes it away.
    """
    import keras
    from keras import ops

    x = keras.layers.Dropout(dropout, seed=next(seeds))(features) if dropout else features
    hand = keras.layers.Dense(width, kernel_initializer=keras.initializers.HeNormal(seed=next(seeds)))(x)
    looks_male = keras.layers.Dense(1, kernel_initializer="zeros", name="looks_male")(x)
    join = keras.layers.Dense(
        width,
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.3, seed=next(seeds)),
        name="join_sex",
    )
    drop = keras.layers.Dropout(dropout, seed=next(seeds)) if dropout else keras.layers.Identity()
    tell = keras.layers.Dense(
        1, kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)), name="age"
    )
    seen = keras.layers.Activation("tanh")(looks_male)
    unknown = 1 - ops.abs(sex)
    ages = [
        tell(drop(ops.leaky_relu(hand + join(ops.concatenate([used, hidden], axis=-1)), slope)))
        for used, hidden in ((sex + unknown * seen, unknown), (seen, ops.ones_like(sex)))
    ]
    return ops.concatenate([*ages, looks_male], axis=-1)


ARCHITECTURES: dict[str, Callable[[Any, Iterator[int], str], Any]] = {
    "report": _report_features,
    "boneage": _boneage_features,
}
