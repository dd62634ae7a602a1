"""Outlines for radiographs that nobody outlined: what a model finds in seven views of each, averaged.

    python benchmarks/segmentation_consensus.py DATA OUT [--model MODEL]

DATA: a folder with images/ID.png. OUT gets a mask ID.png for each radiograph of the training part without an outline in
annotations/: to train a network on first, before the outlines that were looked at. Radiographs of whose hand a
view disagrees with the mean are left out.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from annotated_cases import OUTLINES

from boneage_imaging import (
    binarize,
    decode,
    encode_png,
    fill_holes,
    flip,
    hand_component,
    invert_matrix,
    rotation_matrix,
)
from boneage_imaging.geometry import warp
from boneage_regression.folds import in_test
from boneage_segmentation import Segmenter, default_model, jaccard

ANGLES_DEG = (-24, -12, 12, 24)
CROPPED, LEAST_AGREEMENT = 0.1, 0.9
Plane = np.ndarray


def turned(image: Plane, angle_deg: float) -> tuple[Plane, Callable[[Plane], Plane]]:
    matrix, size = rotation_matrix(image.shape, angle_deg)
    ground = float(np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])))
    back = invert_matrix(matrix)
    return warp(image, matrix, size, fill=ground), lambda found: warp(found, back, image.shape)


def cropped(image: Plane, mask: Plane) -> tuple[Plane, Callable[[Plane], Plane]]:
    """To the hand, and a tenth of its length around it."""
    places = np.argwhere(mask)
    margin = int(CROPPED * np.ptp(places, axis=0).max())
    first, last = np.maximum(places.min(axis=0) - margin, 0), places.max(axis=0) + margin + 1
    part = (slice(first[0], last[0]), slice(first[1], last[1]))

    def back(found: Plane) -> Plane:
        whole = np.zeros(image.shape, np.float32)
        whole[part] = found
        return whole

    return np.ascontiguousarray(image[part]), back


def views(image: Plane, mask: Plane) -> Iterator[tuple[Plane, Callable[[Plane], Plane]]]:
    yield flip(image), flip
    yield cropped(image, mask)
    for angle_deg in ANGLES_DEG:
        yield turned(image, angle_deg)


def clean(probability: Plane, threshold: float) -> Plane:
    return fill_holes(hand_component(binarize(probability, threshold)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, default=default_model())
    given = parser.parse_args()
    given.out.mkdir(parents=True)
    segmenter = Segmenter.load(given.model)
    paths = [
        path
        for path in sorted((given.data / "images").glob("*.png"))
        if not in_test(path.stem) and not (OUTLINES / f"{path.stem}.json").exists()
    ]
    left_out = []
    for path in paths:
        image = decode(path.read_bytes())
        seen = [segmenter.probability(image)]
        first = clean(seen[0], segmenter.threshold)
        if first.any():
            seen += [back(segmenter.probability(view)) for view, back in views(image, first)]
        mask = clean(np.mean(seen, axis=0), segmenter.threshold)
        agreement = min(jaccard(clean(one, segmenter.threshold), mask) for one in seen)
        if not mask.any() or agreement < LEAST_AGREEMENT:
            left_out.append(f"{path.stem} {agreement:.2f}")
        else:
            (given.out / f"{path.stem}.png").write_bytes(encode_png(mask))
    print(f"{len(paths) - len(left_out)} outlined, {len(left_out)} left out:", *left_out)


if __name__ == "__main__":
    main()
