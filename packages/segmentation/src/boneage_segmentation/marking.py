"""Where a drawing begins: a rough outline, strokes that were drawn elsewhere, or a hand's keypoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging import Image, Mask

from .drawings import Drawing, Method, Stroke
from .errors import AnnotationError
from .polygons import trace
from .watershed import fill_lines, find_background, flood

__all__ = ["list_keypoints", "mark_keypoints", "mark_outline", "mark_strokes", "read_keypoints"]

Points = dict[str, tuple[float, float]]
_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
_NAMES = ("wrist", *(f"{finger}{joint}" for finger in _FINGERS for joint in range(1, 5)))
_FIELDS = ("keypoints", "lefthand_kpts", "righthand_kpts")
# Of the palm's length, wrist to middle knuckle: a stroke that stays inside a finger; how far skin may be from it; how
# far the forearm is marked, and may go on.
_WITHIN, _AROUND, _FOREARM, _BEYOND = 0.1, 0.32, 0.4, 6.0
_TOLERANCE = 1.0
_WRONG = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError, ZeroDivisionError)


def mark_outline(mask: Mask, *, margin_px: float = Drawing.margin_px, method: Method = "grabcut") -> Drawing:
    """Begins with a rough outline, such as a network's.

    Args:
        mask: 2-D bool.
        margin_px: How far it may be wrong.
        method: How the skin line is found near it.
    """
    return Drawing((mask.shape[0], mask.shape[1]), method, tuple(trace(mask, _TOLERANCE)), margin_px)


def mark_strokes(image: Image, markers: NDArray[Any], *, method: Method = "grabcut") -> Drawing:
    """Begins with the markers of PixelAnnotationTool.

    Args:
        image: The radiograph, 2-D uint8 or uint16.
        markers: 2-D integers of its size: 0 where nothing was drawn, one label for the background and others
            for the hand. The background is the label that gets most of the picture's border.
        method: How the skin line is found between them.

    Raises:
        AnnotationError: The sizes differ, or there are fewer than two labels.
    """
    background = find_background(fill_lines(flood(image, markers), "markers"))
    hand = (markers != 0) & (markers != background)
    strokes = [Stroke("hand", rings) for rings in trace(hand)]
    strokes += [Stroke("background", rings) for rings in trace(markers == background)]
    return Drawing((image.shape[0], image.shape[1]), method, strokes=tuple(strokes))


def mark_keypoints(
    points: Mapping[str, tuple[float, float]], size: tuple[int, int], *, method: Method = "grabcut"
) -> Drawing:
    """Begins with a hand's keypoints: along the bones it is hand, far from all of them background.

    Args:
        points: (x, y) by name: wrist, thumb1 to thumb4, forefinger1 ... pinky_finger4, from knuckle to tip.
        size: (height, width) of the radiograph.
        method: How the skin line is found between them.
    """
    wrist, knuckle = np.array(points["wrist"]), np.array(points["middle_finger1"])
    palm = max(1.0, float(np.hypot(*(knuckle - wrist))))
    down = (wrist - knuckle) / palm
    lines = [
        np.array([points["wrist"], *(points[f"{finger}{joint}"] for joint in range(1, 5))])
        for finger in _FINGERS
    ]
    lines.append(np.array([wrist, wrist + _FOREARM * palm * down]))
    width = max(1, round(_WITHIN * palm))
    hand = [Stroke("hand", [line], width) for line in lines]
    near = _cover([*lines, np.array([wrist, wrist + _BEYOND * palm * down])], round(2 * _AROUND * palm), size)
    background = [Stroke("background", rings) for rings in trace(~near, _TOLERANCE)]
    return Drawing(size, method, strokes=(*background, *hand))


def _cover(lines: list[NDArray[np.float64]], width: int, size: tuple[int, int]) -> Mask:
    canvas = np.zeros(size, np.uint8)
    for line in lines:
        cv2.polylines(
            canvas, [np.rint(line).astype(np.int32)], isClosed=False, color=1, thickness=max(1, width)
        )
    return canvas.astype(bool)


def list_keypoints(data: bytes, name: str) -> set[str]:
    """The ids of the images that a file of COCO format has keypoints of.

    Args:
        data: The file's bytes.
        name: The file's name, for messages.

    Raises:
        AnnotationError: It is no such file.
    """
    try:
        return {str(entry["image_id"]) for entry in json.loads(data)["annotations"]}
    except _WRONG as error:
        raise _refuse(name, error) from error


def _refuse(name: str, error: Exception) -> AnnotationError:
    return AnnotationError(name, f"no keypoints as COCO has them: {type(error).__name__} {error}")


def read_keypoints(data: bytes, name: str, case_id: str, size: tuple[int, int]) -> Points | None:
    """Reads one hand's keypoints from a file of COCO format.

    Args:
        data: The file's bytes. Keypoints lie in `keypoints`, or in `lefthand_kpts` or `righthand_kpts`.
        name: The file's name, for messages.
        case_id: The `id` of its image.
        size: (height, width) of the radiograph; the points are scaled to it from the image's own.

    Returns:
        (x, y) by name; None if the file holds no such hand.

    Raises:
        AnnotationError: It is no such file.
    """
    try:
        facts = json.loads(data)
        own = {str(entry["id"]): entry for entry in facts["images"]}
        if case_id not in own:
            return None
        marked = [entry for entry in facts["annotations"] if str(entry["image_id"]) == case_id]
        scale = np.array([size[1] / own[case_id]["width"], size[0] / own[case_id]["height"]])
        for values in (entry.get(field, ()) for entry in marked for field in _FIELDS):
            if any(values):
                points = (np.array(values, float).reshape(len(_NAMES), 3)[:, :2] + 0.5) * scale - 0.5
                names = facts["categories"][0]["keypoints"]
                return {known: (float(x), float(y)) for known, (x, y) in zip(names, points, strict=True)}
    except _WRONG as error:
        raise _refuse(name, error) from error
    return None
