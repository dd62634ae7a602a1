"""Outlines drawn by people: mask images, PixelAnnotationTool's files, polygons."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging import Image, Mask, encode_png
from boneage_imaging.codec import MAX_PIXELS, decode_colours
from boneage_imaging.errors import DecodeError
from boneage_imaging.geometry import resize
from boneage_imaging.header import check_pixels

from .errors import AnnotationError
from .files import write_whole

__all__ = ["draw_annotation", "find_outlines", "grow_markers", "read_outline"]

# Best first. The tool's own image NAME.png lies beside its NAME_..._mask.png, so a bare NAME.png comes last.
_SUFFIXES = ("_watershed_mask.png", "_color_mask.png", "_mask.png", ".json", ".png")
_HAND, _BACKGROUND = 24, 35  # "person" and "other" in the tool's own list of labels
_COLORS = {_HAND: (220, 20, 60), _BACKGROUND: (128, 128, 128)}
_SUPERSAMPLING = 4
_MAX_RASTER_SIDE = 16_000
_MAX_POLYGONS, _MAX_REGIONS = 1000, 64  # a hand's outline has a few
_MAX_POLYGON_BYTES = 1 << 25


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
        return _read_polygons(data, name, size)
    pixels = _decode(data, name)
    labels = _to_labels(pixels)
    if lower.endswith(("_watershed_mask.png", "_color_mask.png")):
        mask = _pick_hand(_fill_lines(labels, name), name)
    elif lower.endswith("_mask.png") and len(np.unique(labels[labels != 0])) > 1 and _is_gray(pixels):
        if image is None:
            raise AnnotationError(
                name, "it holds markers, not an outline; give NAME_watershed_mask.png, or the radiograph too"
            )
        mask = grow_markers(image, labels)
    else:
        mask = labels != 0
    return mask if size is None else resize(mask, size)


def grow_markers(image: Image, markers: NDArray[Any]) -> Mask:
    """Grows an outline from strokes by the watershed of the radiograph, as PixelAnnotationTool does.

    Args:
        image: 2-D uint8 or uint16.
        markers: 2-D integers of the same size: 0 where nothing was drawn, one label for the background and
            others for the hand. The background is the label that gets most of the picture's border.

    Returns:
        The hand, 2-D bool.

    Raises:
        AnnotationError: The sizes differ, or there are fewer than two labels.
    """
    return _pick_hand(_fill_lines(_flood(image, markers), "markers"), "markers")


def _flood(image: Image, markers: NDArray[Any]) -> NDArray[np.int32]:
    """OpenCV's watershed: labels, and -1 on the lines between regions and around the picture."""
    if markers.shape != image.shape:
        raise AnnotationError(
            "markers", f"they must have the radiograph's size {image.shape}; received {markers.shape}"
        )
    gray = image if image.dtype == np.uint8 else (image // 257).astype(np.uint8)
    return np.asarray(
        cv2.watershed(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), markers.astype(np.int32)), np.int32
    )


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


def _fill_lines(labels: NDArray[np.int32], name: str) -> NDArray[np.int32]:
    """Gives what is nowhere 3 x 3 pixels wide (lines, white or of stray colours) to the nearest region."""
    values, counts = np.unique(labels, return_counts=True)
    kernel = np.ones((3, 3), np.uint8)
    nearest = np.zeros(labels.shape, np.int32)
    least, regions = np.full(labels.shape, np.inf, np.float32), 0
    for value in values[counts >= kernel.size]:
        region = (labels == value).astype(np.uint8)
        if cv2.erode(region, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0).any():
            regions += 1
            if regions > _MAX_REGIONS:
                raise AnnotationError(name, f"more than {_MAX_REGIONS} regions: a photograph is no outline")
            distance = cv2.distanceTransform(1 - region, cv2.DIST_L2, 3)
            nearer = distance < least
            nearest[nearer], least[nearer] = value, distance[nearer]
    if regions < 2:
        raise AnnotationError(name, f"two regions are needed, hand and background; received {regions}")
    return nearest


def _pick_hand(labels: NDArray[np.int32], name: str) -> Mask:
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    values, counts = np.unique(border, return_counts=True)
    mask = np.asarray(labels != values[np.argmax(counts)])
    if not mask.any():
        raise AnnotationError(name, "no region beside the background")
    return mask


def _read_polygons(data: bytes, name: str, size: tuple[int, int] | None) -> Mask:
    if len(data) > _MAX_POLYGON_BYTES:
        raise AnnotationError(name, f"{len(data)} bytes; at most {_MAX_POLYGON_BYTES} are read")
    try:
        facts = json.loads(data)
        own = (int(facts["size"]["height"]), int(facts["size"]["width"]))
        polygons = [
            [np.asarray(ring, np.float64).reshape(-1, 2) for ring in _rings(entry["points"])]
            for entry in facts["objects"]
        ]
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise AnnotationError(name, f"no polygons as Supervisely writes them: {_fault(error)}") from error
    if min(own) < 1 or not 1 <= len(polygons) <= _MAX_POLYGONS:
        raise AnnotationError(
            name, f"size {own} with {len(polygons)} polygons; 1 to {_MAX_POLYGONS} would do"
        )
    try:
        check_pixels(size or own, MAX_PIXELS)
    except DecodeError as error:
        raise AnnotationError(name, error.reason) from error
    _check_corners(polygons, own, name)
    return _rasterize(polygons, own, size or own)


def _fault(error: Exception) -> str:
    """What is wrong with a file of polygons, for a person."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not written in UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON: {error}"
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return "size with height and width, and objects with points, exterior and interior, would do"


def _rings(points: dict[str, Any]) -> Iterable[Any]:
    return [points["exterior"], *points.get("interior", [])]


def _check_corners(polygons: list[list[NDArray[np.float64]]], own: tuple[int, int], name: str) -> None:
    """Raises AnnotationError if a corner lies further outside of the picture than the picture is large."""
    height, width = own
    for corners in (ring for rings in polygons for ring in rings):
        near = (np.abs(corners - (width / 2, height / 2)) <= (1.5 * width, 1.5 * height)).all(axis=1)
        if not near.all():
            x, y = corners[~near][0]
            raise AnnotationError(
                name, f"a corner at ({x:g}, {y:g}) is far outside of its picture of {height} x {width}"
            )


def _rasterize(
    polygons: list[list[NDArray[np.float64]]], own: tuple[int, int], size: tuple[int, int]
) -> Mask:
    """Draws fine and takes area averages: drawn directly, a polygon grows by half a pixel on all sides.

    It grows by half a fine pixel still; so the share of a pixel that makes it hand is a little above a half.
    """
    fine = max(1, min(_SUPERSAMPLING, _MAX_RASTER_SIDE // max(size)))
    canvas_size = (size[0] * fine, size[1] * fine)
    scale = np.array([canvas_size[1] / own[1], canvas_size[0] / own[0]])
    mask = np.zeros(canvas_size, np.uint8)
    for rings in polygons:
        # Vertices are pixel centres in the original.
        scaled = [((ring + 0.5) * scale - 0.5) for ring in rings if ring.size]
        if scaled:
            _draw(mask, scaled)
    shares = cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_AREA)  # of 255
    return np.asarray(shares >= 255 * (0.5 + 0.48 / fine))


def _draw(mask: NDArray[np.uint8], rings: list[NDArray[np.float64]]) -> None:
    """Adds one polygon, points (x, y), to a mask; only its own box is touched."""
    corners = np.concatenate(rings)
    last = (mask.shape[1] - 1, mask.shape[0] - 1)
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, last)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, last)
    box = mask[top : bottom + 1, left : right + 1]
    canvas = np.zeros(box.shape, np.uint8)
    # All rings in one call: even-odd, so holes stay open. In sixteenths of a pixel.
    fixed = [np.rint((ring - (left, top)) * 16).astype(np.int32) for ring in rings]
    cv2.fillPoly(canvas, fixed, 255, shift=4)
    box |= canvas


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
    labels = _flood(image, markers).astype(np.uint8)  # the lines' -1 becomes 255, as in the tool
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
