"""A hand grown from markers: the skin line between them is found by watershed or by GrabCut."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging import Image, Mask, to_uint8

from .watershed import fill_lines, flood

__all__ = ["BACKGROUND", "HAND", "UNKNOWN", "doubt", "grow"]

UNKNOWN, HAND, BACKGROUND = 0, 1, 2
_NEAR = 0.025  # of the long side: so far around does a marker tell how bright hand and background are
_GROUND, _RANGE = 64, 128  # gray values of evened background, and from there to hand
_ROUNDS, _AROUND_PX = 5, 24


def grow(image: Image, markers: NDArray[np.uint8], method: Literal["grabcut", "watershed"]) -> Mask:
    """Grows the hand from markers.

    Args:
        image: The radiograph, 2-D uint8 or uint16.
        markers: 2-D, of its size: UNKNOWN, HAND and BACKGROUND; both of the latter occur.
        method: `grabcut`: by the colours that GrabCut learns after the exposure has been evened out around the
            markers; `watershed`: along the steepest slopes.

    Returns:
        2-D bool, True where it is hand.

    Source:
        C. Rother et al., GrabCut, 2004; F. Meyer, Color image segmentation, 1992 (the watershed).
    """
    even = _even_out(to_uint8(image), markers)
    if method == "watershed":
        return np.asarray(fill_lines(flood(even, markers), "markers") == HAND)
    return _grab(even, markers)


def doubt(image: Image, markers: NDArray[np.uint8], within_px: float) -> NDArray[np.uint8]:
    """Takes back markers that look like the other side: a cleft that a rough outline closed, a fingertip it lost.

    Args:
        image: The radiograph, 2-D uint8 or uint16.
        markers: As for `grow`.
        within_px: Background is doubted so near to the hand's markers or what is unknown; a tag further off stays.

    Returns:
        The markers, fewer of them.
    """
    if not ((markers == HAND).any() and (markers == BACKGROUND).any()):
        return markers
    even = _even_out(to_uint8(image), markers)
    far = cv2.distanceTransform((markers == BACKGROUND).astype(np.uint8), cv2.DIST_L2, 5) > within_px
    wrong = ((markers == HAND) & (even < _GROUND + 36)) | (
        (markers == BACKGROUND) & (even > _GROUND + 60) & ~far
    )
    return np.where(wrong, UNKNOWN, markers).astype(np.uint8)


def _even_out(image: NDArray[np.uint8], markers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Makes the background 64 and the hand 192, judged by the markers around each pixel, whatever the exposure.

    What is darker than background is background, what is brighter than hand (bone) is hand.
    """
    gray = np.asarray(cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0), np.float32)
    hand, ground = markers == HAND, markers == BACKGROUND
    even = _between(gray, hand, ground)
    # Tags and frames are no background to go by, and closed clefts are no hand.
    usual = np.abs(even - _GROUND) < _RANGE / 2, even > _GROUND + _RANGE / 4
    even = _between(gray, _some(hand, usual[1]), _some(ground, usual[0]))
    return np.clip(even, 48, 224).astype(np.uint8)


def _some(known: Mask, usual: Mask) -> Mask:
    return known & usual if (known & usual).any() else known


def _between(gray: NDArray[np.float32], hand: Mask, ground: Mask) -> NDArray[np.float32]:
    light, dark = _local_mean(gray, hand), _local_mean(gray, ground)
    contrast = light - dark
    contrast = np.where(np.abs(contrast) < 1, np.copysign(1, contrast), contrast)
    return np.asarray(_GROUND + _RANGE * (gray - dark) / contrast, np.float32)


def _local_mean(gray: NDArray[np.float32], known: Mask) -> NDArray[np.float32]:
    """Mean of the known pixels around each pixel; far from all of them, that of a wider surrounding."""
    mean = np.full(gray.shape, gray[known].mean(), np.float32)
    for widening in (8, 4, 2, 1):
        deviation = widening * _NEAR * max(gray.shape)
        weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), deviation)
        total = cv2.GaussianBlur(np.where(known, gray, 0).astype(np.float32), (0, 0), deviation)
        mean = (total + 0.02 * mean) / (weight + 0.02)
    return np.asarray(mean, np.float32)


def _grab(even: NDArray[np.uint8], markers: NDArray[np.uint8]) -> Mask:
    mask = np.asarray(markers == HAND)
    if (markers != UNKNOWN).all():
        return mask
    ys, xs = (np.flatnonzero((markers != BACKGROUND).any(axis=axis)) for axis in (1, 0))
    box = tuple(slice(max(0, at[0] - _AROUND_PX), at[-1] + 1 + _AROUND_PX) for at in (ys, xs))
    even, markers = even[box], markers[box]
    labels = np.where(even >= _GROUND + 0.375 * _RANGE, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[markers == HAND] = cv2.GC_FGD
    labels[markers == BACKGROUND] = cv2.GC_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # its first colours are drawn by chance
    colours = cv2.cvtColor(even, cv2.COLOR_GRAY2BGR)
    cv2.grabCut(colours, labels, (0, 0, 1, 1), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    mask[box] = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return mask
