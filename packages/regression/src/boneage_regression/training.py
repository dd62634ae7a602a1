"""What is trained and how: the recipe. The loop that trains it is not here, nor is anything that runs it.

A recipe is a frozen dataclass of plain values with the functions that a training loop calls. The figures
behind the defaults stand in docs/experiments.md.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from boneage_imaging.augmentation import Augmentation, apply, sample
from boneage_imaging.codec import decode
from boneage_regression.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

    from boneage_regression.calibration import Calibration

__all__ = ["RegressionRecipe", "Row", "encode_sex", "export", "predict_ages"]

Row = dict[str, Any]
"""``case_id``; ``input``, PNG bytes or uint8 (height, width); ``male``, bool or None; ``age_months``."""

_PREDICT_BATCH = 32
_TINY = 1e-6
_AUGMENTATION = Augmentation(
    max_angle_deg=10.0, max_scale=0.08, max_shift=0.04, mirror=True, gamma=0.3, contrast=0.15, noise=0.02
)


@dataclass(frozen=True)
class RegressionRecipe:
    """How a network that tells the age is built and trained.

    Attributes:
        architecture: ``"report"`` or ``"boneage"``, see `cnn.build_cnn`.
        size: (height, width) of the input in pixels.
        dense_width: Width of the fully connected layer.
        dropout: Share of features dropped in training.
        mean_months: Mean age of the training part; see `fitted`.
        spread_months: Standard deviation of the ages of the training part.
        loss_delta: Where Huber's loss turns from square to straight, in standard deviations of age.
        blind_share: Of the loss, for the age told without the sex; the rest is for the age told with it.
        sex_weight: Of the loss for telling the sex, which serves the age told without it.
        augmentation: How training images are varied.
        epochs: Passes over the training part.
        batch_size: Images per step.
        learning_rate: Highest learning rate; it rises in the first twentieth of all steps, then falls.
        weight_decay: AdamW's, on all weights but biases and norms.
        averaging: Decay of the running average of the weights; 0 for none.
        monitor: The validation figure that chooses the epoch; None keeps the last.
        patience: Epochs without a better figure after which training ends; None never ends it early.
        precision: In which images are convolved in training, see `cnn.build_cnn`.
        seed: Of weights, dropout, order and augmentation.
    """

    architecture: str = "report"
    size: tuple[int, int] = (128, 128)
    dense_width: int = 32
    dropout: float = 0.0
    mean_months: float = 127.0
    spread_months: float = 41.0
    loss_delta: float = 0.3
    blind_share: float = 0.5
    sex_weight: float = 0.1
    augmentation: Augmentation = _AUGMENTATION
    epochs: int = 40
    batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    averaging: float = 0.99
    monitor: str | None = None
    patience: int | None = None
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.spread_months > 0:
            raise RecipeError(f"spread_months must be above 0. Received: {self.spread_months!r}")
        if not 0 <= self.blind_share <= 1:
            raise RecipeError(
                f"blind_share must lie in 0 <= blind_share <= 1. Received: {self.blind_share!r}"
            )
        if not self.sex_weight >= 0:
            raise RecipeError(f"sex_weight must be at least 0. Received: {self.sex_weight!r}")
        if not (self.loss_delta > 0 and self.learning_rate > 0):
            raise RecipeError(
                "loss_delta and learning_rate must be above 0. "
                f"Received: {self.loss_delta!r}, {self.learning_rate!r}"
            )

    def fitted(self, ages_months: ArrayLike, *, size: tuple[int, int] | None = None) -> RegressionRecipe:
        """This recipe for a training part: its ages' mean and spread, and the size of its inputs.

        Args:
            ages_months: Ages of the training part, months, shape (n,).
            size: (height, width) of the inputs; None keeps the recipe's.

        Raises:
            RecipeError: Fewer than two different ages.
        """
        ages = np.asarray(ages_months, np.float64)
        if ages.size < 2 or not np.isfinite(ages).all() or np.ptp(ages) == 0:
            raise RecipeError(
                f"at least two different ages are needed to scale by. Received: {ages.size} ages"
            )
        height, width = size or self.size
        return dataclasses.replace(
            self,
            mean_months=float(ages.mean()),
            spread_months=float(ages.std()),
            size=(int(height), int(width)),
        )

    def build_model(self) -> Any:
        """Build the untrained ``keras.Model``."""
        from boneage_regression.cnn import build_cnn

        return build_cnn(
            architecture=self.architecture,
            size=self.size,
            dense_width=self.dense_width,
            dropout=self.dropout,
            seed=self.seed,
            precision=self.precision,
        )

    def finished(self, model: Any) -> Any:
        """The network as it is used: of full precision, with weights that half precision can hold.

        So an export can store the weights in half the space, and still answers the same.

        Args:
            model: As this recipe built and trained it; it stays as it is.
        """
        plain = dataclasses.replace(self, precision="float32").build_model()
        plain.set_weights(model.get_weights())
        _round(plain)
        _even_scales(plain)
        _round(plain)
        return plain

    def optimizer(self, steps_per_epoch: int) -> Any:
        """AdamW, the learning rate rising shortly, then falling by a cosine (Loshchilov and Hutter 2019)."""
        import keras

        steps = max(self.epochs * steps_per_epoch, 2)
        rise = max(steps // 20, 1)
        schedule = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=self.learning_rate / 20,
            decay_steps=steps - rise,
            warmup_target=self.learning_rate,
            warmup_steps=rise,
            alpha=0.01,
        )
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=self.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer

    def loss(self, target: Any, output: Any) -> Any:
        """Per example: Huber's loss of both ages, over delta, and the cross-entropy of the sex where it is known.

        Huber's loss (1964) over delta is the absolute difference far from the truth.

        Args:
            target: (batch, 2), standardised age and the sex, see `encode_sex`.
            output: (batch, 3), see `cnn`.
        """
        from keras import ops

        size = ops.abs(output[:, :2] - target[:, :1])
        square = ops.square(size) / (2 * self.loss_delta)
        ages = ops.where(size < self.loss_delta, square, size - self.loss_delta / 2)
        sex, looks_male = target[:, 1], output[:, 2]
        doubt = ops.abs(sex) * ops.softplus(-sex * looks_male)
        return (1 - self.blind_share) * ages[:, 0] + self.blind_share * ages[:, 1] + self.sex_weight * doubt

    def metrics(self, target: NDArray[Any], output: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """``mad`` and ``mad_without_sex``: the absolute difference of each example, in months."""
        known, unknown = (np.abs(output[:, i] - target[:, 0]) * self.spread_months for i in (0, 1))
        return {"mad": known, "mad_without_sex": unknown}

    def prepare(
        self, row: Row, seed: int, epoch: int | None
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """Make one example of a row.

        Args:
            row: See `Row`.
            seed: Of the run.
            epoch: Decides, with seed and case id, how the image is varied; None for validation: not at all.

        Returns:
            Inputs (``image`` (height, width, 1) in 0..255, ``sex`` (1,)) and target (2,), standardised age and sex.

        Raises:
            RecipeError: The image has another size or type, or there is no age.
        """
        image, sex = _read_image(row, self.size), encode_sex(row["male"])
        if epoch is not None:
            rng = _generator(seed, epoch, row["case_id"])
            image = apply(sample(self.augmentation, rng, self.size), image)
        if row["age_months"] is None:
            raise RecipeError(f"case {row['case_id']}: age_months must be a number of months. Received: None")
        target = (row["age_months"] - self.mean_months) / self.spread_months
        inputs = {
            "image": image[..., None].astype(np.float32),
            "sex": np.array([sex], np.float32),
        }
        return inputs, np.array([target, sex], np.float32)


def _round(model: Any) -> None:
    """Brings all weights but moving variances to what half precision can hold."""
    for variable in model.weights:
        if variable.name != "moving_variance":
            variable.assign(variable.numpy().astype(np.float16).astype(np.float32))


def _even_scales(model: Any) -> None:
    """Makes each convolution's channels so large that the normalisation after it multiplies them by a power of two.

    A graph's writer puts that factor into the kernel; by a power of two what half precision holds stays so. What the
    network answers does not change, nor what it learns: normalisation takes any size of a channel away.
    """
    for layer in model.layers:
        if type(layer).__name__ != "BatchNormalization":
            continue
        source = layer.input._keras_history.operation
        if type(source).__name__ != "Conv2D":
            continue
        gamma, variance = layer.gamma.numpy(), layer.moving_variance.numpy()
        factor = np.abs(gamma) / np.sqrt(variance + layer.epsilon)
        wanted = 2.0 ** np.round(np.log2(np.maximum(factor, _TINY)))
        even = np.square(gamma.astype(np.float64) / wanted) - layer.epsilon
        live = (factor > _TINY) & (even > 0)  # no variance is below 0: what hardly varies stays as it is
        size = np.where(live, factor / wanted, 1).astype(np.float32)
        source.kernel.assign(source.kernel.numpy() * size)
        source.bias.assign(source.bias.numpy() * size)
        layer.moving_mean.assign(layer.moving_mean.numpy() * size)
        layer.moving_variance.assign(np.where(live, even, variance).astype(np.float32))


def encode_sex(male: bool | None) -> float:
    """The sex as the network takes it: +1 male, -1 female, 0 not known.

    >>> encode_sex(True), encode_sex(False), encode_sex(None)
    (1.0, -1.0, 0.0)
    """
    return 0.0 if male is None else (1.0 if male else -1.0)


def predict_ages(model: Any, recipe: RegressionRecipe, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Ages told by a Keras model, just as `inference` tells them.

    A network that was trained on mirrored images too tells the mean over the image and its mirror image.

    Args:
        model: Trained with the recipe.
        recipe: Gives size and target scaling.
        rows: The cases; their ages are not looked at.

    Returns:
        Months, shape (len(rows),).
    """
    told = [
        _predict_batch(model, recipe, rows[start : start + _PREDICT_BATCH])
        for start in range(0, len(rows), _PREDICT_BATCH)
    ]
    return np.concatenate(told) if told else np.zeros(0)


def _predict_batch(model: Any, recipe: RegressionRecipe, rows: Sequence[Row]) -> NDArray[np.float64]:
    images = np.stack([_read_image(row, recipe.size) for row in rows])[..., None].astype(np.float32)
    sexes = np.array([[encode_sex(row["male"])] for row in rows], np.float32)
    views = [images, images[:, :, ::-1]] if recipe.augmentation.mirror else [images]
    told = [np.asarray(model({"image": view, "sex": sexes}, training=False))[:, 0] for view in views]
    standardised = np.mean(told, axis=0, dtype=np.float64).reshape(-1)
    return recipe.mean_months + recipe.spread_months * standardised


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
    """Write a model folder: see `exporting.export`."""
    from boneage_regression import exporting

    exporting.export(
        models,
        recipe,
        folder,
        preprocessing=preprocessing,
        calibration=calibration,
        summary=summary,
        licence=licence,
    )


def _read_image(row: Row, size: tuple[int, int]) -> NDArray[np.uint8]:
    given = row["input"]
    image = decode(given) if isinstance(given, bytes) else given
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape != tuple(size):
        received = (image.dtype, image.shape) if isinstance(image, np.ndarray) else type(image).__name__
        raise RecipeError(
            f"case {row['case_id']}: input must be uint8 of shape {tuple(size)}. Received: {received}"
        )
    return image


def _generator(seed: int, epoch: int, case_id: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}:{epoch}:{case_id}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))
