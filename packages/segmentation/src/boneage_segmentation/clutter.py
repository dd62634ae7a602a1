"""What lies around a hand in radiographs, drawn onto training images: grounds, frames, markers, plates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging.geometry import warp

from .variation import Variation

__all__ = ["add_clutter"]

Floats = NDArray[np.float32]
_PLACES = 8  # are tried for a second hand


def add_clutter(
    image: Floats, target: Floats, variation: Variation, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draws clutter onto a training image.

    Args:
        image: (height, width) float32, 0 to 1, bone lighter than the ground.
        target: The hand's coverage of each pixel, 0 to 1, the same size.
        variation: How often what is drawn.
        rng: Decides what is drawn and where.

    Returns:
        The new image and target; a frame cuts off what of the hand it hides, and a second hand is one, too.
    """
    steps: list[tuple[float, Callable[..., tuple[Floats, Floats]]]] = [
        (variation.second, _add_second_hand),
        (variation.ground, _change_ground),
        (variation.clip, _clip_ground),
        (variation.plate, _lay_plate),
        (variation.edge, _light_edge),
        (variation.marker, _place_markers),
        (variation.frame, _close_frame),
    ]
    for share, step in steps:
        if rng.random() < share:
            image, target = step(image, target, rng)
    return image, target


def _add_second_hand(image: Floats, target: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The same hand mirrored, smaller, cut by a side of the picture; nothing where there is no room for it."""
    height, width = target.shape
    near = cv2.dilate(target, np.ones((2 * (height // 40) + 1,) * 2, np.uint8)) > 0.01
    for _ in range(_PLACES):
        scale, angle_deg = rng.uniform(0.5, 1), rng.uniform(-60, 60)
        away = rng.uniform(0.3, 0.8) * np.array(rng.choice([(width, 0), (-width, 0), (0, -height)]))
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, scale)
        matrix = np.column_stack([turn[:, :2], turn[:, 2] + away])
        mirrored = (np.ascontiguousarray(values[:, ::-1]) for values in (image, target))
        other, cover = (warp(values, matrix, target.shape) for values in mirrored)
        is_cut = (cover[[0, -1]] > 0.5).any() or (cover[:, [0, -1]] > 0.5).any()
        if is_cut and cover.sum() > 0.15 * target.sum() and not (near & (cover > 0)).any():
            both = image + cover * (other - image)
            return np.asarray(both, np.float32), np.maximum(target, cover)
    return image, target


def _change_ground(image: Floats, target: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    height, width = image.shape
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    slope = rng.normal(0, 0.12, 2)
    shift = rng.uniform(-0.45, 0.35) + slope[0] * rows + slope[1] * columns
    behind = 1 - cv2.GaussianBlur(target, (0, 0), rng.uniform(0.4, 1.2))
    return np.clip(image + behind * shift, 0, 1).astype(np.float32), target


def _clip_ground(image: Floats, target: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    behind = image[target < 0.5]
    inside = image[target >= 0.5]
    if not behind.size or not inside.size:
        return image, target
    level = float(np.percentile(behind, rng.uniform(30, 90)))
    if level > np.percentile(inside, 20):
        return image, target  # it would cut into the hand
    return np.clip((image - level) / max(1 - level, 0.1), 0, 1).astype(np.float32), target


def _lay_plate(image: Floats, target: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    inside = _draw_rectangle(image.shape, rng, least=0.3, most=0.9, spread=0.4)
    soft = cv2.GaussianBlur(inside, (0, 0), rng.uniform(0.5, 3))
    gain, shift = rng.uniform(0.7, 1.3), rng.uniform(-0.2, 0.25)
    changed = image + soft * (image * gain + shift - image)
    return np.clip(changed, 0, 1).astype(np.float32), target


def _light_edge(image: Floats, target: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    turns, thickness = int(rng.integers(4)), int(rng.integers(1, max(2, image.shape[0] // 12)))
    image, target = np.rot90(image, turns).copy(), np.rot90(target, turns).copy()
    if target[:thickness].mean() < 0.02:
        image[:thickness] = rng.choice([0.0, 1.0, rng.random()])
    return np.ascontiguousarray(np.rot90(image, -turns)), np.ascontiguousarray(np.rot90(target, -turns))


def _close_frame(image: Floats, target: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    inside = _draw_rectangle(image.shape, rng, least=0.75, most=1.25, spread=0.08)
    if (target * inside).sum() < 0.6 * target.sum():
        return image, target
    soft = cv2.GaussianBlur(inside, (0, 0), rng.uniform(0.3, 1.5))
    outside = float(rng.choice([0.0, 0.0, 1.0, rng.random(), float(image[0, 0])]))
    texture = float(rng.choice([0.0, 0.15])) * image
    framed = soft * image + (1 - soft) * np.clip(outside + texture, 0, 1)
    if rng.random() < 0.5:
        ring = 4 * soft * (1 - soft)
        framed = framed + ring * rng.uniform(-0.3, 0.6)
    return np.clip(framed, 0, 1).astype(np.float32), (target * inside).astype(np.float32)


def _draw_rectangle(
    shape: tuple[int, ...], rng: np.random.Generator, *, least: float, most: float, spread: float
) -> Floats:
    """A turned rectangle, 1 inside; its sides are shares of the image's."""
    height, width = shape
    centre = (width * (0.5 + rng.uniform(-spread, spread)), height * (0.5 + rng.uniform(-spread, spread)))
    sides = (width * rng.uniform(least, most), height * rng.uniform(least, most))
    angle_deg = rng.choice([0.0, rng.normal(0, 8), rng.uniform(-45, 45)])
    corners = cv2.boxPoints((centre, sides, angle_deg))
    canvas = np.zeros((height, width), np.float32)
    cv2.fillConvexPoly(canvas, np.rint(corners).astype(np.int32), 1.0, lineType=cv2.LINE_AA)
    return canvas


def _place_markers(image: Floats, target: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    canvas = np.rint(image * 255).astype(np.uint8)  # OpenCV writes text on 8 bits only
    free = np.argwhere(cv2.GaussianBlur(target, (0, 0), image.shape[0] / 32) < 0.05)
    for _ in range(int(rng.integers(1, 4))):
        if len(free):
            row, column = free[rng.integers(len(free))]
            _draw_marker(canvas, (int(column), int(row)), rng)
    # A marker may reach over the hand's edge; the hand goes on behind it.
    return canvas.astype(np.float32) / np.float32(255), target


def _draw_marker(canvas: Any, centre_xy: tuple[int, int], rng: np.random.Generator) -> None:
    side = canvas.shape[0]
    half = rng.uniform(0.02, 0.07, 2) * side
    light = 255 * float(rng.choice([1.0, 1.0, rng.uniform(0.4, 1), 0.0]))
    angle_deg = rng.choice([0, 0, 90, rng.uniform(0, 360)])
    box = np.rint(cv2.boxPoints((centre_xy, (2 * half[0], 2 * half[1]), angle_deg))).astype(np.int32)
    kind = rng.integers(4)
    if kind == 0:
        cv2.fillConvexPoly(canvas, box, 255 * rng.uniform(0.15, 0.9), lineType=cv2.LINE_AA)
    elif kind == 1:
        cv2.polylines(canvas, [box], True, light, 1, cv2.LINE_AA)
    elif kind == 2:
        cv2.circle(canvas, centre_xy, int(half[0]) + 1, light, int(rng.choice([-1, 1])), cv2.LINE_AA)
    letters = "".join(rng.choice(list("LRABCDEFGJKMNPSTVW0123456789"), int(rng.integers(1, 4))))
    where = (int(centre_xy[0] - half[0]), int(centre_xy[1] + half[0] / 2))
    scale, thickness = side / 128 * rng.uniform(0.25, 0.6), int(rng.integers(1, 3))
    cv2.putText(canvas, letters, where, cv2.FONT_HERSHEY_SIMPLEX, scale, light, thickness, cv2.LINE_AA)
