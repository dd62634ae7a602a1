"""The algebra of affine maps: make them, chain them, invert them, carry points through them.

A map is 2 x 3, float64, and takes source to target points (x, y), where (0, 0) is the centre of the first
pixel, so that a picture's left edge lies at x = -0.5.
"""

import math

import numpy as np
import numpy.typing as npt

from boneage_imaging.arrays import Matrix, Size, check_size
from boneage_imaging.errors import ParameterError

__all__ = [
    "apply_points",
    "compose",
    "invert_matrix",
    "rotation_matrix",
    "similarity_matrix",
    "source_steps",
]


def rotation_matrix(size: Size, angle_deg: float, *, expand: bool = True) -> tuple[Matrix, Size]:
    """The matrix, and the size of the result, with which `rotate` turns a picture of a size.

    Args:
        size: (height, width) of the picture.
        angle_deg: degrees, positive is counter-clockwise as seen.
        expand: as in `rotate`.

    Returns:
        2 x 3 source to target, and (height, width) of the target.

    Example:
        >>> matrix, size = rotation_matrix((2, 4), 90)
        >>> size, apply_points(matrix, np.array([[1.0, 1.0]])).round(6).tolist()
        ((4, 2), [[1.0, 2.0]])
    """
    check_size(size)
    height, width = size
    target = (height, width)
    if expand:
        sine, cosine = abs(math.sin(math.radians(angle_deg))), abs(math.cos(math.radians(angle_deg)))
        # The tiny allowance keeps a quarter turn, whose cosine is 6e-17, from growing by a pixel.
        target = (
            max(1, math.ceil(height * cosine + width * sine - 1e-6)),
            max(1, math.ceil(width * cosine + height * sine - 1e-6)),
        )
    matrix = similarity_matrix(
        source_xy=((width - 1) / 2, (height - 1) / 2),
        target_xy=((target[1] - 1) / 2, (target[0] - 1) / 2),
        angle_deg=angle_deg,
    )
    return matrix, target


def similarity_matrix(
    *,
    source_xy: tuple[float, float],
    target_xy: tuple[float, float],
    angle_deg: float = 0.0,
    scale: float = 1.0,
    mirror: bool = False,
) -> Matrix:
    """The map that mirrors, turns and scales about a point and carries that point to another.

    Args:
        source_xy: the point (x, y) in the source.
        target_xy: where it goes to in the target.
        angle_deg: degrees, positive is counter-clockwise as seen.
        scale: target pixels per source pixel, above 0.
        mirror: mirror left and right before turning.

    Returns:
        2 x 3, float64, source to target.

    Example:
        >>> matrix = similarity_matrix(source_xy=(10, 10), target_xy=(5, 5), angle_deg=90, scale=2)
        >>> apply_points(matrix, np.array([[10.0, 10.0], [11.0, 10.0]])).round(6).tolist()
        [[5.0, 5.0], [5.0, 3.0]]
    """
    if not scale > 0:
        raise ParameterError("scale", "above 0", scale)
    angle = math.radians(angle_deg)
    # Rows run downward, so counter-clockwise as seen is the transpose of the textbook's matrix.
    linear = scale * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    if mirror:
        linear = linear @ np.diag([-1.0, 1.0])
    shift = np.asarray(target_xy, np.float64) - linear @ np.asarray(source_xy, np.float64)
    return np.column_stack([linear, shift]) + 0.0  # no -0.0


def compose(*matrices: Matrix) -> Matrix:
    """One map that does several, the first one first.

    Args:
        *matrices: 2 x 3 each; none gives the identity.

    Returns:
        2 x 3, float64.

    Example:
        >>> double = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
        >>> right = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
        >>> apply_points(compose(double, right), np.array([[3.0, 4.0]])).tolist()
        [[7.0, 8.0]]
    """
    product = np.eye(3)
    for matrix in matrices:
        product = _square(matrix) @ product
    return product[:2]


def invert_matrix(matrix: Matrix) -> Matrix:
    """The map back, target to source.

    Args:
        matrix: 2 x 3.

    Returns:
        2 x 3, float64.

    Raises:
        ParameterError: if the matrix flattens the picture to a line or a point.

    Example:
        >>> invert_matrix(np.array([[2.0, 0.0, 4.0], [0.0, 2.0, 0.0]])).tolist()
        [[0.5, 0.0, -2.0], [0.0, 0.5, 0.0]]
    """
    square = _square(matrix)
    determinant = float(square[0, 0] * square[1, 1] - square[0, 1] * square[1, 0])
    if determinant == 0 or not math.isfinite(determinant):
        raise ParameterError("matrix", "2 x 3 and invertible", square[:2].tolist())
    linear = np.array([[square[1, 1], -square[0, 1]], [-square[1, 0], square[0, 0]]]) / determinant
    return np.column_stack([linear, -linear @ square[:2, 2]]) + 0.0  # no -0.0


def apply_points(matrix: Matrix, points_xy: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Carry points from source to target.

    Args:
        matrix: 2 x 3.
        points_xy: (n, 2), columns x and y.

    Returns:
        (n, 2), float64.

    Example:
        >>> apply_points(np.array([[1.0, 0.0, 5.0], [0.0, 1.0, 0.0]]), [[1, 2]]).tolist()
        [[6.0, 2.0]]
    """
    points = np.asarray(points_xy, np.float64).reshape(-1, 2)
    square = _square(matrix)
    return np.asarray(points @ square[:2, :2].T + square[:2, 2])


def source_steps(matrix: Matrix) -> tuple[float, float]:
    """How far one pixel of the target reaches in the source.

    Args:
        matrix: 2 x 3, source to target.

    Returns:
        Source pixels per step down and per step right.

    Example:
        >>> source_steps(np.array([[0.5, 0.0, 0.0], [0.0, 0.25, 0.0]]))
        (4.0, 2.0)
    """
    inverse = invert_matrix(matrix)
    return math.hypot(*inverse[:, 1]), math.hypot(*inverse[:, 0])


def _square(matrix: Matrix) -> npt.NDArray[np.float64]:
    array = np.asarray(matrix, np.float64)
    if array.shape != (2, 3):
        raise ParameterError("matrix", "2 x 3", f"shape {array.shape}")
    return np.vstack([array, [0.0, 0.0, 1.0]])
