"""Which way round the gray values of a radiograph are: bone light on dark, or inverted."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .arrays import Image, Mask, as_bytes, check_gray, check_mask
from .errors import ImagingError

__all__ = ["is_inverted"]

_RING_SHARE = 0.06
_FINE_SIDE = 256  # pixels: of a larger picture every second row and column will do, and so on


def is_inverted(image: Image, mask: Mask) -> bool:
    """Tells whether bone is dark on a light background, by the hand and a ring just around it.

    Only the ring counts as background: a frame, a marker or the table's edge further away says nothing.

    Args:
        image: Gray radiograph (height, width), 8 or 16 bit.
        mask: The hand, bool (height, width).

    Returns:
        True if the hand is darker than what is around it. False where there is no hand or nothing around it.

    Raises:
        ImagingError: If the shapes differ.

    >>> import numpy as np
    >>> mask = np.zeros((40, 40), bool)
    >>> mask[10:30, 10:30] = True
    >>> light = np.where(mask, 200, 20).astype(np.uint8)
    >>> is_inverted(light, mask), is_inverted(255 - light, mask)
    (False, True)
    """
    check_gray(image)
    check_mask(mask)
    if image.shape != mask.shape:
        raise ImagingError(f"received an image of shape {image.shape} and a mask of shape {mask.shape}")
    step = math.ceil(max(mask.shape) / _FINE_SIDE)
    image, mask = image[::step, ::step], mask[::step, ::step]
    side = 2 * max(1, round(_RING_SHARE * max(mask.shape))) + 1
    image, hand = np.ascontiguousarray(image), as_bytes(mask)
    # Sums over a box, not a dilation, which takes twice as long; what is over 255 stays 255.
    near = cv2.boxFilter(hand, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    inside = _count_levels(image, hand)
    ring = _count_levels(image, near) - inside
    return bool(inside.any() and ring.any() and _median(inside) < _median(ring))


def _count_levels(image: Image, where: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """How many pixels have each gray level, by a histogram: a sort would take far longer."""
    levels = int(np.iinfo(image.dtype).max) + 1
    return cv2.calcHist([image], [0], where, [levels], [0, levels]).ravel().astype(np.float64)


def _median(counts: npt.NDArray[np.float64]) -> int:
    return int(np.searchsorted(counts.cumsum(), counts.sum() / 2))
