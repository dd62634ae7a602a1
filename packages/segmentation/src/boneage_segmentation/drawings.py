"""How one outline is drawn: markers, a method, and corrections, kept in a small file and replayed.

The same radiograph and the same file give the same mask.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging import Image, Mask, fill_holes, smooth
from boneage_imaging.codec import MAX_PIXELS
from boneage_imaging.errors import DecodeError
from boneage_imaging.header import check_pixels

from .errors import AnnotationError
from .growing import BACKGROUND, HAND, UNKNOWN, doubt, grow
from .polygons import Rings, check_corners, draw_polygons, to_plain

__all__ = ["Drawing", "Method", "Stroke", "draw_mask", "read_drawing", "write_drawing"]

Label = Literal["hand", "background", "unknown"]
Method = Literal["grabcut", "watershed", "outline"]
_LABELS = {"hand": HAND, "background": BACKGROUND, "unknown": UNKNOWN}
_MIDDLE = 0.6  # of the way in
_SPUR = 2.5  # of the rounding: half as thick is what no finger is
_SLIVER_PX = 5
_BLUR_PX, _FARTHEST_PX = 1.5, 4.0
_MAX_CORNERS = 200_000
_MAX_BYTES = 1 << 24


@dataclass(frozen=True)
class Stroke:
    """A marker.

    Attributes:
        label: What lies under it; `unknown` takes back what is marked there.
        rings: Corners (x, y), a pixel's centre being a whole number.
        width_px: Of the line through the corners; 0: what the rings enclose is marked, less their holes.
    """

    label: Label
    rings: Rings
    width_px: int = 0


@dataclass(frozen=True)
class Drawing:
    """How an outline is drawn.

    Attributes:
        size: (height, width) of the radiograph.
        method: How the skin line is found between markers: by GrabCut or by watershed; `outline`: it is `start`.
        start: A rough outline to begin with; deeper than `margin_px` inside it is hand, further outside background.
        margin_px: How far it may be wrong.
        strokes: Markers, the later over the earlier.
        smooth_px: How much the outline is rounded.
        outward_px: How far the line is moved outwards at last. GrabCut and watershed find the slope; the skin line is
            its foot, a little further out.
        add: Polygons that are hand, whatever was found.
        remove: Polygons that are not; before `add`.
        facts: What else is known of it, JSON-able: how it was drawn, in words, who looked at it.
    """

    size: tuple[int, int]
    method: Method = "grabcut"
    start: tuple[Rings, ...] = ()
    margin_px: float = 8.0
    strokes: tuple[Stroke, ...] = ()
    smooth_px: float = 1.5
    outward_px: float = 0.0
    add: Rings = field(default_factory=list)
    remove: Rings = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def draw_mask(image: Image, drawing: Drawing) -> Mask:
    """Draws the mask that a drawing describes.

    Args:
        image: The radiograph, 2-D uint8 or uint16.
        drawing: How.

    Returns:
        The hand: one region without holes (but for `remove`), 2-D bool.

    Raises:
        AnnotationError: The radiograph's size is another, or no hand is marked.
    """
    if image.shape != drawing.size:
        raise AnnotationError("drawing", f"it is for a radiograph of {drawing.size}; received {image.shape}")
    start = draw_polygons(drawing.start, drawing.size, drawing.size)
    if drawing.method == "outline":
        grown = start
    else:
        markers = _mark(image, start, drawing)
        if not (markers == HAND).any() or not (markers == BACKGROUND).any():
            raise AnnotationError("drawing", "both hand and background must be marked")
        found = fill_holes(_main_region(grow(image, markers, drawing.method), markers))
        rounded = smooth(_cut_spurs(found, drawing.smooth_px), drawing.smooth_px)
        grown = fill_holes(_move_out(rounded, drawing.outward_px))
    for ring in drawing.remove:
        grown &= ~draw_polygons([[ring]], drawing.size, drawing.size)
    if drawing.remove:  # what a polygon just missed
        grown = _open(grown, _SLIVER_PX)
    for ring in drawing.add:
        grown |= draw_polygons([[ring]], drawing.size, drawing.size)
    if not grown.any():
        raise AnnotationError("drawing", "no hand is left; a start, strokes or polygons to add would do")
    return _main_region(grown, None)


def _mark(image: Image, start: Mask, drawing: Drawing) -> NDArray[np.uint8]:
    markers = np.full(drawing.size, UNKNOWN, np.uint8)
    if start.any():
        markers[start & _is_deep(start, drawing.margin_px)] = HAND
        markers[~start & _is_deep(~start, drawing.margin_px)] = BACKGROUND
        markers = doubt(image, markers, 2 * drawing.margin_px)
    for stroke in drawing.strokes:
        markers[_cover(stroke, drawing.size)] = _LABELS[stroke.label]
    return markers


def _is_deep(mask: Mask, margin_px: float) -> Mask:
    """Where a mask is at least a margin deep; a thin finger, or cleft, is nowhere, and there its middle counts."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)  # the picture's border is no end
    reach = 2 * int(np.ceil(margin_px)) + 1
    deepest = cv2.dilate(depth, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    return np.asarray(depth > np.minimum(margin_px, _MIDDLE * deepest))


def _cover(stroke: Stroke, size: tuple[int, int]) -> Mask:
    if stroke.width_px == 0:
        return draw_polygons([stroke.rings], size, size)
    canvas = np.zeros(size, np.uint8)
    for ring in stroke.rings:
        corners = np.rint(ring).astype(np.int32)
        cv2.polylines(canvas, [corners], isClosed=False, color=1, thickness=stroke.width_px)
    return canvas.astype(bool)


def _cut_spurs(mask: Mask, smooth_px: float) -> Mask:
    """Cuts off what is too thin for a hand: bits of a frame, above all along the picture's border."""
    return _open(mask, 2 * round(_SPUR * smooth_px) + 1)


def _open(mask: Mask, side: int) -> Mask:
    """Drops what no disc of that width fits into; the picture's border counts as an edge."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    core = cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return cv2.dilate(core, kernel).astype(bool)


def _move_out(mask: Mask, by_px: float) -> Mask:
    """Moves a mask's edge by a part of a pixel: where its Gaussian mean has that of a straight edge so far out."""
    if by_px == 0:
        return mask
    mean = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _BLUR_PX, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(mean >= 0.5 * math.erfc(by_px / (_BLUR_PX * math.sqrt(2))))


def _main_region(mask: Mask, markers: NDArray[np.uint8] | None) -> Mask:
    """The largest region; with markers, every region that holds some hand marker."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return mask
    if markers is None:
        return np.asarray(labels == 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA])))
    marked = np.unique(labels[(markers == HAND) & mask])
    return np.asarray(np.isin(labels, marked[marked > 0]))


def write_drawing(drawing: Drawing) -> bytes:
    """Writes a drawing as a small JSON file.

    Returns:
        The file's bytes.
    """
    content: dict[str, Any] = {
        "size": {"height": drawing.size[0], "width": drawing.size[1]},
        "method": drawing.method,
        "margin_px": float(drawing.margin_px),
        "smooth_px": float(drawing.smooth_px),
        "outward_px": float(drawing.outward_px),
        **drawing.facts,
    }
    lines = [f' "{key}": {_compact(value)}' for key, value in content.items()]
    parts: dict[str, list[Any]] = {
        "strokes": [
            {"label": s.label, "width_px": s.width_px, "rings": [*map(to_plain, s.rings)]}
            for s in drawing.strokes
        ],
        "remove": [*map(to_plain, drawing.remove)],
        "add": [*map(to_plain, drawing.add)],
        "start": [[*map(to_plain, rings)] for rings in drawing.start],
    }
    for key, values in parts.items():
        if values:
            lines.append(f' "{key}": [\n  ' + ",\n  ".join(map(_compact, values)) + "\n ]")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _compact(value: Any) -> str:
    return json.dumps(
        value, ensure_ascii=False, separators=(", ", ": ") if isinstance(value, dict) else (",", ":")
    )


def read_drawing(data: bytes, name: str) -> Drawing:
    """Reads a drawing.

    Args:
        data: The file's bytes.
        name: The file's name, for messages.

    Raises:
        AnnotationError: It is none, or says what cannot be.
    """
    if len(data) > _MAX_BYTES:
        raise AnnotationError(name, f"{len(data)} bytes; at most {_MAX_BYTES} are read")
    try:
        facts = dict(json.loads(data))
        size = facts.pop("size")
        drawing = Drawing(
            size=(int(size["height"]), int(size["width"])),
            method=facts.pop("method", Drawing.method),
            start=tuple([*map(_ring, rings)] for rings in facts.pop("start", ())),
            margin_px=float(facts.pop("margin_px", Drawing.margin_px)),
            strokes=tuple(
                Stroke(entry["label"], [*map(_ring, entry["rings"])], int(entry.get("width_px", 0)))
                for entry in facts.pop("strokes", ())
            ),
            smooth_px=float(facts.pop("smooth_px", Drawing.smooth_px)),
            outward_px=float(facts.pop("outward_px", Drawing.outward_px)),
            add=[*map(_ring, facts.pop("add", ()))],
            remove=[*map(_ring, facts.pop("remove", ()))],
            facts=facts,
        )
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise AnnotationError(name, f"no drawing: {type(error).__name__} {error}") from error
    _check(drawing, name)
    return drawing


def _ring(corners: Any) -> NDArray[np.float64]:
    return np.asarray(corners, np.float64).reshape(-1, 2)


def _check(drawing: Drawing, name: str) -> None:
    if min(drawing.size) < 1:
        raise AnnotationError(name, f"size {drawing.size}; 1 pixel or more each way would do")
    try:
        check_pixels(drawing.size, MAX_PIXELS)
    except DecodeError as error:
        raise AnnotationError(name, f"size {drawing.size}: {error.reason}") from error
    if drawing.method not in get_args(Method):
        raise AnnotationError(name, f"method {drawing.method!r}; {', '.join(get_args(Method))} would do")
    labels = {stroke.label for stroke in drawing.strokes}
    if not labels <= set(get_args(Label)):
        raise AnnotationError(
            name, f"strokes labelled {sorted(map(str, labels))}; hand, background and unknown would do"
        )
    if any(not 0 <= stroke.width_px <= max(drawing.size) for stroke in drawing.strokes):
        raise AnnotationError(name, "a stroke's width_px must be from 0 to the picture's long side")
    if not (0 <= drawing.margin_px <= max(drawing.size) and 0 <= drawing.smooth_px <= 50):
        raise AnnotationError(
            name,
            f"margin_px {drawing.margin_px:g} and smooth_px {drawing.smooth_px:g}; 0 to {max(drawing.size)}, "
            "and 0 to 50, would do",
        )
    if not abs(drawing.outward_px) <= _FARTHEST_PX:
        raise AnnotationError(
            name, f"outward_px {drawing.outward_px:g}; -{_FARTHEST_PX:g} to {_FARTHEST_PX:g} would do"
        )
    rings = [ring for stroke in drawing.strokes for ring in stroke.rings]
    rings += [ring for polygon in drawing.start for ring in polygon] + drawing.add + drawing.remove
    if sum(map(len, rings)) > _MAX_CORNERS:
        raise AnnotationError(name, f"more than {_MAX_CORNERS} corners")
    check_corners([rings], drawing.size, name)
