"""How well the hand is found on the annotated test part, as it is and under each stress alone.

    python benchmarks/segmentation_stress.py DATA [--model MODEL] [--inner] [--sheets FOLDER]

DATA: a folder with images/ID.png and, for the count of keypoints inside, hand_keypoints_coco.json. The shipped model by
default. The mask is the one that `boneage segment` gives, at the radiograph's own size. FOLDER, outside of the
repository, gets sheets of all radiographs with both outlines. With --inner it is not the test part, but the inner part
that chose epoch and threshold: to choose between models.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from alignment import wrap
from annotated_cases import KEYPOINTS, Row, find_keypoints, print_head, print_scores, read_annotated

from boneage_cli.config import load_config
from boneage_imaging import flip, rotate
from boneage_imaging.alignment import orientation
from boneage_imaging.geometry import resize
from boneage_regression.folds import inner_part
from boneage_segmentation import Segmenter, default_model, jaccard
from boneage_segmentation.sheets import draw_sheet

Pair = tuple[np.ndarray, np.ndarray]
SETTINGS = Path(__file__).with_name("segmentation.toml")
FAR = 25  # 12 pixels to each side
MOST_BEYOND = 0.002


def ground(image: np.ndarray) -> float:
    """The gray level of the radiograph's border."""
    return float(np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])))


def turn(image: np.ndarray, mask: np.ndarray, angle_deg: float) -> Pair:
    return rotate(image, angle_deg, fill=ground(image)), rotate(mask, angle_deg)


def mirror(image: np.ndarray, mask: np.ndarray) -> Pair:
    return flip(image), flip(mask)


def curve(image: np.ndarray, mask: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> Pair:
    """Changes gray values, 0 to 1."""
    return np.rint(255 * np.clip(change(image / 255), 0, 1)).astype(np.uint8), mask


def raise_contrast(image: np.ndarray, mask: np.ndarray, times: float) -> Pair:
    """Away from the radiograph's mean, or towards it."""
    mean = image.mean() / 255
    return curve(image, mask, lambda v: mean + (v - mean) * times)


def noise(image: np.ndarray, mask: np.ndarray) -> Pair:
    return curve(image, mask, lambda v: v + np.random.default_rng(0).normal(0, 0.05, v.shape))


def blur(image: np.ndarray, mask: np.ndarray) -> Pair:
    return cv2.GaussianBlur(image, (0, 0), 3), mask


def quarter(image: np.ndarray, mask: np.ndarray) -> Pair:
    size = tuple(round(side / 4) for side in image.shape)
    return resize(image, size), resize(mask, size)


def compress(image: np.ndarray, mask: np.ndarray) -> Pair:
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 20))
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), mask


def paste_markers(image: np.ndarray, mask: np.ndarray) -> Pair:
    """A letter, a tag with writing and a ring, in white, where no hand is."""
    image, rng, side = image.copy(), np.random.default_rng(0), max(image.shape)
    far = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    size = side // 16
    for kind in ("letter", "tag", "ring"):
        places = np.argwhere(far > 1.2 * size)
        if not len(places):
            places = np.argwhere(far >= far.max() - 1)
        y, x = map(int, places[rng.integers(len(places))])
        if kind == "letter":
            cv2.putText(
                image,
                "L",
                (x - size // 3, y + size // 3),
                cv2.FONT_HERSHEY_SIMPLEX,
                size / 30,
                255,
                size // 8,
            )
        elif kind == "tag":
            cv2.rectangle(image, (x - size // 2, y - size // 4), (x + size // 2, y + size // 4), 235, -1)
            cv2.putText(image, "12 03", (x - size // 2, y + 5), cv2.FONT_HERSHEY_SIMPLEX, size / 90, 0, 1)
        else:
            cv2.circle(image, (x, y), size // 3, 255, size // 10)
    return np.where(mask, 0, image).astype(np.uint8) + np.where(mask, image, 0).astype(np.uint8), mask


def add_border(image: np.ndarray, mask: np.ndarray, gray: int) -> Pair:
    wide = max(image.shape) // 10
    sides = ((wide, wide), (wide, wide))
    return np.pad(image, sides, constant_values=gray), np.pad(mask, sides)


def deepen(image: np.ndarray, mask: np.ndarray) -> Pair:
    """16 bit, the lower ones noise."""
    low = np.random.default_rng(0).integers(0, 256, image.shape)
    return (image.astype(np.uint16) * 256 + low).astype(np.uint16), mask


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


STRESSES = {
    "none": lambda image, mask: (image, mask),
    **{f"turned by {angle}": partial(turn, angle_deg=angle) for angle in range(30, 360, 30)},
    "mirrored": mirror,
    "inverted": partial(curve, change=lambda v: 1 - v),
    "gamma 0.5": partial(curve, change=lambda v: v**0.5),
    "gamma 2": partial(curve, change=lambda v: v**2),
    "contrast halved": partial(raise_contrast, times=0.5),
    "contrast times 1.5": partial(raise_contrast, times=1.5),
    "noise, 5 % of white": noise,
    "blurred by 3 pixels": blur,
    "a quarter of the size": quarter,
    "JPEG, quality 20": compress,
    "pasted markers": paste_markers,
    "white border": partial(add_border, gray=255),
    "black border": partial(add_border, gray=0),
    "16 bit": deepen,
}

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
