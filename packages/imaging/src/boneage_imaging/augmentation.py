"""Small random changes for training: one sampled transform, applied to image and mask alike."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from boneage_imaging.affine import similarity_matrix
from boneage_imaging.arrays import Image, Mask, Matrix, Size, check_gray, check_mask, check_size
from boneage_imaging.errors import ParameterError
from boneage_imaging.geometry import warp

__all__ = ["IDENTITY", "Augmentation", "Transform", "apply", "apply_to_mask", "sample"]


@dataclass(frozen=True)
class Augmentation:
    """How far a training example may be changed; each change is drawn evenly between its limits.

    Attributes:
        max_angle_deg: turned by at most this, either way.
        max_scale: enlarged or shrunk by a factor of at most 1 + this.
        max_shift: moved by at most this share of the height and of the width.
        mirror: mirrored left and right in half of the cases.
        gamma: brightness to a power between 1 / (1 + this) and 1 + this.
        contrast: brightness times a factor between 1 - this and 1 + this; black stays black.
        noise: Gaussian noise, its deviation at most this share of white.
        invert: black and white are swapped with this probability.
    """

    max_angle_deg: float = 10.0
    max_scale: float = 0.1
    max_shift: float = 0.05
    mirror: bool = True
    gamma: float = 0.2
    contrast: float = 0.1
    noise: float = 0.02
    invert: float = 0.0

    def __post_init__(self) -> None:
        for name in ("max_angle_deg", "max_scale", "max_shift", "gamma", "noise"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ParameterError(name, "0 or more", getattr(self, name))
        for name in ("contrast", "invert"):
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(name, "0 to 1", getattr(self, name))


IDENTITY = Augmentation(0.0, 0.0, 0.0, False, 0.0, 0.0, 0.0, 0.0)
"""Changes nothing."""


@dataclass(frozen=True)
class Transform:
    """One sampled change: plain numbers, so that it can be compared, stored and repeated.

    Attributes:
        size: (height, width) of the pictures it is for.
        angle_deg: degrees, positive is counter-clockwise as seen.
        scale: target pixels per source pixel.
        shift: (down, right) in pixels.
        mirror: mirror left and right, before turning.
        gamma: the power of brightness.
        contrast: the factor of brightness.
        noise: the noise's standard deviation as a share of white.
        noise_seed: the noise's own seed.
        invert: swap black and white, before the noise.
    """

    size: Size
    angle_deg: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    mirror: bool = False
    gamma: float = 1.0
    contrast: float = 1.0
    noise: float = 0.0
    noise_seed: int = 0
    invert: bool = False

    @property
    def moves(self) -> bool:
        """Whether it moves any pixel."""
        return self.mirror or (self.angle_deg, self.scale, *self.shift) != (0.0, 1.0, 0.0, 0.0)

    def matrix(self) -> Matrix:
        """The affine map, source to target.

        Returns:
            2 x 3, float64.

        Example:
            >>> Transform((3, 5), shift=(1.0, 2.0)).matrix().tolist()
            [[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]
        """
        centre = ((self.size[1] - 1) / 2, (self.size[0] - 1) / 2)
        return similarity_matrix(
            source_xy=centre,
            target_xy=(centre[0] + self.shift[1], centre[1] + self.shift[0]),
            angle_deg=self.angle_deg,
            scale=self.scale,
            mirror=self.mirror,
        )


def sample(augmentation: Augmentation, rng: np.random.Generator, size: Size) -> Transform:
    """Draw one change.

    Args:
        augmentation: the limits.
        rng: the same state gives the same change; each call takes equally much from it.
        size: (height, width) of the pictures it is for.

    Returns:
        The Transform.

    Example:
        >>> sample(IDENTITY, np.random.default_rng(0), (4, 4)) == Transform((4, 4), noise_seed=0)
        True
    """
    check_size(size)
    turn, zoom, down, right, gamma, contrast = rng.uniform(-1.0, 1.0, 6).tolist()
    noise, mirror, invert = rng.random(3).tolist()
    seed = int(rng.integers(2**32))
    return Transform(
        size=(int(size[0]), int(size[1])),
        angle_deg=turn * augmentation.max_angle_deg,
        scale=(1.0 + augmentation.max_scale) ** zoom,
        shift=(down * augmentation.max_shift * size[0], right * augmentation.max_shift * size[1]),
        mirror=augmentation.mirror and mirror < 0.5,
        gamma=(1.0 + augmentation.gamma) ** gamma,
        contrast=1.0 + contrast * augmentation.contrast,
        noise=noise * augmentation.noise,
        noise_seed=seed if augmentation.noise else 0,
        invert=invert < augmentation.invert,
    )


def apply(transform: Transform, image: Image) -> Image:
    """Change a picture; what comes in from outside is black.

    Args:
        transform: what `sample` drew.
        image: 2-D uint8 or uint16 of the transform's size.

    Returns:
        2-D, same size and dtype.

    Raises:
        ParameterError: if the size differs.

    Example:
        >>> apply(Transform((1, 3), mirror=True), np.array([[1, 2, 3]], np.uint8)).tolist()
        [[3, 2, 1]]
        >>> apply(Transform((1, 3), invert=True), np.array([[1, 2, 3]], np.uint8)).tolist()
        [[254, 253, 252]]
    """
    check_gray(image)
    _check_fits(transform, image.shape)
    moved = warp(image, transform.matrix(), transform.size) if transform.moves else image.copy()
    if transform.gamma != 1.0 or transform.contrast != 1.0 or transform.invert:
        moved = _table(image.dtype.str, transform.gamma, transform.contrast, transform.invert)[moved]
    return _add_noise(moved, transform) if transform.noise else moved


def apply_to_mask(transform: Transform, mask: Mask) -> Mask:
    """Move a mask as `apply` moves its picture.

    Args:
        transform: what `sample` drew.
        mask: 2-D bool of the transform's size.

    Returns:
        2-D bool, same size.

    Raises:
        ParameterError: if the size differs.

    Example:
        >>> apply_to_mask(Transform((1, 3), mirror=True), np.array([[True, True, False]])).tolist()
        [[False, True, True]]
    """
    check_mask(mask)
    _check_fits(transform, mask.shape)
    return warp(mask, transform.matrix(), transform.size) if transform.moves else mask.copy()


def _check_fits(transform: Transform, shape: tuple[int, ...]) -> None:
    if shape != transform.size:
        raise ParameterError("image", f"of the transform's size {transform.size}", shape)


def _table(dtype: str, gamma: float, contrast: float, invert: bool) -> npt.NDArray[np.generic]:
    """What each brightness becomes."""
    white = np.iinfo(dtype).max
    share = np.clip(contrast * np.linspace(0.0, 1.0, white + 1) ** gamma, 0.0, 1.0)
    return np.rint((1.0 - share if invert else share) * white).astype(dtype)


def _add_noise(image: Image, transform: Transform) -> Image:
    white = np.iinfo(image.dtype).max
    noise = np.random.default_rng(transform.noise_seed).standard_normal(image.shape, np.float32)
    noise *= np.float32(transform.noise * white)
    noise += image
    return np.rint(np.clip(noise, 0, white, out=noise), out=noise).astype(image.dtype)
