"""Where the hand is: from a network's probability to one clean region."""

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from boneage_imaging.arrays import Image, Mask, as_bytes, check_fill, check_gray, check_mask
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
    edges, _ = cv2.findContours(as_bytes(mask), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    return np.asarray(cv2.drawContours(filled, edges, -1, 1, cv2.FILLED) != 0)


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
    rows, columns = _around(mask, math.ceil(4 * radius) + 2)  # beyond that the mean is 0
    part = mask[rows, columns].astype(np.float32)
    result = np.zeros_like(mask)
    coverage = cv2.GaussianBlur(part, (0, 0), radius, borderType=cv2.BORDER_REPLICATE)
    np.greater_equal(coverage, 0.5, out=result[rows, columns])
    return result


def _around(mask: Mask, margin: int) -> tuple[slice, slice]:
    """Rows and columns of what the mask covers, and some pixels more; a corner where it covers nothing."""
    left, top, width, height = cv2.boundingRect(as_bytes(mask))
    rows = slice(max(0, top - margin), top + height + margin)
    return rows, slice(max(0, left - margin), left + width + margin)


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
    return np.asarray(cv2.copyTo(image, as_bytes(mask), np.full(image.shape, fill, image.dtype)), image.dtype)


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
    found, _ = cv2.findContours(as_bytes(mask), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
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
    mask: Mask,
    *,
    min_area_share: float = MIN_AREA_SHARE,
    max_area_share: float = MAX_AREA_SHARE,
    filled: bool = False,
) -> list[Mask]:
    """Find all regions that can be a hand: see `hand_component`, which is the first of them.

    Args:
        mask: 2-D bool.
        min_area_share: least area, as a share of the picture.
        max_area_share: greatest area, as a share of the picture.
        filled: with what each encloses, see `fill_holes`; it is measured without.

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
    # Contours first: to give every pixel a region's number takes most of the time, where there are few regions.
    edges, _ = cv2.findContours(as_bytes(mask), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    shares = (min_area_share, max_area_share)
    if len(edges) == 1:  # all of the mask is one region without holes: as most often
        area = int(np.count_nonzero(mask))
        return [mask.copy()] if _is_likely(edges[0], area, mask, shares) else []
    found = []
    for edge in edges:
        box = cv2.boundingRect(edge)
        is_hole = cv2.contourArea(edge, oriented=True) > 0
        if is_hole or box[2] * box[3] < min_area_share * mask.size:
            continue
        region, area, centre_xy = _region(mask, edge, box)
        if _is_likely(edge, area, mask, shares):
            score = area / mask.size * _solidity(edge, area) * _centrality(centre_xy, mask.shape)
            found.append((-score, box, region))
    regions = [_lay(region, box, mask) for _, box, region in sorted(found, key=lambda entry: entry[:2])]
    return [fill_holes(region) for region in regions] if filled else regions


def _is_likely(edge: npt.NDArray[Any], area: int, mask: Mask, shares: tuple[float, float]) -> bool:
    """Whether a region of this edge and area, pixels, can be a hand."""
    return area > 0 and shares[0] <= area / mask.size <= shares[1] and _solidity(edge, area) >= _MIN_SOLIDITY


def _region(mask: Mask, edge: npt.NDArray[Any], box: Sequence[int]) -> tuple[Mask, int, tuple[float, float]]:
    """The region inside an edge, cut out by its box; its area and its centre (x, y)."""
    left, top, width, height = box
    part = mask[top : top + height, left : left + width].astype(np.uint8, order="C")
    x, y = edge[0, 0]
    area, *_ = cv2.floodFill(part, None, (int(x) - left, int(y) - top), 2, flags=8)
    region = np.asarray(part == 2)
    moments = cv2.moments(as_bytes(region))
    return region, int(area), (left + moments["m10"] / area, top + moments["m01"] / area)


def _lay(region: Mask, box: Sequence[int], mask: Mask) -> Mask:
    """The region at its place in a mask of the whole picture."""
    left, top, width, height = box
    whole = np.zeros_like(mask)
    whole[top : top + height, left : left + width] = region
    return whole


def _solidity(edge: npt.NDArray[Any], area: int) -> float:
    """Area over the area of the convex hull, both counted in whole pixels."""
    hull = cv2.convexHull(edge)
    # A hull through pixel centres misses half a pixel all around it.
    return min(1.0, area / (cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, True) + 1.0))


def _centrality(centre_xy: tuple[float, float], shape: tuple[int, ...]) -> float:
    """1 in the middle of the picture, 0.5 at the middle of an edge, less in the corners."""
    vertical = 2 * abs(centre_xy[1] + 0.5 - shape[0] / 2) / shape[0]
    horizontal = 2 * abs(centre_xy[0] + 0.5 - shape[1] / 2) / shape[1]
    return 1.0 - 0.5 * min(1.0, math.hypot(vertical, horizontal))
