"""Outlines drawn by people, as files: mask images, PixelAnnotationTool's, polygons."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging import Image, Mask, encode_png
from boneage_imaging.codec import decode_colours
from boneage_imaging.errors import DecodeError
from boneage_imaging.geometry import resize

from .drawings import Drawing, Method
from .errors import AnnotationError
from .files import write_whole
from .marking import mark_outline, mark_strokes
from .polygons import read_polygons
from .watershed import fill_lines, flood, grow_markers, pick_hand

__all__ = ["begin_drawing", "draw_annotation", "find_outlines", "read_outline"]

# Best first. The tool's own image NAME.png lies beside its NAME_..._mask.png, so a bare NAME.png comes last.
_SUFFIXES = ("_watershed_mask.png", "_color_mask.png", "_mask.png", ".json", ".png")
_HAND, _BACKGROUND = 24, 35  # "person" and "other" in the tool's own list of labels
_COLORS = {_HAND: (220, 20, 60), _BACKGROUND: (128, 128, 128)}


def find_outlines(folder: str | Path) -> dict[str, Path]:
    """Finds the outlines in a folder, one for each case.

    Where a case has several files the best is taken: NAME_watershed_mask.png, NAME_color_mask.png,
    NAME_mask.png, NAME.json, NAME.png, in this order. NAME is the case_id. What is no file (a folder, a link
    that leads nowhere) comes last, and cannot be read.

    Args:
        folder: A folder; its subfolders are not looked into.

    Returns:
        case_id to file, sorted by case_id.

    Raises:
        AnnotationError: There is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise AnnotationError(
            str(folder), "no such folder; a folder of mask images or polygon files is needed"
        )
    found: dict[str, tuple[bool, int, Path]] = {}
    for path in sorted(folder.iterdir()):
        rank = _rank(path.name)
        if rank is None or path.name.startswith("."):
            continue
        case_id = path.name[: -len(_SUFFIXES[rank])]
        place = (not os.path.isfile(path), rank, path)  # noqa: PTH113 - Path's own raises where it may not look
        if case_id and place[:2] < found.get(case_id, (True, len(_SUFFIXES), path))[:2]:
            found[case_id] = place
    return {case_id: found[case_id][2] for case_id in sorted(found)}


def _rank(name: str) -> int | None:
    return next((rank for rank, suffix in enumerate(_SUFFIXES) if name.lower().endswith(suffix)), None)


def read_outline(
    data: bytes, name: str, size: tuple[int, int] | None = None, *, image: Image | None = None
) -> Mask:
    """Reads one outline file.

    - Polygons (NAME.json, Supervisely's format): every object's exterior less its interior rings, scaled from
      the file's own `size`.
    - NAME_watershed_mask.png and NAME_color_mask.png of PixelAnnotationTool: one label or colour for each
      region. The thin lines that the watershed leaves between regions and around the picture are given to the
      nearest region. The background is the label that holds most of the picture's border; the rest is hand.
    - NAME_mask.png of PixelAnnotationTool: markers. With two or more labels the regions are grown from them
      in `image`. With one value beside 0 it is read as a plain mask.
    - Any other image: 0 is background, everything else is hand.

    Args:
        data: The file's bytes.
        name: The file's name, by which its kind is known.
        size: (height, width) of the radiograph it shall fit; None: as the file has it.
        image: The radiograph, 2-D; only markers need it.

    Returns:
        The mask, 2-D bool. A pixel belongs to it if at least half of it lies inside.

    Raises:
        AnnotationError: It cannot be read, or is something else than its name says.
    """
    lower = Path(name).name.lower()
    if lower.endswith(".json"):
        return read_polygons(data, name, size)
    pixels = _decode(data, name)
    labels = _to_labels(pixels)
    if lower.endswith(("_watershed_mask.png", "_color_mask.png")):
        mask = pick_hand(fill_lines(labels, name), name)
    elif _are_markers(name, pixels, labels):
        if image is None:
            raise AnnotationError(
                name, "it holds markers, not an outline; give NAME_watershed_mask.png, or the radiograph too"
            )
        mask = grow_markers(image, labels)
    else:
        mask = labels != 0
    return mask if size is None else resize(mask, size)


def _are_markers(name: str, pixels: NDArray[Any], labels: NDArray[np.int32]) -> bool:
    """Whether a picture holds PixelAnnotationTool's strokes: NAME_mask.png, gray, of two labels or more."""
    lower = Path(name).name.lower()
    plain = lower.endswith("_mask.png") and not lower.endswith(("_watershed_mask.png", "_color_mask.png"))
    return plain and _is_gray(pixels) and len(np.unique(labels[labels != 0])) > 1


def begin_drawing(data: bytes, name: str, image: Image, *, method: Method = "grabcut") -> Drawing:
    """Begins a drawing with an outline file: its markers, or else its outline, taken as a rough one.

    Args:
        data: The file's bytes.
        name: The file's name, by which its kind is known: see `read_outline`.
        image: The radiograph, 2-D.
        method: How the skin line is found.

    Raises:
        AnnotationError: It cannot be read, or is something else than its name says.
    """
    if not name.lower().endswith(".json"):
        pixels = _decode(data, name)
        labels = _to_labels(pixels)
        if _are_markers(name, pixels, labels):
            return mark_strokes(image, labels, method=method)
    size = (int(image.shape[0]), int(image.shape[1]))
    return mark_outline(read_outline(data, name, size), method=method)


def _decode(data: bytes, name: str) -> NDArray[Any]:
    try:
        return decode_colours(data)
    except DecodeError as error:
        raise AnnotationError(name, error.reason) from error


def _to_labels(pixels: NDArray[Any]) -> NDArray[np.int32]:
    """One number per colour; a gray value stays itself."""
    if pixels.ndim == 2:
        return pixels.astype(np.int32)
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    return np.where((blue == green) & (green == red), red, (red << 16) + (green << 8) + blue)


def _is_gray(pixels: NDArray[Any]) -> bool:
    return pixels.ndim == 2 or bool((pixels == pixels[..., :1]).all())


def draw_annotation(
    folder: str | Path, name: str, image: Image, mask: Mask, *, margin: int = 2
) -> list[Path]:
    """Writes what PixelAnnotationTool would write for a radiograph whose hand is known.

    Markers are drawn inside and outside, a margin away from the outline; the watershed of the radiograph
    finds the outline between them.

    Args:
        folder: Where to; it is made if it is missing.
        name: The case_id.
        image: 2-D uint8 or uint16.
        mask: The hand, 2-D bool of the same size.
        margin: Pixels that the markers keep from the outline.

    Returns:
        The files: NAME_mask.png (markers), NAME_color_mask.png and NAME_watershed_mask.png.

    Raises:
        AnnotationError: The sizes differ, or the mask leaves no room for markers on both sides.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    inside, outside = (cv2.erode(part.astype(np.uint8), kernel) for part in (mask, ~mask))
    if not inside.any() or not outside.any():
        raise AnnotationError(name, f"no room for markers {margin} pixels inside and outside of the mask")
    markers = inside * np.uint8(_HAND) + outside * np.uint8(_BACKGROUND)
    labels = flood(image, markers).astype(np.uint8)  # the lines' -1 becomes 255, as in the tool
    colors = np.full((*labels.shape, 3), 255, np.uint8)
    for label, (red, green, blue) in _COLORS.items():
        colors[labels == label] = (blue, green, red)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "_mask.png": encode_png(markers),
        "_color_mask.png": cv2.imencode(".png", colors)[1].tobytes(),
        "_watershed_mask.png": encode_png(labels),
    }
    paths = [folder / f"{name}{suffix}" for suffix in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        write_whole(path, content)
    return paths
