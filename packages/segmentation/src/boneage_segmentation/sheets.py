"""Sheets to review outlines by eye: each hand large, its contrast raised until the skin line is seen."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging import Image, Mask, clahe, to_uint8

from .errors import SegmentationError
from .polygons import trace

__all__ = ["draw_sheet"]

_TITLE = 18
_AROUND = 0.03  # of the long side
_LINES, _DOT = ((60, 60, 255), (90, 230, 60)), (80, 255, 255)  # BGR
_STEP = 50


def draw_sheet(
    hands: Sequence[tuple[str, Image, *tuple[Mask, ...]]],
    *,
    columns: int = 3,
    cell: tuple[int, int] = (800, 480),
) -> bytes:
    """Draws hands side by side, each with its outline, as large as its cell allows.

    Args:
        hands: (title, radiograph, mask) of each; a mask of nothing shows the whole radiograph. A second mask is drawn
            over the first, in green.
        columns: Hands of a row.
        cell: (height, width) of the place of a hand, pixels.

    Returns:
        A PNG in colour, with dots every 50 pixels of the radiograph.

    Raises:
        SegmentationError: A hand has no mask, or more than two.
    """
    counts = {len(masks) for _, _, *masks in hands}
    if not counts <= {1, 2}:
        raise SegmentationError(f"a hand has one or two masks on a sheet; received {sorted(counts)}")
    rows = -(-len(hands) // columns)
    sheet = np.full((rows * cell[0], columns * cell[1], 3), 40, np.uint8)
    for index, (title, image, *masks) in enumerate(hands):
        top, left = index // columns * cell[0], index % columns * cell[1]
        place = sheet[top : top + cell[0], left : left + cell[1]]
        picture = _outlined(image, masks, (cell[0] - _TITLE, cell[1] - 4))
        place[_TITLE : _TITLE + picture.shape[0], 2 : 2 + picture.shape[1]] = picture
        cv2.putText(
            place, title, (4, _TITLE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA
        )
    return cv2.imencode(".png", sheet)[1].tobytes()


def _outlined(image: Image, masks: Sequence[Mask], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The part of a radiograph around its masks, as large as fits, with their outlines as thin lines."""
    top, bottom, left, right = _box(np.logical_or.reduce(masks))
    part = _raise_contrast(to_uint8(image)[top:bottom, left:right])
    scale = min(size[0] / part.shape[0], size[1] / part.shape[1])
    shape = (max(1, int(part.shape[1] * scale)), max(1, int(part.shape[0] * scale)))
    larger = cv2.resize(part, shape, interpolation=cv2.INTER_CUBIC)
    picture = np.asarray(cv2.cvtColor(larger, cv2.COLOR_GRAY2BGR), np.uint8)
    _mark_places(picture, (top, left), scale)
    for mask, colour in zip(masks, _LINES, strict=False):
        for ring in (ring for rings in trace(mask) for ring in rings):
            corners = np.rint(((ring - (left, top) + 0.5) * scale - 0.5) * 16).astype(np.int32)
            cv2.polylines(picture, [corners], True, colour, 1, cv2.LINE_AA, shift=4)
    return picture


def _mark_places(picture: NDArray[np.uint8], corner: tuple[int, int], scale: float) -> None:
    """Dots every 50 pixels of the radiograph, numbered at the sides: places that a correction can name."""
    places = [
        [
            (at, round((at - start + 0.5) * scale - 0.5))
            for at in range(-(-start // _STEP) * _STEP, 9999, _STEP)
        ]
        for start in corner
    ]
    ys, xs = (
        [(at, to) for at, to in one if to < end] for one, end in zip(places, picture.shape, strict=False)
    )
    for _, y in ys:
        for _, x in xs:
            picture[y, x] = _DOT
    texts = [(str(at), (0, y + 4)) for at, y in ys] + [(str(at), (x - 8, 10)) for at, x in xs]
    for text, place in texts:
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.33, _DOT, 1, cv2.LINE_AA)


def _box(mask: Mask) -> tuple[int, int, int, int]:
    height, width = mask.shape
    if not mask.any():
        return 0, height, 0, width
    around = round(_AROUND * max(mask.shape))
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        max(0, int(ys[0]) - around),
        min(height, int(ys[-1]) + 1 + around),
        max(0, int(xs[0]) - around),
        min(width, int(xs[-1]) + 1 + around),
    )


def _raise_contrast(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    low, high = np.percentile(image, (1, 99))
    bright = np.clip((image.astype(np.float32) - low) / max(1.0, float(high - low)), 0, 1) ** 0.6
    return np.asarray(clahe((bright * 255).astype(np.uint8), clip_limit=3.0), np.uint8)
