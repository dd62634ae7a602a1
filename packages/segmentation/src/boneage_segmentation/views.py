"""Training views: a radiograph and its outline, moved, cluttered and exposed in another way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging import Image, Letterbox, Mask, augmentation, compose, range_in_use
from boneage_imaging.geometry import warp

from .clutter import add_clutter
from .preprocessing import Preprocessing
from .variation import Variation

__all__ = ["draw_view", "show_plain"]

Floats = NDArray[np.float32]


def show_plain(image: Image, outline: Mask, preprocessing: Preprocessing) -> tuple[Floats, Floats]:
    """Makes the network's input and target without any change, as for use.

    Args:
        image: 2-D uint8 or uint16.
        outline: The hand, 2-D bool of the same size.
        preprocessing: The network's.

    Returns:
        Input, and target: how much of each pixel the hand covers. Both float32 (height, width).
    """
    values, box = preprocessing.apply(image)
    return values, warp(outline.astype(np.float32), box.matrix(), preprocessing.size)


def draw_view(
    image: Image, outline: Mask, preprocessing: Preprocessing, variation: Variation, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draws one training example from an outlined radiograph.

    Both are resampled once, from the source; then things are drawn around the hand, the exposure is changed,
    a part is cropped, and the preprocessing follows as for use.

    Args:
        image: 2-D uint8 or uint16; what counts is the range in use.
        outline: The hand, 2-D bool of the same size.
        preprocessing: The network's.
        variation: How far it may be changed.
        rng: Decides how it is changed.

    Returns:
        Input and target as `show_plain` makes them.
    """
    change = _sample_change(variation, preprocessing.size, rng)
    values, target = _move(image, outline, change, variation, rng)
    values, target = add_clutter(values, target, variation, rng)
    if rng.random() < variation.empty:
        values, target = _remove_hand(values, target, rng)
    values = _expose(values, variation, rng)
    still = replace(change, angle_deg=0.0, scale=1.0, shift=(0.0, 0.0), mirror=False)
    framed = augmentation.apply(still, np.rint(values * 255).astype(np.uint8))
    inner = _crop(target, variation, rng)
    seen = np.zeros_like(target)
    seen[inner] = target[inner]
    return preprocessing.normalize(framed, inner), seen


def _sample_change(
    variation: Variation, size: tuple[int, int], rng: np.random.Generator
) -> augmentation.Transform:
    limits = augmentation.Augmentation(
        max_angle_deg=180.0 if rng.random() < variation.turn else variation.angle_deg,
        max_scale=variation.scale,
        max_shift=variation.shift,
        mirror=variation.mirror,
        gamma=variation.gamma,
        contrast=variation.contrast,
        noise=variation.noise,
        invert=variation.invert,
    )
    return augmentation.sample(limits, rng, size)


def _move(
    image: Image,
    outline: Mask,
    change: augmentation.Transform,
    variation: Variation,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    size = change.size
    matrix = compose(_fit(image.shape, size), _shear(size, variation.shear, rng), change.matrix())
    black, white = range_in_use(image)
    values = np.clip((image.astype(np.float32) - np.float32(black)) / np.float32(white - black), 0, 1)
    around = np.median(np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]]))
    fill = rng.choice([0.0, around, around, 1.0, rng.random()])
    return (
        warp(values, matrix, size, fill=float(fill)),
        np.clip(warp(outline.astype(np.float32), matrix, size), 0, 1),
    )


def _fit(source: tuple[int, ...], size: tuple[int, int]) -> NDArray[np.float64]:
    """The letterbox's map, without its rounding to whole pixels."""
    scale = min(size[0] / source[0], size[1] / source[1])
    top, left = ((whole - part * scale) / 2 for whole, part in zip(size, source, strict=True))
    to_corner = Letterbox((source[0], source[1]), size, (scale, scale), 0, 0).matrix()
    return to_corner + np.array([[0, 0, left], [0, 0, top]])


def _shear(size: tuple[int, int], most: float, rng: np.random.Generator) -> NDArray[np.float64]:
    stretch, slant = 1 + rng.uniform(-most, most), rng.uniform(-most, most)
    linear = np.array([[stretch, slant], [0.0, 1 / stretch]])
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    return np.column_stack([linear, centre - linear @ centre])


def _remove_hand(values: Floats, target: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Leaves what is around the hand, painted over by its own ground, or nothing but a level."""
    if rng.random() < 0.3:
        return np.full_like(values, rng.random()), np.zeros_like(target)
    grown = cv2.dilate(target, np.ones((9, 9), np.uint8)) > 0.01
    ground = float(np.median(values[~grown])) if (~grown).any() else 0.0
    return np.where(grown, np.float32(ground), values), np.zeros_like(target)


def _expose(values: Floats, variation: Variation, rng: np.random.Generator) -> Floats:
    choice = rng.random()
    if choice < variation.sharpness:
        blurred = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.3, 1.3))
        values = np.asarray(blurred, np.float32)
    elif choice > 1 - variation.sharpness:
        detail = values - cv2.GaussianBlur(values, (0, 0), rng.uniform(0.7, 3))
        values = values + np.float32(rng.uniform(0.2, 1.5)) * detail
    if rng.random() < variation.flatten:
        low, high = np.sort(rng.random(2))
        values = np.float32(low) + np.float32(max(high - low, 0.2)) * np.clip(values, 0, 1)
    return np.clip(values, 0, 1).astype(np.float32)


def _crop(target: Any, variation: Variation, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns that are kept, in the middle, as a letterbox has them; most of the hand stays."""
    height, width = target.shape
    everything = (slice(0, height), slice(0, width))
    if rng.random() >= variation.crop:
        return everything
    share, narrower = rng.uniform(0.65, 1), rng.random() < 0.8
    length = width if narrower else height
    kept = max(8, round(length * share))
    part = slice((length - kept) // 2, (length - kept) // 2 + kept)
    inner = (everything[0], part) if narrower else (part, everything[1])
    return inner if target[inner].sum() >= 0.7 * target.sum() else everything
