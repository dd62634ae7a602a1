"""The recipe by which a U-Net is trained, and what follows the training: threshold and export."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import SegmentationError
from .exporting import export, initial_weights
from .metrics import jaccard
from .variation import Variation

if TYPE_CHECKING:
    import keras

    from boneage_imaging import Image, Mask

    from .preprocessing import Preprocessing

__all__ = [
    "SegmentationRecipe",
    "choose_least_sure",
    "choose_threshold",
    "export",
    "initial_weights",
    "predict_probabilities",
]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class SegmentationRecipe:
    """What to train and how. A training loop asks it for everything; it knows no loop.

    A row is a dict with `case_id`, `image` (PNG bytes, or uint8 or uint16 (height, width)) and `outline` (PNG bytes, or
    bool of the same size).

    Attributes:
        architecture: "boneage" or "report", see `build_unet`.
        size: (height, width) of the network's input.
        base: Channels of the first level.
        depth: Levels below the first.
        epochs: How often every row is seen.
        batch_size: Rows per step.
        seed: Decides first weights, order and variation.
        averaging: Decay of the weights' running average.
        monitor: The metric that chooses the epoch, on rows that are not trained on.
        patience: Stop after so many epochs without a better one; None: never.
        learning_rate: The highest; it rises over the first twentieth of all steps and falls as a cosine.
        weight_decay: AdamW's.
        clip_limit: CLAHE's limit in the preprocessing; 0: none.
        variation: How far the training examples are changed.
    """

    architecture: str = "boneage"
    size: tuple[int, int] = (160, 160)
    base: int = 16
    depth: int = 4
    epochs: int = 100
    batch_size: int = 8
    seed: int = 0
    averaging: float = 0.98
    monitor: str | None = "-jaccard"
    patience: int | None = 100
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    clip_limit: float = 0.0
    variation: Variation = field(default_factory=Variation)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to a radiograph before this recipe's network sees it."""
        from .preprocessing import Preprocessing

        return Preprocessing(size=self.size, clip_limit=self.clip_limit)

    def build_model(self) -> keras.Model:
        """Builds the network with its first weights."""
        from .unet import build_unet

        return build_unet(
            architecture=self.architecture, size=self.size, base=self.base, depth=self.depth, seed=self.seed
        )

    def optimizer(self, steps_per_epoch: int) -> Any:
        """Makes AdamW with a short rise of the learning rate and a cosine fall; gradients are clipped."""
        import keras

        steps = max(2, self.epochs * steps_per_epoch)
        rise = max(1, steps // 20)
        rate = keras.optimizers.schedules.CosineDecay(
            self.learning_rate / 20,
            steps - rise,
            alpha=0.02,
            warmup_target=self.learning_rate,
            warmup_steps=rise,
        )
        return keras.optimizers.AdamW(rate, weight_decay=self.weight_decay, clipnorm=1.0)

    def loss(self, target: Any, output: Any) -> Any:
        """Adds binary cross-entropy and 1 - soft Dice, so that neither all hand nor no hand is a way out.

        Args:
            target: Coverage by the hand, 0 to 1, (batch, height, width, 1).
            output: Logits of the same shape.

        Returns:
            (batch,).

        Source:
            F. Milletari et al., V-Net, 2016, for the Dice term.
        """
        from keras import ops

        axes = (1, 2, 3)
        target = ops.cast(target, output.dtype)
        # log(1 + exp(-|z|)) + max(z, 0) - z t: cross-entropy that cannot overflow.
        entropy = ops.mean(
            ops.maximum(output, 0) - output * target + ops.log1p(ops.exp(-ops.abs(output))), axes
        )
        probability = ops.sigmoid(output)
        common = ops.sum(target * probability, axes)
        dice = (2 * common + 1) / (ops.sum(target, axes) + ops.sum(probability, axes) + 1)
        return entropy + 1 - dice

    def prepare(
        self, row: Row, seed: int, epoch: int | None
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """Makes one row's input and target.

        Args:
            row: See the class.
            seed: With epoch and case_id it decides the variation.
            epoch: None: as for use, nothing is varied.

        Returns:
            {"image": (height, width, 1)} and the hand's coverage, (height, width, 1).

        Raises:
            SegmentationError: The image and its outline differ in size.
        """
        from .views import draw_view, show_plain

        image, outline = _read_row(row)
        if epoch is None:
            values, target = show_plain(image, outline, self.preprocessing)
        else:
            rng = _random(seed, epoch, str(row["case_id"]))
            values, target = draw_view(image, outline, self.preprocessing, self.variation, rng)
        return {"image": values[..., None]}, target[..., None]

    def metrics(self, target: NDArray[Any], output: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Measures the Jaccard index of each row at the network's size, at the middle threshold."""
        pairs = zip(np.asarray(output), np.asarray(target), strict=True)
        return {"jaccard": np.array([jaccard(z[..., 0] >= 0, t[..., 0] >= 0.5) for z, t in pairs])}


def predict_probabilities(
    model: keras.Model, recipe: SegmentationRecipe, rows: Sequence[Row], *, batch_size: int = 8
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.bool_]]]:
    """Asks a trained network for outlined radiographs, each at its own size.

    Args:
        model: Trained by the recipe.
        recipe: The recipe.
        rows: Outlined radiographs; see `SegmentationRecipe`.
        batch_size: Radiographs at a time.

    Returns:
        The probability of hand, 0 to 1, and the true mask, for each row.
    """
    from keras import ops

    from boneage_imaging import unletterbox

    examples = [(*recipe.preprocessing.apply(image), outline) for image, outline in map(_read_row, rows)]
    probabilities: list[NDArray[np.float32]] = []
    for start in range(0, len(examples), batch_size):
        part = examples[start : start + batch_size]
        inputs = np.stack([values[..., None] for values, _, _ in part])
        logits = ops.convert_to_numpy(model(inputs, training=False))
        for (_, box, _), logit in zip(part, logits[..., 0], strict=True):
            probabilities.append(unletterbox(_sigmoid(logit), box))
    return probabilities, [outline for _, _, outline in examples]


def choose_threshold(
    probabilities: Sequence[NDArray[np.floating]], masks: Sequence[NDArray[np.bool_]]
) -> float:
    """Chooses the threshold with the best mean Jaccard index, on cases that were not trained on.

    Of thresholds that are equally good the middle one is taken, and one half where there are no cases.

    Args:
        probabilities: 2-D, 0 to 1.
        masks: The truth, of the same sizes.

    Returns:
        0.2 to 0.8, in steps of 0.02.

    Raises:
        SegmentationError: Different numbers of probabilities and masks.
    """
    if len(probabilities) != len(masks):
        raise SegmentationError(
            f"a mask for each probability is needed; received {len(masks)} and {len(probabilities)}"
        )
    if not masks:
        return 0.5
    thresholds = np.arange(10, 41) / 50
    means = np.array(
        [
            np.mean([jaccard(p >= threshold, m) for p, m in zip(probabilities, masks, strict=True)])
            for threshold in thresholds
        ]
    )
    good = thresholds[means >= means.max() - 5e-4]
    return float(good[np.argmin(np.abs(good - np.median(good)))])


def choose_least_sure(probabilities: Sequence[NDArray[np.floating]], threshold: float) -> float:
    """Chooses of what share of a hand the network must be sure, on cases that were not trained on.

    Where no hand is, a network that has learnt hands is sure of little.

    Args:
        probabilities: 2-D, 0 to 1, of radiographs with a hand.
        threshold: See `choose_threshold`.

    Returns:
        0.85 of the least share among them; 0 where there are none.
    """
    from .inference import sure_share

    return 0.85 * min((sure_share(p, p >= threshold) for p in probabilities), default=0.0)


def _read_row(row: Row) -> tuple[Image, Mask]:
    from boneage_imaging import decode, decode_mask

    image, outline = row["image"], row["outline"]
    image = decode(image) if isinstance(image, bytes) else image
    outline = decode_mask(outline) if isinstance(outline, bytes) else np.asarray(outline) != 0
    if image.shape != outline.shape:
        raise SegmentationError(
            f"case {row.get('case_id')}: the outline must have the image's size {image.shape}; "
            f"received {outline.shape}"
        )
    return image, outline


def _random(seed: int, epoch: int, case_id: str) -> np.random.Generator:
    digest = hashlib.sha256(case_id.encode()).digest()
    return np.random.default_rng([seed, epoch, int.from_bytes(digest[:8], "little")])


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-np.clip(logits, -60, 60)))).astype(np.float32)
