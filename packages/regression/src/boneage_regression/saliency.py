"""Which parts of a hand an age rests on: each is covered in turn, and the age told anew.

Occlusion (Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2). It asks nothing
of a model but ages, so it works with any graph, and without TensorFlow. What covers a part is a strong blur: a black
square would be something to see in itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from boneage_imaging.masks import fill_holes
from boneage_regression.errors import RegressionError

if TYPE_CHECKING:
    from boneage_regression.inference import Regressor

__all__ = ["PARTS", "cover", "divide", "find_hand", "saliency_map", "strongest_part"]

PARTS = 74
"""With the hand as it is these are 75 images: 150 runs of a graph that looks at each in the mirror too."""
_BLUR = 0.04  # standard deviation, of the long side: bones and gaps go, the brightness of a finger stays
_SOFTNESS = 0.5  # of a part's width: how far it fades into its neighbours
_ROUNDS = 10  # of Lloyd's algorithm; afterwards hardly a pixel changes its part


def saliency_map(regressor: Regressor, image: NDArray[np.uint8], sex: str | None) -> NDArray[np.float32]:
    """How much the age told moves when a part of the hand is covered.

    Always the same for the same model, image and sex.

    Args:
        regressor: The model that tells the age; of any size and kind.
        image: uint8, as `Regressor.predict` takes it: what is not black is the hand.
        sex: ``"F"``, ``"M"`` or None, as the age is told.

    Returns:
        float32, of the image's size, months: above 0 where the hand looks older with that part covered, below
        0 where it looks younger. 0 outside the hand.

    Raises:
        RegressionError: An image of another size or type, or another sex.
    """
    as_it_is = regressor.ages(np.asarray(image)[None], sex)
    parts = divide(find_hand(image), PARTS)
    moves = regressor.ages(cover(image, parts), sex) - as_it_is
    return np.tensordot(moves, parts, 1).astype(np.float32)


def find_hand(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The hand in a prepared image: what is not black, and what that encloses."""
    return fill_holes(np.asarray(image) > 0)


def divide(hand: NDArray[np.bool_], count: int) -> NDArray[np.float32]:
    """Divide a hand into parts of about one size that fade into each other (Lloyd 1982).

    Args:
        hand: bool (height, width).
        count: How many parts; a hand of fewer pixels has as many as it has pixels.

    Returns:
        float32 (parts, height, width), from 0 to 1: each pixel's share in each part. They add up to 1 in the
        hand and are 0 outside.

    Raises:
        RegressionError: A count below 1.
    """
    if count < 1:
        raise RegressionError(f"a hand is divided into at least 1 part. Received: {count}")
    pixels = np.argwhere(hand).astype(np.float64)
    count = min(count, len(pixels))
    parts = np.zeros((count, *hand.shape), np.float32)
    if count:
        distances = _squared_distances(pixels, _find_centres(pixels, count))
        width = _SOFTNESS**2 * len(pixels) / count
        nearest = distances.min(axis=1, keepdims=True)  # so that the nearest part never vanishes
        shares = np.exp((nearest - distances) / (2 * width))
        parts[:, hand] = (shares / shares.sum(axis=1, keepdims=True)).T
    return parts


def _find_centres(pixels: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Lloyd's algorithm; it begins with pixels at equal steps along bands of a part's height."""
    bands = (pixels[:, 0] - pixels[0, 0]) // np.sqrt(len(pixels) / count)
    along = pixels[np.lexsort((pixels[:, 1], bands))]
    centres = along[np.linspace(0, len(pixels) - 1, count).astype(int)]
    for _ in range(_ROUNDS):
        part = _squared_distances(pixels, centres).argmin(axis=1)
        sizes = np.bincount(part, minlength=count)
        sums = np.stack([np.bincount(part, axis, minlength=count) for axis in pixels.T], axis=1)
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
    return centres


def _squared_distances(pixels: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = (pixels**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
    return np.maximum(squares - 2 * pixels @ centres.T, 0)


def cover(image: NDArray[np.uint8], parts: NDArray[np.floating | np.bool_]) -> NDArray[np.uint8]:
    """Cover parts of a hand, each in an image of its own: there it is blurred (Gaussian), as far as the hand reaches.

    Args:
        image: uint8 (height, width), black outside the hand.
        parts: (n, height, width), from 0 (left as it is) to 1 (covered), or bool.

    Returns:
        uint8 (n, height, width).
    """
    change = (_blur(image) - image) * find_hand(image)
    return np.rint(image + change * parts).astype(np.uint8)


def _blur(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    down, across = (_gaussian(side, _BLUR * max(image.shape)) for side in image.shape)
    return np.asarray(down @ image @ across.T)


def _gaussian(side: int, deviation: float) -> NDArray[np.float64]:
    """Row by row the weights that make a mean around each place of a line."""
    at = np.arange(side)
    weights = np.exp(-0.5 * ((at[:, None] - at) / deviation) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def strongest_part(
    map_months: NDArray[np.floating], hand: NDArray[np.bool_], share: float = 0.1
) -> NDArray[np.bool_]:
    """The part of the hand that moves the age most in one direction.

    Parts that make a hand look older and such that make it look younger would cancel out if they were covered together.

    Args:
        map_months: Of `saliency_map`.
        hand: bool, of the same size.
        share: Of the hand's pixels.

    Returns:
        bool: the share of the pixels with the highest values or with the lowest, whichever add up to more.
    """
    values = np.asarray(map_months, np.float64)[hand]
    order = np.argsort(values, kind="stable")
    count = round(share * len(values))
    lowest, highest = order[:count], order[len(order) - count :]
    chosen = highest if values[highest].sum() >= -values[lowest].sum() else lowest
    part = np.zeros(len(values), bool)
    part[chosen] = True
    whole = np.zeros(hand.shape, bool)
    whole[hand] = part
    return whole
