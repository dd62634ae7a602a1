"""Is this a hand, and fit to be read: reasons, not a bare yes or no."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from boneage_imaging.arrays import Image, Mask, as_bytes, check_gray, check_mask
from boneage_imaging.contrast import range_in_use
from boneage_imaging.errors import ArrayError
from boneage_imaging.masks import MAX_AREA_SHARE, MIN_AREA_SHARE
from boneage_imaging.polarity import is_inverted

__all__ = ["Verdict", "assess"]

Status = Literal["ok", "warning", "refused"]

_MIN_SIDE = 64  # below this the growth plates are thinner than a pixel
_GOOD_HAND_SIDE = 128
_MIN_DEVIATION = 2.0  # of 255: below this a picture is blank
_LOW_DEVIATION = 8.0
_MAX_SATURATED = 0.5
_MIN_BORDER_SHARE = 0.02


@dataclass(frozen=True)
class Verdict:
    """What speaks against reading a radiograph.

    Attributes:
        status: "ok", "warning" (read it, with care) or "refused" (do not).
        reasons: plain sentences, the refusing ones first; empty if ok.
    """

    status: Status
    reasons: tuple[str, ...]


def assess(
    image: Image, mask: Mask | None = None, *, others: int = 0, inverted: bool | None = None
) -> Verdict:
    """Say whether a radiograph is fit to be read.

    Without a mask only the picture as such is looked at: its size and whether anything is on it.

    Args:
        image: 2-D uint8 or uint16.
        mask: 2-D bool of the same size: the hand that was found.
        others: how many further regions can be a hand, and were left out.
        inverted: whether the hand is darker than its surroundings; None: `is_inverted` is asked.

    Returns:
        The Verdict.

    Raises:
        ArrayError: if image or mask is none, or their sizes differ.

    Example:
        >>> assess(np.zeros((200, 200), np.uint8))
        Verdict(status='refused', reasons=('the picture is blank',))
    """
    check_gray(image)
    refusals, warnings = _look_at_picture(image)
    if mask is not None and not refusals:
        check_mask(mask)
        if mask.shape != image.shape:
            raise ArrayError(f"a mask of the image's size {image.shape}", f"one of size {mask.shape}")
        refusals = _look_at_mask(mask)
        if not refusals:
            warnings += _look_at_hand(image, mask, inverted)
            if others > 0:
                warnings.append("there may be more than one hand in the picture: the main one was taken")
    status: Status = "refused" if refusals else "warning" if warnings else "ok"
    return Verdict(status, (*refusals, *warnings))


def _look_at_picture(image: Image) -> tuple[list[str], list[str]]:
    height, width = image.shape
    if min(height, width) < _MIN_SIDE:
        return [f"the picture is too small: {height} x {width} pixels, at least {_MIN_SIDE} are needed"], []
    # numpy's deviation would take 8 bytes a pixel
    deviation = float(cv2.meanStdDev(image)[1][0, 0]) * 255 / np.ptp(range_in_use(image))
    if deviation < _MIN_DEVIATION:
        return ["the picture is blank"], []
    return [], ["the picture has very little contrast"] if deviation < _LOW_DEVIATION else []


def _look_at_mask(mask: Mask) -> list[str]:
    if not mask.any():
        return ["no hand was found"]
    share = np.count_nonzero(mask) / mask.size
    if share < MIN_AREA_SHARE:
        return [f"what was found is too small for a hand: {share:.1%} of the picture"]
    if share > MAX_AREA_SHARE:
        return [f"what was found is too large for a hand: {share:.0%} of the picture"]
    if len(_touched(mask)) == 4:
        return ["what was found reaches all four edges of the picture, so it is no hand"]
    return []


def _look_at_hand(image: Image, mask: Mask, inverted: bool | None) -> list[str]:
    reasons = []
    touched = _touched(mask)
    if len(touched) >= 2:
        reasons.append(f"the hand may be cut off at the {' and '.join(touched)} edge")
    side = max(cv2.boundingRect(as_bytes(mask))[2:])
    if side < _GOOD_HAND_SIDE:
        reasons.append(f"the hand is only {side} pixels long, so fine detail is lost")
    if _saturated(image, mask) > _MAX_SATURATED:
        reasons.append("more than half of the hand is pure black or pure white")
    if is_inverted(image, mask) if inverted is None else inverted:
        reasons.append("the hand is darker than its surroundings: black and white may be swapped")
    return reasons


def _saturated(image: Image, mask: Mask) -> float:
    """The share of the hand that is pure black or white, a 256th of the range in use each."""
    black, white = range_in_use(image)
    step = (white + 1 - black) // 256
    hand = as_bytes(mask)
    inside, between = (
        cv2.bitwise_and(hand, cv2.inRange(image, low, high))
        for low, high in ((black, white), (black + step, white - step))
    )
    total = cv2.countNonZero(inside)
    return (total - cv2.countNonZero(between)) / total if total else 0.0


def _touched(mask: Mask) -> list[str]:
    """The edges of the picture on which more than a few of the mask's pixels lie."""
    edges = {"top": mask[0], "bottom": mask[-1], "left": mask[:, 0], "right": mask[:, -1]}
    return [name for name, edge in edges.items() if edge.mean() > _MIN_BORDER_SHARE]
