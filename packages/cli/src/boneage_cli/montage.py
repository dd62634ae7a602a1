"""The report's pictures: what each step made of a radiograph, and where the hand was found."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from boneage_cli.stages import prepare_image
from boneage_imaging.codec import decode, decode_mask, encode_jpeg, encode_png
from boneage_imaging.contrast import to_uint8
from boneage_imaging.geometry import fit_within
from boneage_imaging.masks import binarize

if TYPE_CHECKING:
    from boneage_cli.config import Prepare
    from boneage_segmentation.inference import Segmenter

__all__ = ["Picture", "network_input", "overlay", "steps"]

_LONG_SIDE = 320
_QUALITY = 80
_EDGE = 2
FOUND, DRAWN = (0, 200, 255), (255, 165, 0)
"""The colours (red, green, blue) of the contour that was found and of the one that was drawn."""


@dataclass(frozen=True)
class Picture:
    """One picture of the page.

    Attributes:
        source: A data URI.
        caption: What it shows.
    """

    source: str
    caption: str


def steps(case: dict[str, Any], settings: Prepare, segmenter: Segmenter | None) -> list[Picture]:
    """Shows what becomes of one radiograph: as taken, CLAHE, mask, cleaned mask, masked, turned.

    Args:
        case: Its fields image, mask and input, as the stages wrote them.
        settings: How it was prepared; a step that is switched off is shown and said to be unused.
        segmenter: The network that found the hand; None where the mask was given, and is shown as it is.
    """
    image, mask = decode(case["image"]), decode_mask(case["mask"])
    whole = replace(settings, height=image.shape[0], width=image.shape[1], align=False)
    equal = prepare_image(image, mask, replace(whole, clahe=True, mask=False)).image
    masked = prepare_image(image, mask, replace(whole, mask=True)).image
    pictures = [_gray("as taken", to_uint8(image)), _gray(_named("CLAHE", settings.clahe), equal)]
    if segmenter is not None:
        raw = binarize(segmenter.probability(image), segmenter.threshold)
        pictures.append(_mask("mask of the network", raw))
    pictures += [
        _mask("mask given" if segmenter is None else "cleaned mask", mask),
        _gray(_named("masked", settings.mask), masked),
    ]
    turned = network_input(
        case, "turned, the age network's input" if settings.align else "the age network's input"
    )
    return [*pictures, *([turned] if turned else [])]


def network_input(case: dict[str, Any], caption: str = "the age network's input") -> Picture | None:
    """What the age network saw of the case; None where it was refused before."""
    return None if case.get("input") is None else _gray(caption, decode(case["input"]))


def overlay(case: dict[str, Any]) -> Picture:
    """The radiograph with the contour of the hand as it was found and, where there is one, as drawn."""
    gray = fit_within(to_uint8(decode(case["image"])), _LONG_SIDE)
    colors = np.repeat(gray[..., None], 3, axis=2)
    caption = "hand as found"
    if case.get("outline") is not None:
        colors[_edge(case["outline"])] = DRAWN
        caption += " and as drawn"
    colors[_edge(case["mask"])] = FOUND
    return Picture(_uri("jpeg", _encode_colors(colors)), caption)


def _edge(mask: bytes) -> Any:
    """The pixels just inside the outline, at the size of the page."""
    inside = core = fit_within(decode_mask(mask), _LONG_SIDE)
    for _ in range(_EDGE):
        wide = np.pad(core, 1, mode="edge")
        core = core & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return inside & ~core


def _encode_colors(colors: Any) -> bytes:
    from matplotlib.image import imsave

    data = io.BytesIO()
    imsave(data, colors, format="jpeg", pil_kwargs={"quality": 88, "subsampling": 0})
    return data.getvalue()


def _named(name: str, used: bool) -> str:
    return name if used else f"{name} (not used)"


def _gray(caption: str, image: Any) -> Picture:
    return Picture(_uri("jpeg", encode_jpeg(fit_within(image, _LONG_SIDE), _QUALITY)), caption)


def _mask(caption: str, mask: Any) -> Picture:
    return Picture(_uri("png", encode_png(fit_within(mask, _LONG_SIDE))), caption)


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
