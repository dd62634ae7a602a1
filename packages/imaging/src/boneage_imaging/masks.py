"""Where the hand is: from a network's probability to one clean region."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from boneage_imaging.arrays import Image, Mask, check_fill, check_gray, check_mask
from boneage_imaging.errors import ArrayError, ParameterError

__all__ = ["apply_mask", "binarize", "contours", "fill_holes", "hand_component", "hand_components", "smooth"]

MIN_AREA_SHARE = 0.05
MAX_AREA_SHARE = 0.75
_MIN_SOLIDITY = 0.35


def binarize(probability: npt.NDArray[np.floating], threshold: float = 0.5) -> Mask:
    """Cut a probability into a mask.

    Args:
        probability: 2-D float, 0 to 1.
        threshold: what is at least this is inside.

    Returns:
        2-D bool.

    Example:
        >>> binarize(np.array([[0.2, 0.5, 0.9]], np.float32)).tolist()
        [[False, True, True]]
    """
    if not isinstance(probability, np.ndarray) or probability.ndim != 2 or probability.dtype.kind != "f":
        raise ArrayError(
            "a 2-D float probability", f"{np.asarray(probability).dtype} of shape {np.shape(probability)}"
        )
    return np.asarray(probability >= threshold)


def fill_holes(mask: Mask) -> Mask:
    """Fill what the mask encloses: background that no path of edge neighbours joins to the border.

    Args:
        mask: 2-D bool.

    Returns:
        2-D bool; contains the mask.

    Example:
        >>> ring = np.ones((3, 3), bool)
        >>> ring[1, 1] = False
        >>> bool(fill_holes(ring).all())
        True
    """
    check_mask(mask)
    padded = np.pad(mask, 1).astype(np.uint8)
    cv2.floodFill(padded, None, (0, 0), 2, flags=4)
    return np.asarray(padded[1:-1, 1:-1] != 2)


def smooth(mask: Mask, radius: float = 2.0) -> Mask:
    """Round a mask's outline: a Gaussian mean of the mask, cut at one half.

    Args:
        mask: 2-D bool.
        radius: standard deviation of the Gaussian, pixels; 0 changes nothing.

    Returns:
        2-D bool; what is thinner than about the radius goes, notches of that width close.

    Example:
        >>> speck = np.zeros((9, 9), bool)
        >>> speck[4, 4] = True
        >>> bool(smooth(speck).any())
        False
    """
    check_mask(mask)
    if not (math.isfinite(radius) and radius >= 0):
        raise ParameterError("radius", "a number of pixels, 0 or more", radius)
    if radius == 0:
        return mask.copy()
    coverage = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), radius, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(coverage >= 0.5)


def apply_mask(image: Image, mask: Mask, *, fill: int = 0) -> Image:
    """Keep the picture inside the mask, one value outside.

    Args:
        image: 2-D uint8 or uint16.
        mask: 2-D bool of the same size.
        fill: the value outside.

    Returns:
        2-D, the image's dtype.

    Raises:
        ArrayError: if the sizes differ.

    Example:
        >>> apply_mask(np.array([[5, 6]], np.uint8), np.array([[True, False]])).tolist()
        [[5, 0]]
    """
    check_gray(image)
    check_mask(mask)
    check_fill(fill, image.dtype)
    if image.shape != mask.shape:
        raise ArrayError(f"a mask of the image's size {image.shape}", f"one of size {mask.shape}")
    return np.where(mask, image, image.dtype.type(fill))


def contours(mask: Mask, *, tolerance: float = 0.5) -> list[npt.NDArray[np.int32]]:
    """Trace the regions of a mask as polygons, to draw them over a picture; holes are not traced.

    Args:
        mask: 2-D bool.
        tolerance: pixels that a polygon may stray from the edge to have fewer corners; 0 keeps every corner.

    Returns:
        One polygon a region: int32 (corners, 2), each corner the (x, y) of a pixel just inside the region.

    Raises:
        ParameterError: if the tolerance is negative.

    Example:
        >>> mask = np.zeros((5, 6), bool)
        >>> mask[1:4, 2:5] = True
        >>> [polygon.tolist() for polygon in contours(mask)]
        [[[2, 1], [2, 3], [4, 3], [4, 1]]]
    """
    check_mask(mask)
    if not tolerance >= 0:
        raise ParameterError("tolerance", "at least 0", tolerance)
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    traced = [cv2.approxPolyDP(edge, tolerance, True) if tolerance else edge for edge in found]
    return [np.asarray(edge, np.int32).reshape(-1, 2) for edge in traced]


def hand_component(
    mask: Mask, *, min_area_share: float = MIN_AREA_SHARE, max_area_share: float = MAX_AREA_SHARE
) -> Mask:
    """Keep the one region that can be a hand; drop specks, frames and tags (the 2019 report's mask clean-up).

    Regions are joined by edges and corners. One can be a hand if its area is between the two shares of the
    picture and fills enough of its own convex hull (a collimator's frame does not). Among several, the
    largest counts, with less weight the further its centre lies from the picture's.

    Args:
        mask: 2-D bool.
        min_area_share: least area, as a share of the picture.
        max_area_share: greatest area, as a share of the picture.

    Returns:
        2-D bool: one region, or all False where none can be a hand.

    Raises:
        ParameterError: unless 0 <= min_area_share <= max_area_share <= 1.

    Example:
        >>> mask = np.zeros((100, 100), bool)
        >>> mask[20:80, 30:70] = True
        >>> mask[5:8, 5:8] = True
        >>> int(hand_component(mask).sum())
        2400
        >>> bool(hand_component(mask[:18, :18]).any())
        False
    """
    found = hand_components(mask, min_area_share=min_area_share, max_area_share=max_area_share)
    return found[0] if found else np.zeros_like(mask)


def hand_components(
    mask: Mask, *, min_area_share: float = MIN_AREA_SHARE, max_area_share: float = MAX_AREA_SHARE
) -> list[Mask]:
    """Find all regions that can be a hand: see `hand_component`, which is the first of them.

    Args:
        mask: 2-D bool.
        min_area_share: least area, as a share of the picture.
        max_area_share: greatest area, as a share of the picture.

    Returns:
        2-D bool, one region each, the likeliest first.

    Raises:
        ParameterError: unless 0 <= min_area_share <= max_area_share <= 1.
    """
    check_mask(mask)
    if not 0 <= min_area_share <= max_area_share <= 1:
        raise ParameterError(
            "min_area_share, max_area_share",
            "shares with 0 <= least <= greatest <= 1",
            (min_area_share, max_area_share),
        )
    _, labels, statistics, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    found = []
    for label in range(1, len(statistics)):
        share = statistics[label, cv2.CC_STAT_AREA] / mask.size
        if not min_area_share <= share <= max_area_share:
            continue
        left, top, width, height, _ = statistics[label]
        box = labels[top : top + height, left : left + width]
        solidity = _solidity(np.asarray(box == label))
        score = share * solidity * _centrality(centres[label], mask.shape)
        if solidity >= _MIN_SOLIDITY and score > 0:
            found.append((score, label))
    return [np.asarray(labels == label) for _, label in sorted(found, key=lambda pair: -pair[0])]


def _solidity(region: Mask) -> float:
    """Area over the area of the convex hull, both counted in whole pixels."""
    edges, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(np.concatenate(edges))
    # A hull through pixel centres misses half a pixel all around it.
    area = cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, True) + 1.0
    return min(1.0, float(region.sum()) / area)


def _centrality(centre_xy: npt.NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """1 in the middle of the picture, 0.5 at the middle of an edge, less in the corners."""
    vertical = 2 * abs(float(centre_xy[1]) + 0.5 - shape[0] / 2) / shape[0]
    horizontal = 2 * abs(float(centre_xy[0]) + 0.5 - shape[1] / 2) / shape[1]
    return 1.0 - 0.5 * min(1.0, math.hypot(vertical, horizontal))
