"""What befalls radiographs: each changes a radiograph, and the hand's mask with it."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from boneage_imaging import flip, rotate
from boneage_imaging.geometry import resize

Pair = tuple[np.ndarray, np.ndarray]


def ground(image: np.ndarray) -> float:
    """The gray level of the radiograph's border."""
    return float(np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])))


def turn(image: np.ndarray, mask: np.ndarray, angle_deg: float) -> Pair:
    return rotate(image, angle_deg, fill=ground(image)), rotate(mask, angle_deg)


def mirror(image: np.ndarray, mask: np.ndarray) -> Pair:
    return flip(image), flip(mask)


def curve(image: np.ndarray, mask: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> Pair:
    """Changes gray values, 0 to 1."""
    return np.rint(255 * np.clip(change(image / 255), 0, 1)).astype(np.uint8), mask


def raise_contrast(image: np.ndarray, mask: np.ndarray, times: float) -> Pair:
    """Away from the radiograph's mean, or towards it."""
    mean = image.mean() / 255
    return curve(image, mask, lambda v: mean + (v - mean) * times)


def noise(image: np.ndarray, mask: np.ndarray) -> Pair:
    return curve(image, mask, lambda v: v + np.random.default_rng(0).normal(0, 0.05, v.shape))


def blur(image: np.ndarray, mask: np.ndarray) -> Pair:
    return cv2.GaussianBlur(image, (0, 0), 3), mask


def quarter(image: np.ndarray, mask: np.ndarray) -> Pair:
    size = tuple(round(side / 4) for side in image.shape)
    return resize(image, size), resize(mask, size)


def compress(image: np.ndarray, mask: np.ndarray) -> Pair:
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 20))
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), mask


def paste_markers(
    image: np.ndarray, mask: np.ndarray, kinds: tuple[str, ...] = ("letter", "tag", "ring")
) -> Pair:
    """A letter, a tag with writing and a ring, in white, where no hand is."""
    image, rng, side = image.copy(), np.random.default_rng(0), max(image.shape)
    far = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    size = side // 16
    for kind in kinds:
        places = np.argwhere(far > 1.2 * size)
        if not len(places):
            places = np.argwhere(far >= far.max() - 1)
        y, x = map(int, places[rng.integers(len(places))])
        if kind == "letter":
            cv2.putText(
                image,
                "L",
                (x - size // 3, y + size // 3),
                cv2.FONT_HERSHEY_SIMPLEX,
                size / 30,
                255,
                size // 8,
            )
        elif kind == "tag":
            cv2.rectangle(image, (x - size // 2, y - size // 4), (x + size // 2, y + size // 4), 235, -1)
            cv2.putText(image, "12 03", (x - size // 2, y + 5), cv2.FONT_HERSHEY_SIMPLEX, size / 90, 0, 1)
        else:
            cv2.circle(image, (x, y), size // 3, 255, size // 10)
    return np.where(mask, 0, image).astype(np.uint8) + np.where(mask, image, 0).astype(np.uint8), mask


def add_border(image: np.ndarray, mask: np.ndarray, gray: int) -> Pair:
    wide = max(image.shape) // 10
    sides = ((wide, wide), (wide, wide))
    return np.pad(image, sides, constant_values=gray), np.pad(mask, sides)


def deepen(image: np.ndarray, mask: np.ndarray) -> Pair:
    """16 bit, the lower ones noise."""
    low = np.random.default_rng(0).integers(0, 256, image.shape)
    return (image.astype(np.uint16) * 256 + low).astype(np.uint16), mask


STRESSES = {
    "none": lambda image, mask: (image, mask),
    **{f"turned by {angle}": partial(turn, angle_deg=angle) for angle in range(30, 360, 30)},
    "mirrored": mirror,
    "inverted": partial(curve, change=lambda v: 1 - v),
    "gamma 0.5": partial(curve, change=lambda v: v**0.5),
    "gamma 2": partial(curve, change=lambda v: v**2),
    "contrast halved": partial(raise_contrast, times=0.5),
    "contrast times 1.5": partial(raise_contrast, times=1.5),
    "noise, 5 % of white": noise,
    "blurred by 3 pixels": blur,
    "a quarter of the size": quarter,
    "JPEG, quality 20": compress,
    "pasted markers": paste_markers,
    "white border": partial(add_border, gray=255),
    "black border": partial(add_border, gray=0),
    "16 bit": deepen,
}
