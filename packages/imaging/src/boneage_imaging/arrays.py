"""The kinds of array this package speaks of, and the one place where arguments are checked."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from boneage_imaging.errors import ArrayError, ParameterError

__all__ = [
    "Array",
    "Image",
    "Mask",
    "Matrix",
    "Size",
    "as_bytes",
    "check_colours",
    "check_fill",
    "check_gray",
    "check_mask",
    "check_plane",
    "check_size",
]

Image: TypeAlias = npt.NDArray[Any]
"""A gray image: 2-D, uint8 or uint16; usually white bone on a dark ground."""
Mask: TypeAlias = npt.NDArray[np.bool_]
"""A region: 2-D, bool."""
Array: TypeAlias = npt.NDArray[Any]
"""An image, a mask or a 2-D float array such as a probability."""
Matrix: TypeAlias = npt.NDArray[np.float64]
"""An affine map, 2 x 3, of points (x, y, 1), source to target; (0, 0) is the centre of the first pixel."""
Size: TypeAlias = tuple[int, int]
"""(height, width) in pixels."""

_GRAY = (np.dtype(np.uint8), np.dtype(np.uint16))
_PLANE = (*_GRAY, np.dtype(np.bool_), np.dtype(np.float32), np.dtype(np.float64))


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return f"a {type(value).__name__}"


def _check(value: object, dtypes: tuple[np.dtype[Any], ...], wanted: str) -> None:
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype not in dtypes or value.size == 0:
        raise ArrayError(wanted, _describe(value))


def check_gray(image: object) -> None:
    """Raise ArrayError unless `image` is 2-D, not empty, uint8 or uint16."""
    _check(image, _GRAY, "a 2-D, not empty uint8 or uint16 image")


def check_colours(image: object) -> None:
    """Raise ArrayError unless `image` is (height, width, 3), not empty, uint8."""
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ArrayError("a not empty uint8 image of shape (height, width, 3)", _describe(image))
    if image.shape[2] != 3:
        raise ArrayError("three colours a pixel", _describe(image))


def check_mask(mask: object) -> None:
    """Raise ArrayError unless `mask` is 2-D, not empty and bool."""
    _check(mask, (np.dtype(np.bool_),), "a 2-D, not empty bool mask")


def as_bytes(mask: Mask) -> npt.NDArray[np.uint8]:
    """The mask as 0 and 1 for OpenCV, which takes no bool; not a copy, unless its rows are not in order."""
    return np.ascontiguousarray(mask).view(np.uint8)


def as_coverage(mask: Mask) -> npt.NDArray[np.uint8]:
    """The mask as 0 and 255."""
    return np.negative(as_bytes(mask))  # 0 - 1 is 255 in eight bits


def check_plane(array: object) -> None:
    """Raise ArrayError unless `array` is 2-D, not empty, uint8, uint16, bool, float32 or float64."""
    _check(array, _PLANE, "a 2-D, not empty array of uint8, uint16, bool, float32 or float64")


def check_fill(fill: float, dtype: np.dtype[Any]) -> None:
    """Raise ParameterError unless an array of this dtype can hold `fill`; a mask takes any value."""
    if dtype.kind == "u" and not 0 <= fill <= np.iinfo(dtype).max:
        raise ParameterError("fill", f"0 to {np.iinfo(dtype).max} for {dtype}", fill)


def check_size(size: tuple[int, int], name: str = "size") -> None:
    """Raise ParameterError unless `size` is (height, width), both at least 1."""
    if len(size) != 2 or min(size) < 1:
        raise ParameterError(name, "(height, width), both at least 1", size)
