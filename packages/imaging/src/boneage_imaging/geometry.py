"""Where pixels go: letterbox and its inverse, rotate, flip, and one resampling by any affine matrix.

Sizes are (height, width). Matrices are 2 x 3, float64, and map source to target points (x, y), see
`affine`, whose functions are offered here too. Masks (bool) are carried as
coverage and cut at one half, so that they move exactly as images do.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from boneage_imaging.affine import (
    apply_points,
    compose,
    invert_matrix,
    rotation_matrix,
    similarity_matrix,
    source_steps,
)
from boneage_imaging.arrays import Array, Matrix, Size, as_coverage, check_fill, check_plane, check_size
from boneage_imaging.errors import ParameterError

__all__ = [
    "Letterbox",
    "apply_points",
    "compose",
    "fit_within",
    "flip",
    "invert_matrix",
    "letterbox",
    "resize",
    "rotate",
    "rotation_matrix",
    "similarity_matrix",
    "unletterbox",
    "warp",
]

_MAX_SIDE = 32_766  # OpenCV's warpAffine keeps coordinates in 16 bits
_MAX_SUPERSAMPLING = 16


@dataclass(frozen=True)
class Letterbox:
    """How a picture was laid into a frame.

    Attributes:
        source_size: (height, width) of the picture before.
        target_size: (height, width) of the frame.
        scale: target pixels per source pixel, (vertical, horizontal); equal but for rounding to whole pixels.
        top: first row of the picture in the frame.
        left: first column of the picture in the frame.
    """

    source_size: Size
    target_size: Size
    scale: tuple[float, float]
    top: int
    left: int

    @property
    def inner_size(self) -> Size:
        """(height, width) of the picture inside the frame."""
        return round(self.source_size[0] * self.scale[0]), round(self.source_size[1] * self.scale[1])

    def matrix(self) -> Matrix:
        """The affine map from the source picture's to the frame's points.

        Returns:
            2 x 3, float64.

        Example:
            >>> box = letterbox(np.zeros((50, 100), np.uint8), (20, 20))[1]
            >>> apply_points(box.matrix(), np.array([[-0.5, -0.5], [99.5, 49.5]])).round(6).tolist()
            [[-0.5, 4.5], [19.5, 14.5]]
        """
        vertical, horizontal = self.scale
        return np.array(
            [
                [horizontal, 0.0, self.left + 0.5 * horizontal - 0.5],
                [0.0, vertical, self.top + 0.5 * vertical - 0.5],
            ]
        )


def letterbox(image: Array, size: Size = (256, 256), *, fill: float = 0) -> tuple[Array, Letterbox]:
    """Lay a picture into a frame: the aspect ratio is kept, the rest is filled with one value.

    Args:
        image: 2-D; uint8, uint16, bool or float.
        size: (height, width) of the frame.
        fill: the value around the picture, in the picture's own range.

    Returns:
        The framed picture, same dtype, and the Letterbox that undoes it.

    Raises:
        ArrayError, ParameterError: for what is no picture or no size.

    Example:
        >>> framed, box = letterbox(np.full((50, 100), 7, np.uint8), (20, 20), fill=255)
        >>> framed.shape, framed[0, 0], framed[10, 10], box.top, box.left
        ((20, 20), np.uint8(255), np.uint8(7), 5, 0)
    """
    check_plane(image)
    check_size(size)
    check_fill(fill, image.dtype)
    height, width = image.shape
    scale = min(size[0] / height, size[1] / width)
    inner = (min(size[0], max(1, round(height * scale))), min(size[1], max(1, round(width * scale))))
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    framed = np.full(size, fill, image.dtype)
    framed[top : top + inner[0], left : left + inner[1]] = resize(image, inner)
    return framed, Letterbox(
        (height, width), (size[0], size[1]), (inner[0] / height, inner[1] / width), top, left
    )


def unletterbox(image: Array, box: Letterbox) -> Array:
    """Take a picture out of its frame again, at its own size; also for float probabilities.

    Args:
        image: 2-D, of the size `box.target_size`.
        box: what `letterbox` returned.

    Returns:
        2-D, of the size `box.source_size`, same dtype; smooth, never beyond the range of the input.

    Raises:
        ParameterError: if the image has not the size of the frame.

    Example:
        >>> framed, box = letterbox(np.full((50, 100), 7, np.uint8), (20, 20))
        >>> bool((unletterbox(framed, box) == 7).all())
        True
    """
    check_plane(image)
    if image.shape != box.target_size:
        raise ParameterError("image", f"of the frame's size {box.target_size}", image.shape)
    height, width = box.inner_size
    return resize(image[box.top : box.top + height, box.left : box.left + width], box.source_size)


def resize(image: Array, size: Size) -> Array:
    """Bring a picture to a size: area averages where it shrinks, linear in between where it grows.

    Args:
        image: 2-D; uint8, uint16, bool or float.
        size: (height, width); the aspect ratio is the caller's affair.

    Returns:
        2-D of that size, same dtype; a mask is true where at least half of a pixel is covered.

    Example:
        >>> resize(np.array([[0, 100], [100, 200]], np.uint8), (1, 1)).tolist()
        [[100]]
    """
    check_plane(image)
    check_size(size)
    if image.shape == tuple(size):
        return image.copy()
    work = _to_work(image)
    shrinks = [target < source for target, source in zip(size, work.shape, strict=True)]
    # Where one axis shrinks while the other grows, each is resampled in its own way.
    steps = [size] if len(set(shrinks)) == 1 else [(size[0], work.shape[1]), size]
    for target in steps:
        how = cv2.INTER_AREA if target[0] < work.shape[0] or target[1] < work.shape[1] else cv2.INTER_LINEAR
        work = cv2.resize(work, (target[1], target[0]), interpolation=how)
    return _from_work(work, image.dtype)


def fit_within(image: Array, long_side: int) -> Array:
    """Shrink a picture until its longer side is at most `long_side`; never enlarge it.

    Args:
        image: 2-D; uint8, uint16, bool or float.
        long_side: pixels, at least 1.

    Returns:
        2-D, same dtype, the aspect ratio kept to the nearest pixel.

    Example:
        >>> fit_within(np.zeros((300, 600), np.uint8), 100).shape
        (50, 100)
        >>> fit_within(np.zeros((30, 60), np.uint8), 100).shape
        (30, 60)
    """
    check_plane(image)
    if long_side < 1:
        raise ParameterError("long_side", "at least 1", long_side)
    height, width = image.shape
    scale = min(1.0, long_side / max(height, width))
    return resize(image, (max(1, round(height * scale)), max(1, round(width * scale))))


def flip(image: Array) -> Array:
    """Mirror left and right: a left hand becomes a right one.

    Args:
        image: 2-D.

    Returns:
        2-D, same dtype and size.

    Example:
        >>> flip(np.array([[1, 2, 3]], np.uint8)).tolist()
        [[3, 2, 1]]
    """
    check_plane(image)
    return np.ascontiguousarray(image[:, ::-1])


def rotate(image: Array, angle_deg: float, *, fill: float = 0, expand: bool = True) -> Array:
    """Turn a picture about its centre, counter-clockwise as seen; quarter turns are exact.

    Args:
        image: 2-D; uint8, uint16, bool or float.
        angle_deg: degrees, positive is counter-clockwise.
        fill: value of what was outside.
        expand: let the result grow so that nothing is cut off; otherwise the size stays.

    Returns:
        2-D, same dtype; a mask stays bool.

    Example:
        >>> rotate(np.array([[1, 2], [3, 4]], np.uint8), 90).tolist()
        [[2, 4], [1, 3]]
    """
    check_plane(image)
    if not math.isfinite(angle_deg):
        raise ParameterError("angle_deg", "a finite number of degrees", angle_deg)
    quarters = angle_deg / 90
    height, width = image.shape
    if quarters == round(quarters) and (expand or height == width or round(quarters) % 2 == 0):
        return np.ascontiguousarray(np.rot90(image, round(quarters)))
    matrix, size = rotation_matrix((height, width), angle_deg, expand=expand)
    return warp(image, matrix, size, fill=fill)


def warp(image: Array, matrix: Matrix, size: Size, *, fill: float = 0) -> Array:
    """Resample a picture once, by any affine map; where it shrinks, a pixel is the mean over its own area.

    The mean is taken over a grid of linear samples inside each target pixel, as many as it covers source
    pixels, so nothing is aliased when a 1024 pixel radiograph becomes a network's 128 pixel input.

    Args:
        image: 2-D; uint8, uint16, bool or float.
        matrix: 2 x 3, source to target.
        size: (height, width) of the result.
        fill: value of what lies outside of the source.

    Returns:
        2-D of that size, same dtype; a mask is true where at least half of a pixel is covered.

    Example:
        >>> half = np.array([[0.5, 0.0, -0.25], [0.0, 0.5, -0.25]])
        >>> warp(np.array([[0, 100], [100, 200]], np.uint8), half, (1, 1)).tolist()
        [[100]]
    """
    check_plane(image)
    check_size(size)
    check_fill(fill, image.dtype)
    if max(*image.shape, *size) > _MAX_SIDE:
        raise ParameterError("size", f"at most {_MAX_SIDE} on a side, before and after", (image.shape, size))
    work, matrix = _reduce(_to_work(image), matrix)
    down, right = (_samples(step, side) for step, side in zip(source_steps(matrix), size, strict=True))
    upscale = np.array([[right, 0.0, (right - 1) / 2], [0.0, down, (down - 1) / 2]])
    # The map is given to OpenCV as target to source: it needs no inversion of its own then.
    inverse = invert_matrix(compose(matrix, upscale))
    value = 255.0 * bool(fill) if image.dtype == np.bool_ else float(fill)
    sampled = cv2.warpAffine(
        work,
        inverse,
        (size[1] * right, size[0] * down),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=value,
    )
    if (down, right) != (1, 1):
        sampled = cv2.resize(sampled, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return _from_work(sampled, image.dtype)


def _samples(step: float, side: int) -> int:
    """How many samples a target pixel needs along an axis: at most 1.25 source pixels apart."""
    return max(1, min(math.ceil(step - 0.25), _MAX_SIDE // side))


def _reduce(work: Array, matrix: Matrix) -> tuple[Array, Matrix]:
    """Halve a picture that would need very many samples per target pixel, and the matrix with it."""
    while min(source_steps(matrix)) > _MAX_SUPERSAMPLING and min(work.shape) > 1:
        size = ((work.shape[0] + 1) // 2, (work.shape[1] + 1) // 2)
        scale = (size[0] / work.shape[0], size[1] / work.shape[1])
        halving = Letterbox((work.shape[0], work.shape[1]), size, scale, 0, 0).matrix()
        work = cv2.resize(work, (size[1], size[0]), interpolation=cv2.INTER_AREA)
        matrix = compose(invert_matrix(halving), matrix)
    return work, matrix


def _to_work(image: Array) -> Array:
    """What OpenCV can resample: a mask becomes coverage, 0 to 255."""
    return as_coverage(image) if image.dtype == np.bool_ else np.ascontiguousarray(image)


def _from_work(work: Array, dtype: np.dtype[np.generic]) -> Array:
    return np.asarray(work >= 128) if dtype == np.bool_ else np.asarray(work, dtype)
