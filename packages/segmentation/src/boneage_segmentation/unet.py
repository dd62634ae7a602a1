"""The two U-Nets: the report's, which is Ronneberger's, and the small one that ships."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import SegmentationError

if TYPE_CHECKING:
    import keras

__all__ = ["ARCHITECTURES", "build_unet"]

_Block = Callable[[Any, int], Any]
_MOST_CHANNELS = 128  # boneage: deeper levels stay narrow, a hand is a simple shape


def build_unet(
    *,
    architecture: str = "boneage",
    size: tuple[int, int] = (128, 128),
    base: int = 16,
    depth: int = 4,
    seed: int = 0,
) -> keras.Model:
    """Builds a U-Net of plain Keras layers, for any backend.

    `report`: double 3 x 3 convolutions with ReLU, max pooling, transposed convolutions, skip connections by
    concatenation, drop-out at the lowest level; padding is "same", so that the output has the input's size.

    `boneage`: the same idea, made to be quick and to converge from every seed. The first convolution halves
    the image and the last one doubles it again, channels stop growing at 128, one convolution is enough at
    each level on the way up, and every convolution is followed by group normalisation, which does not depend
    on the rest of the batch or on other workers.

    Args:
        architecture: "report" or "boneage".
        size: (height, width) of the input; divisible by 2 ** depth ("boneage": by 2 ** (depth + 1)).
        base: Channels of the first level; they double at each level below.
        depth: How often the image is halved by pooling.
        seed: Decides the first weights.

    Returns:
        A model: input "image" (batch, height, width, 1) float32 as `Preprocessing` makes it, output logits of
        the same shape. A logit above 0 means hand.

    Raises:
        SegmentationError: The architecture is unknown, or the size cannot be halved so often.

    Source:
        O. Ronneberger, P. Fischer, T. Brox, U-Net, MICCAI 2015, figure 1.
        Y. Wu, K. He, Group normalization, ECCV 2018.
    """
    if architecture not in ARCHITECTURES:
        raise SegmentationError(
            f"architecture must be one of {sorted(ARCHITECTURES)}; received {architecture!r}"
        )
    if base < 1 or depth < 1:
        raise SegmentationError(f"base and depth must be at least 1; received {base} and {depth}")
    step = 2 ** (depth + (architecture == "boneage"))
    if len(size) != 2 or any(side < step or side % step for side in size):
        raise SegmentationError(f"size must be (height, width), multiples of {step}; received {size}")
    return ARCHITECTURES[architecture](size, base, depth, _Layers(seed))


class _Layers:
    """Makes layers whose first weights all follow from one seed."""

    def __init__(self, seed: int) -> None:
        import keras

        self._keras = keras
        self._seed = seed * 1000

    def _next_seed(self) -> int:
        self._seed += 1
        return self._seed

    def input(self, size: tuple[int, int]) -> Any:
        return self._keras.Input((*size, 1), name="image")

    def convolve(self, x: Any, channels: int, kernel: int = 3, strides: int = 1, bias: bool = True) -> Any:
        first = self._keras.initializers.HeNormal(seed=self._next_seed())
        return self._keras.layers.Conv2D(
            channels, kernel, strides, padding="same", use_bias=bias, kernel_initializer=first
        )(x)

    def enlarge(self, x: Any, channels: int, kernel: int = 2) -> Any:
        first = self._keras.initializers.GlorotUniform(seed=self._next_seed())
        return self._keras.layers.Conv2DTranspose(
            channels, kernel, 2, padding="same", kernel_initializer=first
        )(x)

    def activate(self, x: Any) -> Any:
        return self._keras.layers.Activation("relu")(x)

    def normalize(self, x: Any) -> Any:
        channels = x.shape[-1]
        groups = next(count for count in (4, 3, 2, 1) if channels % count == 0)
        return self._keras.layers.GroupNormalization(groups)(x)

    def pool(self, x: Any) -> Any:
        return self._keras.layers.MaxPooling2D()(x)

    def join(self, skip: Any, x: Any) -> Any:
        return self._keras.layers.Concatenate()([skip, x])

    def drop(self, x: Any, rate: float) -> Any:
        return self._keras.layers.Dropout(rate, seed=self._next_seed())(x)

    def model(self, inputs: Any, outputs: Any, name: str) -> keras.Model:
        # Half precision may be the global policy; the loss wants float32.
        logits = self._keras.layers.Activation("linear", dtype="float32", name="logits")(outputs)
        return self._keras.Model(inputs, logits, name=name)


def _build_report(size: tuple[int, int], base: int, depth: int, layers: _Layers) -> keras.Model:
    def double(x: Any, channels: int) -> Any:
        for _ in range(2):
            x = layers.activate(layers.convolve(x, channels))
        return x

    inputs = x = layers.input(size)
    channels = [base * 2**level for level in range(depth + 1)]
    x = _contract_and_expand(layers, double, double, x, channels, drop=0.5)
    return layers.model(inputs, layers.convolve(x, 1, kernel=1), "report")


def _build_boneage(size: tuple[int, int], base: int, depth: int, layers: _Layers) -> keras.Model:
    def normalized(x: Any, channels: int, kernel: int = 3, strides: int = 1) -> Any:
        x = layers.convolve(x, channels, kernel, strides, bias=False)
        return layers.activate(layers.normalize(x))

    def double(x: Any, channels: int) -> Any:
        return normalized(normalized(x, channels), channels)

    inputs = layers.input(size)
    x = normalized(inputs, base, kernel=4, strides=2)
    channels = [min(base * 2**level, max(base, _MOST_CHANNELS)) for level in range(depth + 1)]
    x = _contract_and_expand(layers, double, normalized, x, channels, drop=0)
    return layers.model(inputs, layers.enlarge(x, 1, kernel=4), "boneage")


def _contract_and_expand(
    layers: _Layers, down: _Block, up: _Block, x: Any, channels: list[int], drop: float
) -> Any:
    """The U: down along `channels`, and up again with the skip connections."""
    skips = []
    for count in channels[:-1]:
        x = down(x, count)
        skips.append(x)
        x = layers.pool(x)
    x = down(x, channels[-1])
    if drop:
        x = layers.drop(x, drop)
    for count, skip in zip(reversed(channels[:-1]), reversed(skips), strict=True):
        x = up(layers.join(skip, layers.enlarge(x, count)), count)
    return x


ARCHITECTURES: dict[str, Callable[[tuple[int, int], int, int, _Layers], Any]] = {
    "report": _build_report,
    "boneage": _build_boneage,
}
