"""How well the hand is found on the annotated test part, as it is and under each stress alone.

    python benchmarks/segmentation_stress.py DATA [--model MODEL] [--inner] [--sheets FOLDER]

DATA: a folder with images/ID.png and, for the count of keypoints inside, hand_keypoints_coco.json. The shipped model by
default. The mask is the one that `boneage segment` gives, at the radiograph's own size. FOLDER, outside of the
repository, gets sheets of all radiographs with both outlines. With --inner it is not the test part, but the inner part
that chose epoch and threshold: to choose between models.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from alignment import wrap
from annotated_cases import KEYPOINTS, Row, find_keypoints, print_head, print_scores, read_annotated
from stresses import STRESSES

from boneage_cli.config import load_config
from boneage_imaging.alignment import orientation
from boneage_regression.folds import inner_part
from boneage_segmentation import Segmenter, default_model, jaccard
from boneage_segmentation.sheets import draw_sheet

SETTINGS = Path(__file__).with_name("segmentation.toml")
FAR = 25  # 12 pixels to each side
MOST_BEYOND = 0.002


def beyond(found: np.ndarray, outline: np.ndarray) -> float:
    """What was found further than 12 pixels from the hand, as a share of the hand."""
    near = cv2.dilate(outline.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (FAR, FAR)))
    return float((found & (near == 0)).sum() / outline.sum())


def turned_deg(found: np.ndarray, outline: np.ndarray) -> float:
    """How far upright by one is from upright by the other."""
    return abs(wrap(orientation(found).angle_deg - orientation(outline).angle_deg))


def print_details(rows: list[Row], plain: dict[str, np.ndarray]) -> None:
    """What else is to be known of the radiographs as they are: what does not belong to the hand, and its axis."""
    pairs = [(row["case_id"], plain[row["case_id"]], row["outline"]) for row in rows]
    outside = {case_id: beyond(*masks) for case_id, *masks in pairs}
    kept = [f"{case_id} {share:.1%}" for case_id, share in outside.items() if share > MOST_BEYOND]
    print(
        f"\nWith more than {MOST_BEYOND:.1%} of the hand's area further than {FAR // 2} pixels from it: {len(kept)}"
    )
    print(*kept, sep=", ")
    angles = [turned_deg(found, outline) for _, found, outline in pairs if found.any()]
    print(
        f"\nUpright by the mask against upright by the outline, degrees: median {np.median(angles):.2f}, "
        f"95th percentile {np.percentile(angles, 95):.2f}, most {max(angles):.2f}"
    )


def draw_sheets(folder: Path, rows: list[Row], plain: dict[str, np.ndarray]) -> None:
    """Six radiographs a sheet, outlined (red) and as found (green), the worst first."""
    folder.mkdir(parents=True, exist_ok=True)
    scored = sorted((jaccard(plain[row["case_id"]], row["outline"]), row["case_id"], row) for row in rows)
    hands = [
        (f"{case_id} {score:.3f}", row["image"], row["outline"], plain[case_id])
        for score, case_id, row in scored
    ]
    for start in range(0, len(hands), 6):
        (folder / f"sheet-{start // 6:02d}.png").write_bytes(draw_sheet(hands[start : start + 6]))


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", type=Path)
parser.add_argument("--model", type=Path, default=default_model())
parser.add_argument("--sheets", type=Path)
parser.add_argument("--inner", action="store_true")
given = parser.parse_args()
segmenter, rows = Segmenter.load(given.model), read_annotated(given.data, test=not given.inner)
if given.inner:
    share = load_config(SETTINGS, preset="standard").split.inner_share
    chosen = inner_part([row["case_id"] for row in rows], share)
    rows = [row for row in rows if row["case_id"] in chosen]
print_head("stress", "radiographs", "mean Jaccard", "median", "least", "under 0.85")
plain = {}
for name, stress in STRESSES.items():
    scores = []
    for row in rows:
        image, mask = stress(row["image"], row["outline"])
        found = segmenter.mask(image)
        scores.append(jaccard(found, mask))
        if name == "none":
            plain[row["case_id"]] = found
    print_scores(name, scores)
    if name == "none":
        worst = sorted(zip(scores, [row["case_id"] for row in rows], strict=True))[:5]
        for kind in sorted({kind for row in rows for kind in row["kinds"]}):
            print_scores(
                f"none, {kind}", [s for s, r in zip(scores, rows, strict=True) if kind in r["kinds"]]
            )
print(f"\nWorst, as they are: {', '.join(f'{case_id} {score:.3f}' for score, case_id in worst)}")
print_details(rows, plain)
if given.sheets:
    draw_sheets(given.sheets, rows, plain)
if (given.data / KEYPOINTS).exists():
    inside = total = 0
    for case_id, points in find_keypoints(given.data, rows).items():
        found = plain[case_id]
        x, y = np.rint(points).astype(int).T
        seen = (x >= 0) & (y >= 0) & (x < found.shape[1]) & (y < found.shape[0])
        total += len(points)
        inside += int(found[y[seen], x[seen]].sum())
    print(f"\nKeypoints inside: {inside} of {total}")
