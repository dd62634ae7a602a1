"""Masks as polygons: read and written as Supervisely does, drawn without growing or shrinking."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging import Mask
from boneage_imaging.codec import MAX_PIXELS
from boneage_imaging.errors import DecodeError
from boneage_imaging.header import check_pixels

from .errors import AnnotationError

__all__ = ["Rings", "check_corners", "draw_polygons", "read_polygons", "to_plain", "trace", "write_polygons"]

Rings = list[NDArray[np.float64]]
"""One polygon: its exterior and then its holes, each (corners, 2) of (x, y); a pixel's centre is a whole number."""

_SUPERSAMPLING = 4
_MAX_RASTER_SIDE = 16_000
_MAX_POLYGONS = 1000
_MAX_POLYGON_BYTES = 1 << 25


def read_polygons(data: bytes, name: str, size: tuple[int, int] | None = None) -> Mask:
    """Reads polygons in Supervisely's format as a mask.

    Args:
        data: The file's bytes.
        name: The file's name, for messages.
        size: (height, width) of the mask; None: the file's own.

    Returns:
        2-D bool: every object's exterior less its interior rings.

    Raises:
        AnnotationError: It is no such file, or its polygons cannot be.
    """
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
    check_corners(polygons, own, name)
    return draw_polygons(polygons, own, size or own)


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


def check_corners(polygons: Sequence[Rings], own: tuple[int, int], name: str) -> None:
    """Raises AnnotationError if a corner lies further outside of the picture than the picture is large."""
    height, width = own
    for corners in (ring for rings in polygons for ring in rings):
        near = (np.abs(corners - (width / 2, height / 2)) <= (1.5 * width, 1.5 * height)).all(axis=1)
        if not near.all():
            x, y = corners[~near][0]
            raise AnnotationError(
                name, f"a corner at ({x:g}, {y:g}) is far outside of its picture of {height} x {width}"
            )


def trace(mask: Mask, tolerance: float = 0.75) -> list[Rings]:
    """Traces a mask's regions as polygons, along the edges of its pixels.

    Args:
        mask: 2-D bool.
        tolerance: Pixels that a polygon may stray from the edge to have fewer corners.

    Returns:
        A polygon for each region, with its holes; corners in tenths of a pixel. Drawn again they give the mask,
        but for pixels at the edge.
    """
    fine = np.repeat(np.repeat(mask.astype(np.uint8), _SUPERSAMPLING, axis=0), _SUPERSAMPLING, axis=1)
    found, tree = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings = [_simplify(contour, tolerance) for contour in found]
    parents = [] if tree is None else tree[0, :, 3].tolist()
    return [
        [ring, *(rings[hole] for hole, parent in enumerate(parents) if parent == index)]
        for index, ring in enumerate(rings)
        if parents[index] < 0
    ]


def _simplify(contour: NDArray[Any], tolerance: float) -> NDArray[np.float64]:
    corners = cv2.approxPolyDP(contour, tolerance * _SUPERSAMPLING, True).reshape(-1, 2)
    return np.asarray(np.round((corners + 0.5) / _SUPERSAMPLING - 0.5, 1), np.float64)


def write_polygons(polygons: Sequence[Rings], size: tuple[int, int], facts: dict[str, Any]) -> bytes:
    """Writes polygons in Supervisely's format.

    Args:
        polygons: At least one.
        size: (height, width) of their picture.
        facts: What else the file shall tell, JSON-able; readers pass over it.

    Returns:
        The file's bytes: one line of JSON.
    """
    objects = [
        {
            "classTitle": "hand",
            "points": {"exterior": to_plain(rings[0]), "interior": [*map(to_plain, rings[1:])]},
        }
        for rings in polygons
    ]
    content = {"size": {"height": size[0], "width": size[1]}, **facts, "objects": objects}
    return (json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def to_plain(ring: NDArray[np.float64]) -> list[list[float]]:
    """Corners as plain numbers, in tenths of a pixel."""
    return [[int(v) if v == int(v) else round(v, 1) for v in corner] for corner in np.asarray(ring).tolist()]


def draw_polygons(polygons: Sequence[Rings], own: tuple[int, int], size: tuple[int, int]) -> Mask:
    """Draws polygons as a mask that is neither larger nor smaller than they are.

    Args:
        polygons: What is inside any of them is inside.
        own: (height, width) that their corners are for.
        size: (height, width) of the mask.

    Returns:
        2-D bool. A pixel belongs to it if at least half of it lies inside.
    """
    # Drawn directly, a polygon grows by half a pixel on all sides: so draw fine, and take area averages. It grows by
    # half a fine pixel still; so the share of a pixel that makes it hand is a little above a half.
    fine = max(1, min(_SUPERSAMPLING, _MAX_RASTER_SIDE // max(size)))
    canvas_size = (size[0] * fine, size[1] * fine)
    scale = np.array([canvas_size[1] / own[1], canvas_size[0] / own[0]])
    mask = np.zeros(canvas_size, np.uint8)
    for rings in polygons:
        # Vertices are pixel centres in the original.
        scaled = [((np.asarray(ring) + 0.5) * scale - 0.5) for ring in rings if len(ring)]
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
