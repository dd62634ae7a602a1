"""How well hands are turned upright: hand-drawn outlines x 24 rotations x mirrored or not.

Usage: python benchmarks/alignment.py DATA

DATA holds `polygons/<id>.json` (Supervisely) and `hand_keypoints_coco.json` of radiographs of the RSNA
Pediatric Bone Age Challenge. The truth is the direction from the wrist to the middle finger's knuckle.
Exits 1 when a bound is missed.
"""

import argparse
import hashlib
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from boneage_imaging.alignment import orientation
from boneage_imaging.geometry import apply_points, compose, rotation_matrix, similarity_matrix

ANGLES_DEG = range(0, 360, 15)
LONG_SIDE = 512  # pixels of the untouched picture
MEDIAN_DEG, P95_DEG = 2.0, 6.0  # the bounds; and none upside down


@dataclass(frozen=True)
class Outline:
    """One hand, drawn around by hand; points (x, y) in the original's pixels."""

    case_id: str
    size: tuple[int, int]
    rings: tuple[np.ndarray, ...]
    keypoints: dict[str, np.ndarray]

    @property
    def is_fitted(self) -> bool:
        """Whether the weights of boneage_imaging.alignment were fitted on it."""
        return int(hashlib.sha256(self.case_id.encode()).hexdigest(), 16) % 2 == 0


def read_outlines(data: Path) -> list[Outline]:
    """Every outline that has keypoints, in the order of the ids."""
    coco = json.loads((data / "hand_keypoints_coco.json").read_text())
    names = coco["categories"][0]["keypoints"]
    sizes = {image["id"]: (image["height"], image["width"]) for image in coco["images"]}
    outlines = []
    for note in sorted(coco["annotations"], key=lambda note: int(note["image_id"])):
        path = data / "polygons" / f"{note['image_id']}.json"
        if not path.exists():
            continue
        drawn = json.loads(path.read_text())
        size = (drawn["size"]["height"], drawn["size"]["width"])
        side = "lefthand_kpts" if note["lefthand_valid"] else "righthand_kpts"
        height, width = sizes[note["image_id"]]
        points = np.array(note[side], float).reshape(-1, 3)[:, :2] * (size[1] / width, size[0] / height)
        rings = [
            np.array(ring, float)
            for part in drawn["objects"]
            for ring in (part["points"]["exterior"], *part["points"]["interior"])
        ]
        outlines.append(Outline(path.stem, size, tuple(rings), dict(zip(names, points, strict=True))))
    return outlines


def place(outline: Outline, angle_deg: float, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """A hand's mask as if its picture had been mirrored and turned, with nothing cut off; and the map."""
    scale = LONG_SIDE / max(outline.size)
    small = (round(outline.size[0] * scale), round(outline.size[1] * scale))
    shrink = similarity_matrix(
        source_xy=((outline.size[1] - 1) / 2, (outline.size[0] - 1) / 2),
        target_xy=((small[1] - 1) / 2, (small[0] - 1) / 2),
        scale=scale,
        mirror=mirrored,
    )
    turn, size = rotation_matrix(small, angle_deg)
    matrix = compose(shrink, turn)
    mask = np.zeros(size, np.uint8)
    rings = [np.round(apply_points(matrix, ring) * 256).astype(np.int32) for ring in outline.rings]
    cv2.fillPoly(mask, rings, 1, shift=8)
    return mask.astype(bool), matrix


def true_angle(outline: Outline, matrix: np.ndarray) -> float:
    """How far the hand is turned, counter-clockwise, after a map."""
    wrist, knuckle = apply_points(matrix, [outline.keypoints["wrist"], outline.keypoints["middle_finger1"]])
    return math.degrees(math.atan2(wrist[0] - knuckle[0], wrist[1] - knuckle[1]))


def fit_ellipse(mask: np.ndarray) -> float:
    """The 2019 report's way: the major axis of an ellipse fitted to the contour; it has no upper end."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    _, (first, second), angle = cv2.fitEllipseDirect(max(contours, key=cv2.contourArea))
    # OpenCV's angle turns the ellipse's first axis clockwise from the x axis.
    return wrap(-angle if second >= first else 90 - angle)


def wrap(angle_deg: float) -> float:
    return (angle_deg + 180) % 360 - 180


def measure(outlines: list[Outline]) -> Iterator[tuple[Outline, float, float, float]]:
    """Outline, our error, the ellipse's error (degrees) and our seconds, for each picture."""
    for outline in outlines:
        for mirrored in (False, True):
            for angle in ANGLES_DEG:
                mask, matrix = place(outline, angle, mirrored)
                truth = true_angle(outline, matrix)
                begin = time.process_time()
                found = orientation(mask).angle_deg
                seconds = time.process_time() - begin
                yield outline, abs(wrap(found - truth)), abs(wrap(fit_ellipse(mask) - truth)), seconds


def row(name: str, errors: np.ndarray) -> str:
    median, p95 = np.percentile(errors, [50, 95])
    return f"{name:44}{len(errors):9}{median:8.2f}{p95:8.2f}{errors.max():8.2f}{(errors > 90).sum():12}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    cv2.setNumThreads(1)
    results = list(measure(read_outlines(parser.parse_args().data)))
    ours, ellipse, seconds = np.array([result[1:] for result in results]).T
    fitted = np.array([outline.is_fitted for outline, *_ in results])
    print(f"{'errors in degrees':44}{'pictures':>9}{'median':>8}{'p95':>8}{'max':>8}{'upside down':>12}")
    print(row("boneage_imaging.orientation", ours))
    print(row("  outlines its weights were fitted on", ours[fitted]))
    print(row("  outlines never seen", ours[~fitted]))
    print(row("ellipse, ends told apart by chance", ellipse))
    print(row("ellipse, ends told apart by the truth", np.minimum(ellipse, 180 - ellipse)))
    print(
        f"{1000 * np.median(seconds):.1f} ms of processor time per mask of about {LONG_SIDE} pixels (median)"
    )
    median, p95 = np.percentile(ours, [50, 95])
    return 0 if median <= MEDIAN_DEG and p95 <= P95_DEG and not (ours > 90).any() else 1


if __name__ == "__main__":
    sys.exit(main())
