"""The pages' pictures: what each step made of a radiograph, and where the hand was found."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from boneage_cli.stages import prepare_image
from boneage_imaging.codec import decode, decode_mask, encode_colours, encode_jpeg, encode_png
from boneage_imaging.contrast import to_uint8
from boneage_imaging.geometry import fit_within
from boneage_imaging.masks import binarize, contours

if TYPE_CHECKING:
    import numpy as np

    from boneage_cli.config import Prepare
    from boneage_segmentation.inference import Segmenter

__all__ = ["Outline", "Picture", "coloured", "gray", "network_input", "outlined", "overlay", "steps", "trio"]

LONG_SIDE = 480
"""Of a picture, pixels: enough to look closer, and a page of sixty stays near a megabyte."""
_QUALITY = 80
_TOLERANCE = 0.7


@dataclass(frozen=True)
class Outline:
    """A contour over a picture.

    Attributes:
        kind: `found` or `drawn`.
        path: An SVG path, in the picture's pixels.
    """

    kind: str
    path: str


@dataclass(frozen=True)
class Picture:
    """One picture of a page.

    Attributes:
        source: A data URI.
        caption: What it shows.
        size: (height, width) in pixels.
        outlines: Drawn over it, the first below.
    """

    source: str
    caption: str
    size: tuple[int, int]
    outlines: tuple[Outline, ...] = ()


def steps(case: dict[str, Any], settings: Prepare, segmenter: Segmenter | None) -> list[Picture]:
    """Shows what becomes of one radiograph: as taken, CLAHE, mask at the first look, mask, masked, turned.

    Args:
        case: Its fields image, mask and input, as the stages wrote them.
        settings: How it was prepared; a step that is switched off is shown and said to be unused.
        segmenter: The network that found the hand; None where the mask was given, and is shown as it is.
    """
    image, mask = decode(case["image"]), decode_mask(case["mask"])
    whole = replace(settings, height=image.shape[0], width=image.shape[1], align=False)
    equal = prepare_image(image, mask, replace(whole, clahe=True, mask=False)).image
    masked = prepare_image(image, mask, replace(whole, mask=True)).image
    pictures = [gray("as taken", to_uint8(image)), gray(_named("CLAHE", settings.clahe), equal)]
    if segmenter is not None:
        raw = binarize(segmenter.probability(image), segmenter.threshold)
        pictures.append(_mask("mask of the first look", raw))
    pictures += [
        _mask("mask given" if segmenter is None else "mask", mask),
        gray(_named("masked", settings.mask), masked),
    ]
    turned = network_input(
        case, "turned, the age network's input" if settings.align else "the age network's input"
    )
    return [*pictures, *([turned] if turned else [])]


def network_input(case: dict[str, Any], caption: str = "the age network's input") -> Picture | None:
    """What the age network saw of the case; None where it was refused before."""
    return None if case.get("input") is None else gray(caption, decode(case["input"]))


def trio(case: dict[str, Any]) -> list[Picture]:
    """The radiograph with its outlines, the mask, and what the age network saw, where it got so far."""
    seen = network_input(case)
    return [overlay(case), _mask("mask", decode_mask(case["mask"])), *([seen] if seen else [])]


def overlay(case: dict[str, Any]) -> Picture:
    """The radiograph with the contour of the hand as it was found and, where there is one, as drawn."""
    masks = {"found": decode_mask(case["mask"])}
    if case.get("outline") is not None:
        masks = {"drawn": decode_mask(case["outline"]), **masks}
    caption = "hand as found and as drawn" if "drawn" in masks else "hand as found"
    return outlined(caption, decode(case["image"]), masks)


def outlined(caption: str, image: np.ndarray, masks: dict[str, np.ndarray]) -> Picture:
    """A radiograph with contours over it.

    Args:
        caption: What it shows.
        image: Gray, 8 or 16 bit.
        masks: Bool, of the image's size, by kind of outline, the first below.
    """
    outlines = tuple(Outline(kind, _path(mask)) for kind, mask in masks.items())
    return replace(gray(caption, to_uint8(image)), outlines=outlines)


def _path(mask: np.ndarray) -> str:
    polygons = contours(fit_within(mask, LONG_SIDE), tolerance=_TOLERANCE)
    return " ".join("M" + " ".join(f"{x + 0.5} {y + 0.5}" for x, y in polygon) + "Z" for polygon in polygons)


def _named(name: str, used: bool) -> str:
    return name if used else f"{name} (not used)"


def gray(caption: str, image: np.ndarray) -> Picture:
    """An 8-bit picture, at the size of the page."""
    small = fit_within(image, LONG_SIDE)
    return Picture(_uri("jpeg", encode_jpeg(small, _QUALITY)), caption, (small.shape[0], small.shape[1]))


def coloured(caption: str, image: np.ndarray) -> Picture:
    """A picture in colour, uint8 (height, width, 3), red first, at its own size."""
    return Picture(_uri("png", encode_colours(image)), caption, (image.shape[0], image.shape[1]))


def _mask(caption: str, mask: np.ndarray) -> Picture:
    small = fit_within(mask, LONG_SIDE)
    return Picture(_uri("png", encode_png(small)), caption, (small.shape[0], small.shape[1]))


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
