"""What the folder commands do to one file: named functions, so that any worker can import them.

Each command is a pair: `setup_NAME(config)`, called once per worker, and `apply_NAME(case, resource)`, which
writes the case's own files and returns what is to be told of it. A case is set aside by raising.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from boneage_cli.errors import DataError
from boneage_cli.files import read_bounded
from boneage_cli.stages import find_hand
from boneage_imaging.codec import decode, decode_mask, encode_png
from boneage_imaging.contrast import clahe
from boneage_imaging.geometry import letterbox, resize
from boneage_imaging.masks import apply_mask
from boneage_sparkrun.storage import join, open_storage

if TYPE_CHECKING:
    from boneage_segmentation.drawings import Drawing as HandDrawing
    from boneage_segmentation.drawings import Method
    from boneage_segmentation.inference import Segmenter

__all__ = [
    "apply_align",
    "apply_annotate",
    "apply_contrast",
    "apply_phantom",
    "apply_resize",
    "apply_segment",
    "outputs",
    "setup_align",
    "setup_annotate",
    "setup_contrast",
    "setup_phantom",
    "setup_resize",
    "setup_segment",
]

Case = dict[str, Any]
_MAX_STRETCH = 0.03  # how far a mask's aspect ratio may be from its radiograph's


def outputs(out: str, case_id: str, folders: tuple[str, ...]) -> list[str]:
    """The files that a command writes for one case: one in each folder below OUT, or in OUT itself."""
    return [join(out, *((folder,) if folder else ()), f"{case_id}.png") for folder in folders]


def _write(out: str, case_id: str, pictures: dict[str, np.ndarray]) -> None:
    """Writes a case's pictures, by folder below OUT: all of them or none. `map_cases` settles the folders."""
    encoded = [encode_png(picture) for picture in pictures.values()]
    uris = outputs(out, case_id, tuple(pictures))
    try:
        for uri, data in zip(uris, encoded, strict=True):
            open_storage(uri).write(uri, data, lasting=False)
    except Exception:
        for uri in uris:
            open_storage(uri).remove(uri)
        raise


@dataclass(frozen=True)
class Resize:
    """How a folder is resized; a `fill` of None is the white of the picture's own depth."""

    out: str
    height: int
    width: int
    fill: int | None


def setup_resize(config: dict[str, Any]) -> Resize:
    """The settings from a plain dict."""
    return Resize(**config)


def apply_resize(case: Case, settings: Resize) -> Case:
    """Shrinks or grows a picture into the size, keeping its aspect ratio, and pads it with one colour."""
    image = decode(read_bounded(case["uri"]))
    white = int(np.iinfo(image.dtype).max)
    fill = white if settings.fill is None else settings.fill
    if fill > white:
        raise DataError(f"its white is {white}, so it cannot be padded with {fill}")
    resized, _ = letterbox(image, (settings.height, settings.width), fill=fill)
    _write(settings.out, case["case_id"], {"": resized})
    return {"height": int(image.shape[0]), "width": int(image.shape[1])}


@dataclass(frozen=True)
class Contrast:
    """How the contrast of a folder is equalised."""

    out: str
    clip_limit: float
    tiles: int


def setup_contrast(config: dict[str, Any]) -> Contrast:
    """The settings from a plain dict."""
    return Contrast(**config)


def apply_contrast(case: Case, settings: Contrast) -> Case:
    """Equalises a picture's contrast (CLAHE), at its own size and depth."""
    image = decode(read_bounded(case["uri"]))
    equalised = clahe(image, clip_limit=settings.clip_limit, tiles=(settings.tiles, settings.tiles))
    _write(settings.out, case["case_id"], {"": equalised})
    return {"height": int(image.shape[0]), "width": int(image.shape[1])}


@dataclass(frozen=True)
class Finder:
    """Where results go, and the network that finds the hand; None where masks are given."""

    out: str
    segmenter: Segmenter | None


def setup_segment(config: dict[str, Any]) -> Finder:
    """Loads the network, if there is one, once per worker."""
    if not config["model"]:
        return Finder(config["out"], None)
    from boneage_segmentation.inference import Segmenter

    # One thread, however many workers there are: the sums, and so the masks, are the same.
    return Finder(config["out"], Segmenter.load(config["model"], threads=1))


def apply_segment(case: Case, finder: Finder) -> Case:
    """Finds the hand; where there is none the mask is empty."""
    image = decode(read_bounded(case["uri"]))
    mask, status, reason = _find_hand(image, finder)
    if status == "refused":
        mask = np.zeros_like(mask)
    _write(finder.out, case["case_id"], {"masks": mask, "masked": apply_mask(image, mask)})
    return {"status": status, "reason": reason, "mask_share": np.count_nonzero(mask) / mask.size}


def _find_hand(image: np.ndarray, finder: Finder) -> tuple[np.ndarray, str, str]:
    if finder.segmenter is None:
        raise DataError("there is no mask for it, and no model to find one")
    mask, verdict = find_hand(image, finder.segmenter)
    return mask, verdict.status, "; ".join(verdict.reasons)


setup_align = setup_segment


def apply_align(case: Case, finder: Finder) -> Case:
    """Turns a hand upright, by its mask or by what the network finds."""
    from boneage_imaging.alignment import align, orientation

    image = decode(read_bounded(case["uri"]))
    if case["mask_uri"]:
        mask = _read_mask(case["mask_uri"], image)
    else:
        mask, status, reason = _find_hand(image, finder)
        if status == "refused":
            raise DataError(reason)
    turned, _ = align(image, mask)
    _write(finder.out, case["case_id"], {"": turned})
    return {"angle_deg": orientation(mask).angle_deg}


def _read_mask(uri: str, image: np.ndarray) -> np.ndarray:
    mask = decode_mask(read_bounded(uri))
    if mask.shape == image.shape:
        return mask
    stretch = (mask.shape[0] / mask.shape[1]) / (image.shape[0] / image.shape[1])
    if abs(stretch - 1) > _MAX_STRETCH:
        raise DataError(
            f"its mask has {mask.shape[0]} x {mask.shape[1]} pixels (height x width), the picture "
            f"{image.shape[0]} x {image.shape[1]}: they are not of one shape"
        )
    return np.asarray(resize(mask, (int(image.shape[0]), int(image.shape[1]))))


@dataclass(frozen=True)
class Drawing:
    """Which phantoms are drawn, and where to."""

    out: str
    seed: int
    height: int
    width: int


def setup_phantom(config: dict[str, Any]) -> Drawing:
    """The settings from a plain dict."""
    return Drawing(**config)


def apply_phantom(case: Case, drawing: Drawing) -> Case:
    """Draws one phantom and its outline."""
    from boneage_imaging.phantom import draw_case

    drawn = draw_case(drawing.seed, case["phantom_index"], size=(drawing.height, drawing.width))
    _write(drawing.out, case["case_id"], {"images": drawn.image, "outlines": drawn.mask})
    rows, columns = np.flatnonzero(drawn.mask.any(axis=1)), np.flatnonzero(drawn.mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return {
        "age_months": drawn.age_months,
        "male": drawn.male,
        "area": int(drawn.mask.sum()),
        "box": json.dumps([left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]),
        "keypoints": json.dumps(drawn.keypoints),
    }


@dataclass(frozen=True)
class Annotator:
    """Where outlines go, and how the skin line is found in those that are begun."""

    out: str
    method: Method


def setup_annotate(config: dict[str, Any]) -> Annotator:
    """The settings from a plain dict."""
    return Annotator(**config)


def apply_annotate(case: Case, annotator: Annotator) -> Case:
    """Draws one outline as its drawing says; begins that with markers where there is none."""
    from boneage_segmentation.drawings import draw_mask, write_drawing
    from boneage_segmentation.polygons import trace, write_polygons

    image = decode(read_bounded(case["uri"]))
    begun = case["drawing_uri"] is None
    drawing = _begin(case, image, annotator.method) if begun else _read_drawing(case["drawing_uri"])
    mask = draw_mask(image, drawing)
    facts = {"method": drawing.method, **drawing.facts}
    contents = {"outlines": write_polygons(trace(mask), drawing.size, facts)}
    if begun:
        contents["drawings"] = write_drawing(drawing)
    for folder, content in contents.items():
        uri = join(annotator.out, folder, f"{case['case_id']}.json")
        open_storage(uri).write(uri, content)
    return {"begun": begun, "mask_share": np.count_nonzero(mask) / mask.size}


def _read_drawing(uri: str) -> HandDrawing:
    from boneage_segmentation.drawings import read_drawing

    return read_drawing(read_bounded(uri), Path(uri).name)


def _begin(case: Case, image: np.ndarray, method: Method) -> HandDrawing:
    from boneage_segmentation.annotation import begin_drawing
    from boneage_segmentation.marking import mark_keypoints, read_keypoints

    uri, size = case["marker_uri"], (int(image.shape[0]), int(image.shape[1]))
    if case["is_keypoints"]:
        points = read_keypoints(read_bounded(uri), Path(uri).name, case["case_id"], size)
        if points is None:
            raise DataError(f"no keypoints of it in {Path(uri).name}")
        return replace(mark_keypoints(points, size, method=method), facts={"drawn": f"keypoints + {method}"})
    begun = begin_drawing(read_bounded(uri), Path(uri).name, image, method=method)
    return replace(begun, facts={"drawn": f"{'outline' if begun.start else 'markers'} + {method}"})
