"""What is found where no hand is: `python benchmarks/segmentation_no_hand.py [--model MODEL]`.

100 pictures drawn by chance, 25 of each: blank (one gray, a slope, a vignette), noise of several grains, pages of text,
photograph-like scenes (a skyline, blobs and shadows). At least 95 must give an empty mask, none the whole picture.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from annotated_cases import print_head

from boneage_segmentation import Segmenter, default_model

EACH = 25
TEXT = "the bone age of this child was read after the atlas by one reader and is given in months"


def blank(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / max(size)
    slope, bowl = rng.normal(0, 40, 2), rng.normal(0, 60)
    values = rng.uniform(10, 245) + slope[0] * x + slope[1] * y + bowl * ((x - 0.4) ** 2 + (y - 0.5) ** 2)
    return values + rng.normal(0, rng.uniform(0, 3), size)


def noise(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    grain = cv2.GaussianBlur(rng.normal(0, 1, size), (0, 0), float(rng.choice([0.3, 1, 3, 8])))
    return 128 + grain / grain.std() * rng.uniform(15, 60)


def text(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    page, scale = np.full(size, 245, np.uint8), rng.uniform(0.4, 0.9)
    for y in range(30, size[0] - 10, int(36 * scale)):
        line = " ".join(rng.choice(TEXT.split(" "), 14))
        cv2.putText(page, line, (20, y), cv2.FONT_HERSHEY_SIMPLEX, scale, 20, 1 + int(scale > 0.6))
    return page if rng.random() < 0.5 else 255 - page


def scene(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    y = np.mgrid[0 : size[0], 0 : size[1]][0] / size[0]
    view = 220 - 120 * y
    for _ in range(rng.integers(4, 14)):
        corner = rng.integers(0, size[::-1])
        sides = rng.integers(20, max(size) // 3, 2)
        cv2.rectangle(view, tuple(map(int, corner)), tuple(map(int, corner + sides)), rng.uniform(0, 255), -1)
    for _ in range(rng.integers(2, 8)):
        axes = tuple(map(int, rng.integers(15, max(size) // 5, 2)))
        centre = tuple(map(int, rng.integers(0, size[::-1])))
        cv2.ellipse(view, centre, axes, rng.uniform(0, 180), 0, 360, rng.uniform(0, 255), -1)
    return cv2.GaussianBlur(view, (0, 0), 2) + rng.normal(0, 4, size)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", type=Path, default=default_model())
given = parser.parse_args()
segmenter = Segmenter.load(given.model)
print_head("pictures", "count", "empty masks", "largest share called hand")
empty, largest = 0, 0.0
for draw in (blank, noise, text, scene):
    shares = []
    for seed in range(EACH):
        rng = np.random.default_rng([seed, len(draw.__name__)])
        size = (int(rng.integers(300, 800)), int(rng.integers(300, 800)))
        picture = np.clip(draw(rng, size), 0, 255).astype(np.uint8)
        shares.append(float(segmenter.mask(picture).mean()))
    print(f"| {draw.__name__} | {EACH} | {shares.count(0.0)} | {max(shares):.3f} |", flush=True)
    empty, largest = empty + shares.count(0.0), max(largest, *shares)
print(f"\nEmpty: {empty} of {4 * EACH} (at least 95); largest share: {largest:.3f}")
sys.exit(empty < 95 or largest > 0.99)
