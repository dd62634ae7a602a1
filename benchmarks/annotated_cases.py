"""Real radiographs with the outlines in annotations/, and the tables of Jaccard indices made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from provenance import describe

from boneage_imaging import decode
from boneage_regression.folds import in_test
from boneage_segmentation import read_outline
from boneage_segmentation.marking import read_keypoints

ROOT = Path(__file__).parents[1]
OUTLINES = ROOT / "annotations" / "outlines"
KEYPOINTS = "hand_keypoints_coco.json"
Row = dict[str, Any]


def read_annotated(data: Path, *, test: bool) -> list[Row]:
    """The annotated radiographs of the test part, or of the training part: case_id, image, outline, kinds.

    Args:
        data: A folder with images/ID.png.
        test: Which part.
    """
    rows = []
    for path in sorted(OUTLINES.glob("*.json")):
        if in_test(path.stem) is test:
            image = decode((data / "images" / f"{path.stem}.png").read_bytes())
            content = path.read_bytes()
            outline = read_outline(content, path.name, image.shape)
            kinds = json.loads(content)["kinds"]
            rows.append({"case_id": path.stem, "image": image, "outline": outline, "kinds": kinds})
    return rows


def find_keypoints(data: Path, rows: list[Row]) -> dict[str, np.ndarray]:
    """The keypoints of those radiographs that have some, (n, 2): x, y in their pixels."""
    content, found = (data / KEYPOINTS).read_bytes(), {}
    for row in rows:
        points = read_keypoints(content, KEYPOINTS, row["case_id"], row["image"].shape)
        if points is not None:
            found[row["case_id"]] = np.array(list(points.values()))
    return found


def print_head(*columns: str) -> None:
    """When, at which commit; and the table's head."""
    print(f"{describe()}\n")
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))


def print_scores(name: str, scores: list[float]) -> None:
    """A row: count, mean, median, least, how many under 0.85."""
    array = np.array(scores)
    print(
        f"| {name} | {len(array)} | {array.mean():.4f} | {np.median(array):.4f} | {array.min():.4f} "
        f"| {(array < 0.85).sum()} |",
        flush=True,
    )
