"""Which way round the gray values of a radiograph are: bone light on dark, or inverted."""

from __future__ import annotations

import cv2
import numpy as np

from .arrays import Image, Mask, check_gray
from .errors import ImagingError

__all__ = ["is_inverted"]

_RING_SHARE = 0.06


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
    if image.shape != mask.shape:
        raise ImagingError(f"received an image of shape {image.shape} and a mask of shape {mask.shape}")
    side = 2 * max(1, round(_RING_SHARE * max(mask.shape))) + 1
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)
    ring = grown & ~mask
    if not mask.any() or not ring.any():
        return False
    return _median(image, mask) < _median(image, ring)


def _median(image: Image, mask: Mask) -> int:
    """By the histogram: a sort would take most of the time that a radiograph is looked at."""
    levels = int(np.iinfo(image.dtype).max) + 1
    counts = cv2.calcHist([image], [0], mask.astype(np.uint8), [levels], [0, levels]).ravel()
    return int(np.searchsorted(counts.cumsum(dtype=np.float64), counts.sum(dtype=np.float64) / 2))
