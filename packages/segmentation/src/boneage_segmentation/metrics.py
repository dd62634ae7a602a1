"""How well a mask agrees with the truth: Jaccard and Dice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import SegmentationError

__all__ = ["dice", "jaccard"]


def jaccard(mask: NDArray[Any], truth: NDArray[Any]) -> float:
    """Divides the intersection of two masks by their union.

    Args:
        mask: 2-D; everything but 0 belongs to it.
        truth: The same size.

    Returns:
        0 (nothing in common) to 1 (equal); 1 where both are empty. Symmetric.

    Raises:
        SegmentationError: The sizes differ, or the arrays are not 2-D.

    Source:
        P. Jaccard, The distribution of the flora in the alpine zone, 1912.

    Example:
        >>> jaccard(np.array([[1, 1, 0]]), np.array([[0, 1, 1]]))
        0.3333333333333333
    """
    common, total = _overlap(mask, truth)
    union = total - common
    return common / union if union else 1.0


def dice(mask: NDArray[Any], truth: NDArray[Any]) -> float:
    """Divides twice the intersection of two masks by the sum of their areas.

    Args:
        mask: 2-D; everything but 0 belongs to it.
        truth: The same size.

    Returns:
        0 (nothing in common) to 1 (equal); 1 where both are empty. Symmetric, and 2 j / (1 + j) of Jaccard j.

    Raises:
        SegmentationError: The sizes differ, or the arrays are not 2-D.

    Source:
        L. R. Dice, Measures of the amount of ecologic association between species, 1945.

    Example:
        >>> dice(np.array([[1, 1, 0]]), np.array([[0, 1, 1]]))
        0.5
    """
    common, total = _overlap(mask, truth)
    return 2 * common / total if total else 1.0


def _overlap(mask: NDArray[Any], truth: NDArray[Any]) -> tuple[int, int]:
    """Counts the pixels in both, and the sum of both areas."""
    first, second = np.asarray(mask), np.asarray(truth)
    if first.ndim != 2 or first.shape != second.shape:
        raise SegmentationError(
            f"two masks of one size (height, width) are needed; received {first.shape} and {second.shape}"
        )
    first, second = first != 0, second != 0
    common = int(np.count_nonzero(first & second))
    return common, int(np.count_nonzero(first)) + int(np.count_nonzero(second))
