"""Regions grown from markers by the watershed of the radiograph."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging import Image, Mask

from .errors import AnnotationError

__all__ = ["fill_lines", "find_background", "flood", "grow_markers", "pick_hand"]

_MAX_REGIONS = 64  # a hand's outline has a few


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
    return pick_hand(fill_lines(flood(image, markers), "markers"), "markers")


def flood(image: Image, markers: NDArray[Any]) -> NDArray[np.int32]:
    """Floods a radiograph from markers, by OpenCV's watershed.

    Args:
        image: 2-D uint8 or uint16.
        markers: 2-D integers of the same size: 0 where nothing was drawn, and labels.

    Returns:
        A label for each pixel; -1 on the lines between regions and around the picture.

    Raises:
        AnnotationError: The sizes differ.
    """
    if markers.shape != image.shape:
        raise AnnotationError(
            "markers", f"they must have the radiograph's size {image.shape}; received {markers.shape}"
        )
    gray = image if image.dtype == np.uint8 else (image // 257).astype(np.uint8)
    return np.asarray(
        cv2.watershed(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), markers.astype(np.int32)), np.int32
    )


def fill_lines(labels: NDArray[np.int32], name: str) -> NDArray[np.int32]:
    """Gives what is nowhere 3 x 3 pixels wide (lines, white or of stray colours) to the nearest region.

    Args:
        labels: 2-D, a label for each pixel.
        name: The file's name, for messages.

    Returns:
        The labels without lines.

    Raises:
        AnnotationError: There are fewer than two regions, or more than an outline has.
    """
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


def pick_hand(labels: NDArray[np.int32], name: str) -> Mask:
    """Takes for background the label that holds most of the picture's border, and the rest for hand.

    Args:
        labels: 2-D, a label for each pixel.
        name: The file's name, for messages.

    Returns:
        The hand, 2-D bool.

    Raises:
        AnnotationError: All is background.
    """
    mask = np.asarray(labels != find_background(labels))
    if not mask.any():
        raise AnnotationError(name, "no region beside the background")
    return mask


def find_background(labels: NDArray[np.int32]) -> int:
    """The label that holds most of the picture's border."""
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    values, counts = np.unique(border, return_counts=True)
    return int(values[np.argmax(counts)])
