"""The files of a folder of phantoms: its table of labels, its keypoints, and how it takes its place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from boneage_cli.errors import CallError, DataError
from boneage_cli.labels import read_labels, write_table
from boneage_sparkrun.place import Place

__all__ = ["check_place", "move_in", "write_tables"]

_FOLDERS = ("images", "outlines")
_LABELS = "labels.csv"
_KEYPOINTS = "keypoints.json"
_DESCRIPTION = "Hand phantoms, drawn by boneage"
_ID = re.compile(r"phantom-\d{5,}")
_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
_NAMES = ("wrist", *(f"{finger}{joint}" for finger in _FINGERS for joint in range(1, 5)))


def check_place(out: Path) -> None:
    """Makes sure that nothing but phantoms would be replaced.

    Raises:
        CallError: If there are other pictures, labels or keypoints.
    """
    for name in _FOLDERS:
        if (out / name).exists() and not (out / name).is_dir():
            raise _refusal(out / name)
        for path in sorted((out / name).glob("*")):
            if not _ID.fullmatch(path.stem):
                raise _refusal(path)
    for name, are_ours in ((_LABELS, _labels_are_ours), (_KEYPOINTS, _keypoints_are_ours)):
        if (out / name).exists() and not are_ours(out / name):
            raise _refusal(out / name)


def _refusal(path: Path) -> CallError:
    return CallError(f"{path} is no phantom's, and would be replaced; another OUT would do")


def _labels_are_ours(path: Path) -> bool:
    try:
        return all(_ID.fullmatch(case_id) for case_id in read_labels(path))
    except DataError:
        return False


def _keypoints_are_ours(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_bytes())["info"]["description"] == _DESCRIPTION)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_tables(folder: Path, records: list[dict[str, Any]], size: tuple[int, int]) -> None:
    """Writes labels and keypoints.

    Args:
        folder: Where to.
        records: What `folder_stages.apply_phantom` tells of each phantom.
        size: (height, width) of the pictures.
    """
    # Ages in full: a run on this folder must see the very cases of a run that draws them by itself.
    rows: list[tuple[object, ...]] = [(r["case_id"], r["age_months"], r["male"]) for r in records]
    write_table(folder / _LABELS, ("id", "boneage", "male"), rows)
    Place(folder / _KEYPOINTS).write_bytes(json.dumps(_coco(records, size), indent=1).encode())


def _coco(records: list[dict[str, Any]], size: tuple[int, int]) -> dict[str, Any]:
    """Keypoints as COCO has them: (x, y, visibility), 2 for in view and 1 for beyond the picture's edge."""
    ids = [record["case_id"] for record in records]
    return {
        "info": {"description": _DESCRIPTION, "version": "1.0"},
        "categories": [
            {
                "id": 1,
                "name": "hand",
                "supercategory": "hand",
                "keypoints": list(_NAMES),
                "skeleton": [[a + 1, b + 1] for finger in range(5) for a, b in _bones(finger)],
            }
        ],
        "images": [
            {"id": case_id, "file_name": f"{case_id}.png", "height": size[0], "width": size[1]}
            for case_id in ids
        ],
        "annotations": [_annotation(record, size) for record in records],
    }


def _bones(finger: int) -> list[tuple[int, int]]:
    first = 1 + 4 * finger
    return [(0, first), *((first + joint, first + joint + 1) for joint in range(3))]


def _annotation(record: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    points = json.loads(record["keypoints"])
    return {
        "id": record["case_id"],
        "image_id": record["case_id"],
        "category_id": 1,
        "bbox": json.loads(record["box"]),
        "area": record["area"],
        "iscrowd": 0,
        "num_keypoints": len(_NAMES),
        "keypoints": [value for name in _NAMES for value in _keypoint(points[name], size)],
    }


def _keypoint(point: list[float], size: tuple[int, int]) -> list[float]:
    y, x = point
    inside = -0.5 <= y < size[0] - 0.5 and -0.5 <= x < size[1] - 0.5
    return [round(x, 2), round(y, 2), 2 if inside else 1]


def move_in(new: Path, out: Path, *, aside: Path) -> None:
    """Puts a new set of phantoms into the place of an old one, the pictures first.

    Args:
        new: The folder with the new set, on the same file system.
        out: Where it shall be.
        aside: A folder that is to be thrown away, for the old pictures.
    """
    for name in _FOLDERS:
        if (out / name).exists():
            (out / name).rename(aside / f"old-{name}")
        (new / name).rename(out / name)
    for name in (_LABELS, _KEYPOINTS):
        (new / name).replace(out / name)
