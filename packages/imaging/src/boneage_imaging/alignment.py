"""How far a hand is turned, told from its mask, and how to turn it upright.

Upright means: fingers up, the line from wrist to middle knuckle vertical. The 2019 report fitted an ellipse
to the hand's contour. An ellipse has no top, follows the forearm wherever that points, and is ill defined for
round shapes. Here the palm decides. Everything is measured from the palm's centre (that of the largest circle
inside the mask) in units of the palm's radius, so that neither scale nor the length of forearm in view
matters:

1. The axis: the direction in which the mask within 2.4 palm radii spreads most (second moments; known up to
   180 degrees).
2. The balance: the mask's weight left and right of the axis, row by row, tells by how many degrees the axis
   is off. The hand is turned by that and weighed again until the balance holds: from either end of the axis,
   and from where most of the outline lies. What lies lower than the wrist hardly counts.
3. The end: of these, the one with the longer outline, the broader palm and the thinner parts above, and
   which spreads more along than across.

Mirroring changes the sign of every measure of (2) and of none of (3): a turned or mirrored hand gets a
turned or mirrored answer by construction, up to the grid of pixels.
"""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from boneage_imaging.arrays import Array, Mask, Matrix, Size, check_mask, check_plane, check_size
from boneage_imaging.errors import AlignmentError, ArrayError, ParameterError
from boneage_imaging.geometry import (
    Letterbox,
    apply_points,
    compose,
    fit_within,
    invert_matrix,
    letterbox,
    rotate,
    similarity_matrix,
    warp,
)

_Vector: TypeAlias = npt.NDArray[np.float64]

__all__ = ["Pose", "align", "alignment_matrix", "is_upright", "orientation"]

_WORK_SIDE = 160  # pixels along the longer side of the mask's box: finer is slower, hardly more exact
_MIN_SIDE = 32
_MIN_PIXELS = 64
_AXIS_REACH = 2.4  # palm radii
_MAX_ROUNDS = 20
_STEP_DEG = 0.05  # the balance holds when it asks for less
# Digits that every processor agrees on: from step to step, those beyond could grow into another pose.
_DIGITS = 6
# Both sets of weights are fitted (ridge and logistic regression, `benchmarks/alignment_weights.py`) to
# turned, mirrored, cut, frayed and closed copies of hand-drawn outlines of radiographs of the RSNA Pediatric
# Bone Age Challenge: the 44 of 75 with even sha256(id). `benchmarks/alignment.py` gives the errors on these
# and on the other 31.
# Rows: palm radii above the palm's centre. Weights: degrees, none at the first and the last row.
_BALANCE_ROWS = np.arange(-2.0, 3.25, 0.5)
_BALANCE_WEIGHTS = np.array([0.0, 19.4, 11.6, -5.7, -2.5, -4.3, -2.0, -5.6, -12.7, -2.3, 0.0])
# For the entries of `_evidence`.
_EVIDENCE_WEIGHTS = np.array([0.2, 0.12, 1.78, -2.31, 12.19])
# Palm radii from the palm's centre down to the wrist: the median of 75 outlines (5th to 95th percentile 0.99
# to 1.31).
_WRIST = 1.15
# Of the hand's length, kept below the wrist: the growth plates of radius and ulna lie there.
_FOREARM_SHARE = 0.2
_MIN_AREA = 4.2  # squared palm radii; a disc has 3.14, a square 4, a fist with a stump of forearm about 5
_MIN_STRETCH = 1.15  # longest over shortest second moment; the roundest damaged outline had 1.38
_MIN_DIFFERENCE = 0.05  # between the two ends
# What `is_upright` asks for: so much that what is turned never passes, and most of what is upright does.
_SMALL_STEP_DEG = 12.0
_SURE_DIFFERENCE = 2.0
_SURE_SPREAD = 0.2
_COARSE_SIDE = 40  # pixels


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
        certainty: that the fingers are not at the other end: 0.5 (no telling) to 1; open hands have above
            0.85.
    """

    angle_deg: float
    centre: tuple[float, float]
    size: tuple[float, float]
    palm_centre: tuple[float, float]
    palm_radius: float
    certainty: float


@dataclass(frozen=True)
class _Shape:
    """A mask's pixels as points about the palm's centre, y upward, in palm radii."""

    x: _Vector
    y: _Vector
    thickness: _Vector  # distance of each point to the outline, palm radii
    grain: float  # side of a working pixel, palm radii
    palm_centre_xy: _Vector  # source pixels
    palm_radius: float  # source pixels

    def turned(self, angle_deg: float) -> tuple[_Vector, _Vector]:
        """Points sideways and upward in the frame of a hand that is turned by an angle."""
        sine, cosine = math.sin(math.radians(angle_deg)), math.cos(math.radians(angle_deg))
        return self.x * cosine + self.y * sine, self.y * cosine - self.x * sine


def orientation(mask: Mask, *, side: int = _WORK_SIDE) -> Pose:
    """Tell how far a hand is turned.

    Args:
        mask: 2-D bool, the hand with wrist and what there is of the forearm; only its largest region counts.
        side: pixels that the hand's longer side is measured with, at least 32; 40 take a third of the time,
            and differ by about 2 degrees at most.

    Returns:
        The pose. On 75 hand-drawn outlines, turned and mirrored, the median error against the direction from
        wrist to middle knuckle is 1.3 degrees, the greatest 6.1 (`benchmarks/alignment.py`). A hand with its
        fingers together is judged by its taper, with less certainty.

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
    if side < _MIN_SIDE:
        raise ParameterError("side", f"at least {_MIN_SIDE} pixels", side)
    shape = _measure(mask, side)
    angles = _balances(shape)
    evidence = [_weighed(_EVIDENCE_WEIGHTS, _evidence(shape, angle)) for angle in angles]
    best = int(np.argmax(evidence))
    rivals = [
        value for angle, value in zip(angles, evidence, strict=True) if _apart(angle, angles[best]) > 60
    ]
    difference = evidence[best] - max(rivals, default=-math.inf)
    if difference < _MIN_DIFFERENCE:
        raise AlignmentError(
            f"the mask's two ends look alike (difference {difference:.2f}): where are fingers?"
        )
    return _pose(shape, _wrapped(angles[best]), 1 / (1 + math.exp(-difference)))


def is_upright(mask: Mask) -> bool:
    """Tell by a quick look whether a hand is surely upright, or nearly so: in a third of the coarsest `orientation`.

    Args:
        mask: 2-D bool, as for `orientation`.

    Returns:
        True for most hands that are turned by less than 10 degrees; of those turned by more than 20, for none so far.
        False where there is no telling: `orientation` does.

    Raises:
        ArrayError: for what is no mask.

    Example:
        >>> mask = np.zeros((120, 100), bool)
        >>> mask[50:90, 30:70] = mask[90:, 37:63] = True
        >>> for left in range(30, 70, 11):
        ...     mask[10:50, left : left + 7] = True
        >>> is_upright(mask), is_upright(rotate(mask, 90)), is_upright(rotate(mask, 180))
        (True, False, False)
    """
    check_mask(mask)
    step = max(1, max(mask.shape) // (4 * _COARSE_SIDE))
    try:
        shape = _measure(mask[::step, ::step], _COARSE_SIDE)
    except AlignmentError:
        return False
    *ends, spread = _evidence(shape, 0.0)
    # Turned by half a circle, a hand has the opposite evidence for its ends.
    difference = 2 * _weighed(_EVIDENCE_WEIGHTS[:-1], np.array(ends))
    if spread < _SURE_SPREAD or difference < _SURE_DIFFERENCE:
        return False
    return abs(_weighed(_BALANCE_WEIGHTS, _moments(shape, 0.0))) <= _SMALL_STEP_DEG


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


def _measure(mask: Mask, side: int = _WORK_SIDE) -> _Shape:
    """Find the palm and express the mask's largest region in palm radii."""
    work, to_work = _largest_region(mask, side)
    # Padded, as else the picture's border would not count as outline.
    distance = cv2.distanceTransform(np.pad(work, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # The squares are whole; their last digits depend on OpenCV's threads, so they are made whole again.
    distance = np.sqrt(np.rint(np.square(distance, dtype=np.float64)))
    rows, columns = np.nonzero(work)
    depth = np.asarray(distance[rows + 1, columns + 1], np.float64)
    radius = float(depth.max())
    area = len(rows) / radius**2
    if area < _MIN_AREA:
        raise AlignmentError(
            f"the mask is too round for a hand: its area is {area:.2f} squared palm radii, a disc's is 3.14"
        )
    # The mean over the deepest part: the deepest pixel alone jumps along a plateau when the mask is turned.
    weight = np.maximum(0.0, depth - 0.9 * radius)
    x, y = (_weighed(weight, places) / float(weight.sum()) for places in (columns, rows))
    centre = apply_points(invert_matrix(to_work), [x, y])[0]
    return _Shape(
        x=np.asarray((columns - x) / radius, np.float64),
        y=np.asarray((y - rows) / radius, np.float64),
        thickness=depth / radius,
        grain=1 / radius,
        palm_centre_xy=np.round(centre, _DIGITS),
        palm_radius=radius / math.sqrt(np.linalg.det(to_work[:, :2])),
    )


def _largest_region(mask: Mask, side: int) -> tuple[Mask, Matrix]:
    """The largest region, brought to the working size, and the map there from the source."""
    check_mask(mask)
    small = fit_within(mask, 2 * side)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(small.astype(np.uint8), connectivity=8)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if areas.max(initial=0) < _MIN_PIXELS:
        raise AlignmentError(f"the mask is all but empty: {int(mask.sum())} of {mask.size} pixels are set")
    label = 1 + int(areas.argmax())
    left, top, width, height = (int(value) for value in statistics[label, :4])
    work, box = letterbox(np.asarray(labels[top : top + height, left : left + width] == label), (side, side))
    shrink = (small.shape[0] / mask.shape[0], small.shape[1] / mask.shape[1])
    to_small = Letterbox(mask.shape, small.shape, shrink, 0, 0).matrix()
    cut = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])
    return work, compose(to_small, cut, box.matrix())


def _axis(shape: _Shape) -> float:
    """The direction, degrees up to 180, in which the palm and what is about it spread most."""
    near = np.hypot(shape.x, shape.y) < _AXIS_REACH
    if np.count_nonzero(near) < 2:
        raise AlignmentError("the mask has no palm: it bends around its own middle")
    x, y = shape.x[near] - shape.x[near].mean(), shape.y[near] - shape.y[near].mean()
    xx, xy, yy = (_weighed(a, b) / (len(x) - 1) for a, b in ((x, x), (x, y), (y, y)))
    spread = math.hypot((xx - yy) / 2, xy)
    stretch = ((xx + yy) / 2 + spread) / max((xx + yy) / 2 - spread, 1e-12)
    if stretch < _MIN_STRETCH:
        raise AlignmentError(
            f"the mask has no axis: its second moments differ by a factor of {stretch:.2f} only"
        )
    return round(math.degrees(0.5 * math.atan2(2 * xy, xx - yy)) - 90, _DIGITS)


def _balances(shape: _Shape) -> list[float]:
    """The angles at which the hand may be in balance, from three starts; any two may agree."""
    axis = _axis(shape)
    # Most of the outline lies towards open fingers, also where a spread thumb misleads the axis.
    upward, leftward = (_weighed(_EVIDENCE_WEIGHTS[:2], _evidence(shape, angle)[:2]) for angle in (0, 90))
    outline = round(math.degrees(math.atan2(leftward, upward)), _DIGITS)
    return [_balanced(shape, start) for start in (axis, axis + 180, outline)]


def _balanced(shape: _Shape, angle_deg: float) -> float:
    """The angle next to this one at which the hand is in balance."""
    for _ in range(_MAX_ROUNDS):
        step = _weighed(_BALANCE_WEIGHTS, _moments(shape, angle_deg))
        angle_deg += step
        if abs(step) < _STEP_DEG:
            break
    return angle_deg


def _moments(shape: _Shape, angle_deg: float) -> _Vector:
    """For each row of `_BALANCE_ROWS`: area times distance sideways, shared between neighbouring rows."""
    side, up = shape.turned(angle_deg)
    step = _BALANCE_ROWS[1] - _BALANCE_ROWS[0]
    place = np.clip((up - _BALANCE_ROWS[0]) / step, 0, len(_BALANCE_ROWS) - 1.001)
    row = place.astype(np.intp)
    weight = side * shape.grain**2
    upper = np.bincount(row, weight * (place - row), len(_BALANCE_ROWS) - 1)
    lower = np.bincount(row, weight, len(_BALANCE_ROWS) - 1) - upper
    return np.asarray(np.append(lower, 0.0) + np.append(0.0, upper), np.float64)


def _evidence(shape: _Shape, angle_deg: float) -> _Vector:
    """What speaks for fingers above and forearm below in the frame of a hand turned by this angle.

    Upper less lower end: outline at 1.5 and at 2 palm radii, breadth of the palm, thickness beyond it.
    And, the same for both ends: how much more the hand spreads along than across.
    """
    side, up = shape.turned(angle_deg)
    outline = shape.thickness < 1.5 * shape.grain
    distance = np.hypot(side, up)
    cosine = up[outline] / distance[outline]
    near = distance < _AXIS_REACH
    along, across = up[near].var(), side[near].var()
    return np.array(
        [
            (_hat(distance[outline] - 1.5) * cosine).sum() * shape.grain,
            (_hat(distance[outline] - 2.0) * cosine).sum() * shape.grain,
            (_hat(up - 1).sum() - _hat(up + 1).sum()) * shape.grain**2,
            shape.thickness[up > 1.5].max(initial=0.0) - shape.thickness[up < -1.5].max(initial=0.0),
            (along - across) / (along + across),
        ]
    )


def _hat(distance: _Vector) -> _Vector:
    return np.maximum(0.0, 1 - np.abs(distance) / 0.5)


def _pose(shape: _Shape, angle_deg: float, certainty: float) -> Pose:
    side, up = shape.turned(angle_deg)
    top = float(up.max())
    bottom = -_WRIST - _FOREARM_SHARE * (top + _WRIST)
    hand = side[up >= bottom]
    left, right = float(hand.min()), float(hand.max())
    # From the hand's frame back to the source's. The box is half a pixel wider on each side than the points,
    # which are pixels' centres.
    to_source = similarity_matrix(
        source_xy=(0.0, 0.0),
        target_xy=(shape.palm_centre_xy[0], shape.palm_centre_xy[1]),
        angle_deg=angle_deg,
        scale=shape.palm_radius,
    )
    ((x, y),) = apply_points(to_source, [(left + right) / 2, -(top + bottom) / 2])
    return Pose(
        angle_deg=angle_deg,
        centre=(round(float(y), _DIGITS), round(float(x), _DIGITS)),
        size=(
            (top - bottom + shape.grain) * shape.palm_radius,
            (right - left + shape.grain) * shape.palm_radius,
        ),
        palm_centre=(float(shape.palm_centre_xy[1]), float(shape.palm_centre_xy[0])),
        palm_radius=shape.palm_radius,
        certainty=certainty,
    )


def _weighed(weights: _Vector, values: npt.NDArray[Any]) -> float:
    """The sum of weights times values, without the kernels of linear algebra, that differ by processor."""
    return round(float((weights * values).sum()), _DIGITS)


def _apart(first_deg: float, second_deg: float) -> float:
    return abs(_wrapped(first_deg - second_deg))


def _wrapped(angle_deg: float) -> float:
    """The same direction, above -180 and up to 180."""
    return 180 - (180 - angle_deg) % 360
