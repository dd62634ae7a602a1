"""A second look at a hand that the network can see better: turned upright, as large as the frame, bone light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging import (
    AlignmentError,
    Image,
    Mask,
    apply_points,
    compose,
    invert,
    invert_matrix,
    is_upright,
    orientation,
    similarity_matrix,
    to_uint16,
)
from boneage_imaging.arrays import as_bytes
from boneage_imaging.geometry import warp

__all__ = ["Closer", "look_closer"]

# What is turned less is found as well at the first look (benchmarks/segmentation_stress.py).
_TURNED_DEG = 20.0
_SMALL_SHARE = 0.7
_MARGIN = 0.15  # of the hand's length: what the first look may have missed
_BESIDE = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
_MAX_SIDE = 32_766  # what `warp` can resample
_COARSE_SIDE = 40  # pixels are enough to tell how far a hand is turned


@dataclass(frozen=True)
class Closer:
    """A radiograph as it is looked at again.

    Attributes:
        framed: uint16 of the network's size, the hand upright and light.
        inner: Rows and columns of the frame that show the hand and what is around it.
        matrix: 2 x 3, from the radiograph to the frame.
    """

    framed: NDArray[np.uint16]
    inner: tuple[slice, slice]
    matrix: NDArray[np.float64]

    def back(self, probability: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        """Brings what the network said of the frame to the radiograph's size (height, width)."""
        rows, columns = self.inner
        # One pixel more on each side, so that a forearm that leaves the picture reaches its very edge.
        whole = np.zeros((probability.shape[0] + 2, probability.shape[1] + 2), np.float32)
        whole[rows.start : rows.stop + 2, columns.start : columns.stop + 2] = np.pad(
            probability[self.inner], 1, mode="edge"
        )
        return warp(whole, invert_matrix(compose(self.matrix, _BESIDE)), size)


def look_closer(image: Image, mask: Mask, size: tuple[int, int], *, inverted: bool) -> Closer | None:
    """Shows the hand to the network once more, if that is worth it.

    Args:
        image: 2-D uint8 or uint16.
        mask: The hand by the first look, 2-D bool of the same size, not empty.
        size: (height, width) of the network's input.
        inverted: Whether the hand is darker than its ground.

    Returns:
        None for a hand that is upright, large in its picture and lighter than its ground, and for pictures of a side
        that cannot be resampled.
    """
    if max(mask.shape) > _MAX_SIDE:
        return None
    *_, width, height = cv2.boundingRect(as_bytes(mask))
    is_small = max(width, height) < _SMALL_SHARE * max(mask.shape)
    is_shown_well = not is_small and not inverted
    if is_shown_well and is_upright(mask):
        return None
    angle_deg = _turned(mask)
    if is_shown_well and abs(angle_deg) <= _TURNED_DEG:
        return None
    deep = to_uint16(invert(image) if inverted else image)
    matrix, inner = _frame(mask, angle_deg, size)
    around = np.concatenate([deep[0], deep[-1], deep[:, 0], deep[:, -1]])
    return Closer(warp(deep, matrix, size, fill=float(np.median(around))), inner, matrix)


def _turned(mask: Mask) -> float:
    try:
        return orientation(mask, side=_COARSE_SIDE).angle_deg
    except AlignmentError:
        return 0.0


def _frame(
    mask: Mask, angle_deg: float, size: tuple[int, int]
) -> tuple[NDArray[np.float64], tuple[slice, slice]]:
    """The map that turns the hand upright and lays its surroundings into the frame; and where they lie in it."""
    turn = similarity_matrix(source_xy=(0, 0), target_xy=(0, 0), angle_deg=-angle_deg)
    edges, _ = cv2.findContours(as_bytes(mask), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hand = apply_points(turn, np.concatenate(edges)[:, 0].astype(np.float64))
    height, width = mask.shape
    picture = apply_points(turn, np.array([[0, 0], [width, 0], [0, height], [width, height]]) - 0.5)
    margin = _MARGIN * np.ptp(hand, axis=0).max()
    low = np.maximum(hand.min(axis=0) - 0.5 - margin, picture.min(axis=0))
    high = np.minimum(hand.max(axis=0) + 0.5 + margin, picture.max(axis=0))
    scale = min(size[::-1] / (high - low))
    shown = [
        min(whole, max(1, round(side * scale))) for whole, side in zip(size, (high - low)[::-1], strict=True)
    ]
    first = [(whole - part) // 2 for whole, part in zip(size, shown, strict=True)]
    lay = similarity_matrix(
        source_xy=tuple((low + high) / 2), target_xy=((size[1] - 1) / 2, (size[0] - 1) / 2), scale=scale
    )
    rows, columns = (slice(start, start + part) for start, part in zip(first, shown, strict=True))
    return compose(turn, lay), (rows, columns)
