"""What can be told without knowing what a bone is: ridge regression on a small picture. A floor, never an answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from boneage_imaging.arrays import Image
from boneage_imaging.geometry import resize
from boneage_regression.errors import MetricError
from boneage_regression.training import encode_sex

__all__ = ["ridge_ages", "thumbnail_features"]

_SIDE = 24
_PENALTIES = 10.0 ** np.arange(-2, 6)


def thumbnail_features(image: Image, male: bool | None) -> NDArray[np.float32]:
    """A radiograph as ridge regression sees it: squashed to 24 x 24 pixels, and the sex.

    Args:
        image: 2-D uint8 or uint16, any size.
        male: The sex, None where it is not known.

    Returns:
        float32 (577,): gray values from 0 to 1, and the sex as the networks take it.
    """
    squashed = resize(image, (_SIDE, _SIDE)).astype(np.float32) / np.iinfo(image.dtype).max
    return np.append(squashed.ravel(), np.float32(encode_sex(male)))


def ridge_ages(features: ArrayLike, ages_months: ArrayLike, unseen: ArrayLike) -> NDArray[np.float64]:
    """Ages told by ridge regression (Hoerl and Kennard 1970).

    The penalty, from 0.01 to 100,000, is the one with the least squared error where each training case is left out
    in turn; for that no second fit is needed (Allen 1974, PRESS).

    Args:
        features: Of the training cases, shape (n, k), n at least 3.
        ages_months: Their ages, months, shape (n,).
        unseen: Features of the cases to tell, shape (m, k).

    Returns:
        Months, shape (m,).

    Raises:
        MetricError: Shapes that do not fit, fewer than 3 cases, or a value that is not finite.

    >>> x = np.arange(6.0)[:, None]
    >>> ridge_ages(x, 12 * x[:, 0] + 24, [[10.0]]).round().tolist()
    [144.0]
    """
    x, ages, asked = (np.asarray(values, np.float64) for values in (features, ages_months, unseen))
    if (
        x.ndim != 2
        or len(x) < 3
        or ages.shape != x.shape[:1]
        or asked.ndim != 2
        or asked.shape[1:] != x.shape[1:]
    ):
        raise MetricError(
            "features (n, k) of at least 3 cases, ages (n,) and features (m, k) to tell. "
            f"Received shapes: {x.shape}, {ages.shape}, {asked.shape}"
        )
    if not all(np.isfinite(values).all() for values in (x, ages, asked)):
        raise MetricError("features and ages must be finite numbers")
    middle, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread == 0] = 1
    left, sizes, right = np.linalg.svd((x - middle) / spread, full_matrices=False)
    along = left.T @ (ages - ages.mean())
    shares = min(
        (sizes**2 / (sizes**2 + p) for p in _PENALTIES), key=lambda s: _left_out(left, s, along, ages)
    )
    weights = right.T @ np.divide(shares * along, sizes, out=np.zeros_like(sizes), where=sizes > 1e-9)
    return np.asarray((asked - middle) / spread @ weights + ages.mean())


def _left_out(
    left: NDArray[np.float64],
    shares: NDArray[np.float64],
    along: NDArray[np.float64],
    ages: NDArray[np.float64],
) -> float:
    """The squared error of cases left out one by one."""
    residuals = ages - ages.mean() - left @ (shares * along)
    leverage = (left**2) @ shares + 1 / len(ages)
    return float(np.sum((residuals / np.maximum(1 - leverage, 1e-9)) ** 2))
