"""Fit the weights that boneage_imaging.alignment carries.

Usage: python benchmarks/alignment_weights.py DATA

DATA as for `alignment.py`. Copies of the outlines with even sha256(id) are turned, mirrored, cut through the
forearm, robbed of fingertips, frayed, or closed to mittens. Ridge regression (balance) and logistic
regression (evidence) on these give the weights, which are printed for a person to paste. The seed is fixed:
same data, same weights.
"""

import argparse
import math
import sys
from pathlib import Path

import alignment as benchmark
import cv2
import numpy as np

from boneage_imaging import alignment
from boneage_imaging.errors import AlignmentError
from boneage_imaging.geometry import apply_points

COPIES = 28
DAMAGES = ("", "cut", "tips", "fray", "cut fray", "cut tips fray", "close")
TIPS = ("thumb4", "forefinger4", "middle_finger4", "ring_finger4", "pinky_finger4")
JITTER_DEG = 7.0
RIDGE = 0.01


def depth(mask):
    """Distance to the outline: positive inside, negative outside."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return inside - outside


def cut(mask, points, unit, truth, rng):
    """Cut the forearm off, not far below the wrist, along a line of any slant."""
    rows, columns = np.indices(mask.shape)
    x, y = points["wrist"]
    slant = math.radians(truth + rng.uniform(-50, 50))
    up = (x - columns) * math.sin(slant) + (y - rows) * math.cos(slant)
    return mask & (up > -unit * rng.uniform(0.15, 1.2))


def blunt(mask, points, unit, rng):
    """Take one to three fingertips away."""
    canvas = mask.astype(np.uint8)
    for tip in rng.choice(TIPS, rng.integers(1, 4), replace=False):
        cv2.circle(
            canvas, tuple(int(value) for value in points[tip]), int(unit * rng.uniform(0.1, 0.4)), 0, -1
        )
    return canvas.astype(bool)


def fray(mask, unit, rng):
    """Move the outline in and out at random, as a poor segmentation does."""
    noise = cv2.GaussianBlur(rng.normal(size=mask.shape).astype(np.float32), (0, 0), 0.03 * unit)
    return depth(mask) > unit * (rng.uniform(0, 0.05) * noise / noise.std() + rng.uniform(-0.04, 0.04))


def close(mask, unit, rng):
    """Fill the gaps between the fingers."""
    radius = unit * rng.uniform(0.1, 0.5)
    padding = math.ceil(radius)
    grown = depth(np.pad(mask, padding)) > -radius
    return (depth(grown) > radius)[padding:-padding, padding:-padding]


def damage(outline, kind, rng):
    """A damaged mask and its true angle."""
    mask, matrix = benchmark.place(outline, rng.uniform(0, 360), bool(rng.integers(2)))
    truth = benchmark.true_angle(outline, matrix)
    points = {name: apply_points(matrix, point)[0] for name, point in outline.keypoints.items()}
    unit = math.dist(points["wrist"], points["middle_finger1"])
    if "close" in kind:
        mask = close(mask, unit, rng)
    if "cut" in kind:
        mask = cut(mask, points, unit, truth, rng)
    if "tips" in kind:
        mask = blunt(mask, points, unit, rng)
    if "fray" in kind:
        mask = fray(mask, unit, rng)
    return mask, truth


def samples(outlines, rng):
    """Measured shape and true angle of each copy; masks beyond measure are left out."""
    for outline in outlines:
        for copy in range(COPIES):
            kind = DAMAGES[copy % len(DAMAGES)]
            mask, truth = damage(outline, kind, rng)
            try:
                yield alignment._measure(mask), truth
            except AlignmentError:
                continue


def fit_balance(shapes, rng):
    """Ridge regression from the rows' moments to the degrees that are still missing."""
    moments, missing = [], []
    for shape, truth in shapes:
        for off in rng.normal(0, JITTER_DEG, 4):
            moments.append(alignment._moments(shape, truth - off)[1:-1])
            missing.append(off)
    features, targets = np.array(moments), np.array(missing)
    size = np.sqrt((features**2).mean(axis=0))
    scaled = features / size
    weights = np.linalg.solve(
        scaled.T @ scaled + RIDGE * len(scaled) * np.eye(scaled.shape[1]), scaled.T @ targets
    )
    return np.concatenate([[0.0], weights / size, [0.0]])


def fit_evidence(shapes):
    """Logistic regression without intercept: the right balance against each of the wrong ones."""
    rows = []
    for shape, truth in shapes:
        right = alignment._balanced(shape, truth)
        try:
            others = [angle for angle in alignment._balances(shape) if alignment._apart(angle, right) > 15]
        except AlignmentError:
            continue
        rows += [alignment._evidence(shape, right) - alignment._evidence(shape, other) for other in others]
    features = np.array(rows)
    size = np.sqrt((features**2).mean(axis=0))
    scaled = features / size
    weights = np.zeros(scaled.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-scaled @ weights))
        slope = scaled.T @ (1 - chance) / len(scaled) - RIDGE * weights
        bend = (scaled * (chance * (1 - chance))[:, None]).T @ scaled / len(scaled)
        weights = weights + np.linalg.solve(bend + RIDGE * np.eye(len(weights)), slope)
    return weights / size


def report(outlines, rng):
    """Errors by kind of damage on outlines that the weights never saw."""
    print(
        f"{'unseen outlines, damaged':30}{'median':>8}{'p95':>8}{'max':>8}{'upside down':>12}{'refused':>9}"
    )
    for kind in (*DAMAGES, "close cut"):
        errors, refused = [], 0
        for outline in outlines:
            for _ in range(4):
                mask, truth = damage(outline, kind, rng)
                try:
                    errors.append(abs(benchmark.wrap(alignment.orientation(mask).angle_deg - truth)))
                except AlignmentError:
                    refused += 1
        median, p95 = np.percentile(errors, [50, 95])
        down = sum(error > 90 for error in errors)
        print(f"{kind or 'as drawn':30}{median:8.2f}{p95:8.2f}{max(errors):8.2f}{down:12}{refused:9}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    outlines = benchmark.read_outlines(parser.parse_args().data)
    shapes = list(samples([outline for outline in outlines if outline.is_fitted], rng))
    alignment._BALANCE_WEIGHTS = fit_balance(shapes, rng)
    alignment._EVIDENCE_WEIGHTS = fit_evidence(shapes)
    print("_BALANCE_WEIGHTS", alignment._BALANCE_WEIGHTS.round(1).tolist())
    print("_EVIDENCE_WEIGHTS", alignment._EVIDENCE_WEIGHTS.round(2).tolist())
    report([outline for outline in outlines if not outline.is_fitted], rng)
    return 0


if __name__ == "__main__":
    sys.exit(main())
