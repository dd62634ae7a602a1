"""How far a hand is turned, told from its mask, and how to turn it upright.

Upright means: fingers up, the line from wrist to middle knuckle vertical. The 2019 report fitted an ellipse
to the hand's contour. An ellipse has no top, follows the forearm wherever that points, and is ill defined for
round shapes. Here the palm decides. Everything is measured from the palm's centre (that of the largest circle
inside the mask) in units of the palm's radius, so that neither scale nor the length of forearm in view
matters:

1. The axis: the direction in which the mask within 2.4 palm radii spreads most (second moments; known up to
   180 degrees).
2. The end: fingers are on the side with the longer outline, the broader palm and the thinner ends.
3. The correction: the mask's balance about the axis, row by row, tells by how many degrees the axis is off.
   The hand is turned by that and weighed again until the balance holds. What lies further down than the wrist
   has no weight.

All measures of the second kind change sign when the hand is turned upside down, all of the third when it is
mirrored; hence a turned or mirrored hand gets a turned or mirrored answer by construction, up to the grid of
pixels.

The twelve weights of (2) and (3) are fitted constants: see `_END_WEIGHTS` and `_BALANCE_WEIGHTS`.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from boneage_imaging.arrays import Array, Mask, Matrix, Size, check_mask, check_plane, check_size
from boneage_imaging.errors import AlignmentError, ArrayError, ParameterError
from boneage_imaging.geometry import resize, rotate, similarity_matrix, warp

__all__ = ["Pose", "align", "alignment_matrix", "orientation"]

_WORK_SIDE = 256  # pixels along the longer side of the mask's box: finer changes nothing, and takes longer
_MIN_PIXELS = 64
_AXIS_REACH = 2.4  # palm radii
_ROUNDS = 5
# Both fitted (logistic and ridge regression) to turned, mirrored and damaged copies of hand-drawn outlines of
# radiographs of the RSNA Pediatric Bone Age Challenge: the 44 of 75 with even sha256(id). The other 31 gave
# the same errors.
_END_WEIGHTS = np.array([0.26, 5.2, -4.85])  # outline, breadth, thickness: fingers' side less forearm's side
# Palm radii above the palm's centre, and degrees; none at the first and last row.
_BALANCE_ROWS = np.arange(-2.0, 3.25, 0.5)
_BALANCE_WEIGHTS = np.array([0.0, 6.4, 33.7, -6.8, -2.0, -5.3, -1.6, -4.2, -12.2, -2.8, 0.0])
# Palm radii from the palm's centre down to the wrist: the 75 outlines' median (5th to 95th percentile 0.99 to 1.31).
_WRIST = 1.15
# Of the hand's length, kept below the wrist: the growth plates of radius and ulna lie there.
_FOREARM_SHARE = 0.2
_MIN_AREA = 4.2  # squared palm radii; a disc has 3.14, a square 4, a fist with a stump of forearm about 5
_MIN_STRETCH = 1.15  # longest over shortest second moment; the roundest damaged outline had 1.38
_MIN_DIFFERENCE = 0.05  # between the two ends


@dataclass(frozen=True)
class Pose:
    """Where a hand lies and how far it is turned: an upright box, turned with the hand.

    Attributes:
        angle_deg: how far the hand is turned from upright, counter-clockwise as seen, above -180 up to 180.
            Turning the image by -angle_deg makes the fingers point up.
        centre: (y, x) of the centre of the box, source pixels.
        size: (height, width) of the box in the hand's own frame, source pixels: from the fingertips to 0.2
            hand lengths below the wrist, from side to side. The forearm's length in view does not change it.
        palm_centre: (y, x) of the palm's centre, source pixels.
        palm_radius: radius of the largest circle inside the mask, source pixels.
    """

    angle_deg: float
    centre: tuple[float, float]
    size: tuple[float, float]
    palm_centre: tuple[float, float]
    palm_radius: float


@dataclass(frozen=True)
class _Shape:
    """A mask's pixels as points about the palm's centre, y upward, in palm radii."""

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    thickness: npt.NDArray[np.float64]  # distance of each point to the outline, palm radii
    palm_centre: tuple[float, float]  # (y, x), source pixels
    palm_radius: float  # source pixels
    grain: float  # side of a working pixel, palm radii

    def turned(self, angle_deg: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Points sideways and upward in the frame of a hand that is turned by an angle."""
        sine, cosine = math.sin(math.radians(angle_deg)), math.cos(math.radians(angle_deg))
        return self.x * cosine + self.y * sine, self.y * cosine - self.x * sine


def orientation(mask: Mask) -> Pose:
    """Tell how far a hand is turned.

    Args:
        mask: 2-D bool, the hand with wrist and what there is of the forearm; only its largest region counts.

    Returns:
        The pose. On 75 hand-drawn outlines the median error against the direction from wrist to middle
        knuckle is about 1.2 degrees (`benchmarks/alignment.py`). A fist or a hand with its fingers together
        is judged by axis and taper.

    Raises:
        ArrayError: for what is no mask.
        AlignmentError: if the mask is empty, too small, or has no direction, as a disc.

    Example:
        >>> mask = np.zeros((120, 100), bool)
        >>> mask[50:90, 30:70] = mask[90:, 37:63] = True
        >>> for left in range(30, 70, 11):
        ...     mask[10:50, left : left + 7] = True
        >>> abs(orientation(mask).angle_deg) < 2
        True
        >>> abs(orientation(rotate(mask, 90)).angle_deg - 90) < 2
        True
    """
    shape = _measure(mask)
    angle = _axis(shape)
    difference = _end_difference(shape, angle)
    if abs(difference) < _MIN_DIFFERENCE:
        raise AlignmentError(
            f"the mask's two ends look alike (difference {difference:.2f}): no fingers to be told"
        )
    if difference < 0:
        angle += 180
    for _ in range(_ROUNDS):
        angle += _imbalance(shape, angle)
    return _pose(shape, _wrapped(angle))


def align(image: Array, mask: Mask, *, size: Size | None = None, fill: float = 0) -> tuple[Array, Mask]:
    """Turn a radiograph and its mask upright together.

    Args:
        image: 2-D.
        mask: 2-D bool of the same size.
        size: (height, width): crop the hand and letterbox it into this size, in one resampling. None: only
            turn, and let the picture grow so that nothing is cut off.
        fill: the image's value where the source has none.

    Returns:
        Image (same dtype) and mask, both turned alike.

    Raises:
        ArrayError: if the sizes differ.
        AlignmentError: as `orientation`.

    Example:
        >>> mask = np.zeros((120, 100), bool)
        >>> mask[50:90, 30:70] = mask[90:, 37:63] = True
        >>> for left in range(30, 70, 11):
        ...     mask[10:50, left : left + 7] = True
        >>> image = np.where(mask, 200, 20).astype(np.uint8)
        >>> turned, turned_mask = align(rotate(image, 130), rotate(mask, 130), size=(64, 64))
        >>> turned.shape, turned_mask.dtype, abs(orientation(turned_mask).angle_deg) < 3
        ((64, 64), dtype('bool'), True)
    """
    check_plane(image)
    check_mask(mask)
    if image.shape != mask.shape:
        raise ArrayError(f"a mask of the image's size {image.shape}", f"one of size {mask.shape}")
    if size is not None:
        matrix = alignment_matrix(mask, size)
        return warp(image, matrix, size, fill=fill), warp(mask, matrix, size)
    angle = orientation(mask).angle_deg
    return rotate(image, -angle, fill=fill), rotate(mask, -angle)


def alignment_matrix(mask: Mask, size: Size, *, margin: float = 0.05) -> Matrix:
    """The one map from a radiograph to its upright hand, cropped and letterboxed.

    The crop reaches from the fingertips to 0.2 hand lengths below the wrist, whether or not so much forearm
    is in view, and from side to side; so a hand's scale in the crop depends on the hand alone.

    Args:
        mask: 2-D bool, as for `orientation`.
        size: (height, width) of the result.
        margin: free space on each side, as a share of `size`, 0 to below 0.5.

    Returns:
        2 x 3, source to target, for `geometry.warp`: turn, one scale, shift.

    Raises:
        ParameterError: for a margin or size that cannot be.
        AlignmentError: as `orientation`.

    Example:
        >>> mask = np.zeros((120, 100), bool)
        >>> mask[50:90, 30:70] = mask[90:, 37:63] = True
        >>> for left in range(30, 70, 11):
        ...     mask[10:50, left : left + 7] = True
        >>> hand = warp(mask, alignment_matrix(mask, (64, 48), margin=0.1), (64, 48))
        >>> rows = np.flatnonzero(hand.any(axis=1))
        >>> abs(int(rows[0]) - 6) <= 1
        True
    """
    check_size(size)
    if not 0 <= margin < 0.5:
        raise ParameterError("margin", "a share from 0 to below 0.5", margin)
    pose = orientation(mask)
    scale = (1 - 2 * margin) * min(size[0] / pose.size[0], size[1] / pose.size[1])
    return similarity_matrix(
        source_xy=(pose.centre[1], pose.centre[0]),
        target_xy=((size[1] - 1) / 2, (size[0] - 1) / 2),
        angle_deg=-pose.angle_deg,
        scale=scale,
    )


def _measure(mask: Mask) -> _Shape:
    """Find the palm and express the mask's largest region in palm radii."""
    check_mask(mask)
    region, (top, left) = _largest_region(mask)
    scale = _WORK_SIDE / max(region.shape)
    work = resize(region, (max(1, round(region.shape[0] * scale)), max(1, round(region.shape[1] * scale))))
    padded = np.pad(work, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    rows, columns = np.nonzero(work)
    radius = float(distance.max(initial=0))
    if radius == 0:
        raise AlignmentError(f"the mask's largest region, {region.shape} pixels, is too thin to be a hand")
    thickness = distance[rows, columns].astype(np.float64) / radius
    # The mean over the thickest part: the single thickest pixel jumps along a plateau when the mask is
    # turned.
    weight = np.maximum(0.0, thickness - 0.9)
    y, x = float(weight @ rows / weight.sum()), float(weight @ columns / weight.sum())
    shape = _Shape(
        x=np.asarray((columns - x) / radius, np.float64),
        y=np.asarray((y - rows) / radius, np.float64),
        thickness=thickness,
        palm_centre=(
            top + (y + 0.5) * region.shape[0] / work.shape[0] - 0.5,
            left + (x + 0.5) * region.shape[1] / work.shape[1] - 0.5,
        ),
        palm_radius=radius / scale,
        grain=1 / radius,
    )
    area = len(rows) / radius**2
    if area < _MIN_AREA:
        raise AlignmentError(
            f"the mask is too round for a hand: its area is {area:.2f} squared palm radii, a disc's is 3.14"
        )
    return shape


def _largest_region(mask: Mask) -> tuple[Mask, tuple[int, int]]:
    """The largest region, cut out along its box, and the box's (top, left)."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if areas.max(initial=0) < _MIN_PIXELS:
        found = f"{int(mask.sum())} of {mask.size} pixels set"
        raise AlignmentError(
            f"the mask is empty or all but empty ({found}); a hand has at least {_MIN_PIXELS}"
        )
    label = 1 + int(areas.argmax())
    left, top, width, height = (int(value) for value in statistics[label, :4])
    return np.asarray(labels[top : top + height, left : left + width] == label), (top, left)


def _axis(shape: _Shape) -> float:
    """The direction, degrees up to 180, in which the palm and what is about it spread most."""
    near = np.hypot(shape.x, shape.y) < _AXIS_REACH
    (xx, xy), (_, yy) = np.cov(shape.x[near], shape.y[near])
    spread = math.hypot((xx - yy) / 2, xy)
    stretch = ((xx + yy) / 2 + spread) / max((xx + yy) / 2 - spread, 1e-12)
    if stretch < _MIN_STRETCH:
        raise AlignmentError(
            f"the mask has no axis: its second moments differ by a factor of {stretch:.2f} only"
        )
    return math.degrees(0.5 * math.atan2(2 * xy, xx - yy)) - 90


def _end_difference(shape: _Shape, angle_deg: float) -> float:
    """Above 0 if the fingers are at the upper end of a hand turned by this angle, else below."""
    _, up = shape.turned(angle_deg)
    radius = np.hypot(shape.x, shape.y)
    outline = (shape.thickness < 1.5 * shape.grain) & (radius < 2)
    cell = shape.grain**2

    def beyond(height: npt.NDArray[np.float64]) -> float:
        return float(shape.thickness[height > 1.5].max(initial=0.0))

    features = (
        float(np.sign(up[outline]).sum()) * shape.grain,  # fingers wrinkle the outline
        float((_hat(up - 1) - _hat(up + 1)).sum()) * cell,  # knuckles are broader than the wrist
        beyond(up) - beyond(-up),  # the forearm is thicker than a finger
    )
    return float(_END_WEIGHTS @ features)


def _hat(height: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.maximum(0.0, 1 - np.abs(height) / 0.5)


def _imbalance(shape: _Shape, angle_deg: float) -> float:
    """By how many degrees the hand is turned further than this angle, told from its balance."""
    side, up = shape.turned(angle_deg)
    return float(side @ np.interp(up, _BALANCE_ROWS, _BALANCE_WEIGHTS)) * shape.grain**2


def _pose(shape: _Shape, angle_deg: float) -> Pose:
    side, up = shape.turned(angle_deg)
    top = float(up.max())
    bottom = -_WRIST - _FOREARM_SHARE * (top + _WRIST)
    hand = side[up >= bottom]
    left, right = float(hand.min()), float(hand.max())
    radius = shape.palm_radius
    # Half a pixel more on each side: the points are the pixels' centres.
    size = ((top - bottom + shape.grain) * radius, (right - left + shape.grain) * radius)
    sine, cosine = math.sin(math.radians(angle_deg)), math.cos(math.radians(angle_deg))
    middle_side, middle_up = (left + right) / 2, (top + bottom) / 2
    x, y = middle_side * cosine - middle_up * sine, middle_up * cosine + middle_side * sine
    centre = (shape.palm_centre[0] - y * radius, shape.palm_centre[1] + x * radius)
    return Pose(angle_deg, centre, size, shape.palm_centre, radius)


def _wrapped(angle_deg: float) -> float:
    """The same direction, above -180 and up to 180."""
    return 180 - (180 - angle_deg) % 360
