"""Whether the map of what an age rests on can be believed.

    python benchmarks/saliency.py DATA [--model MODEL] [--count 100] [--sheet FILE]

On radiographs of the training part (DATA/images/ID.png, DATA/labels.csv), drawn by chance, always the same:

- The tenth of the hand's pixels that moves the age most in one direction, as the map says, is covered. Against that,
  tenths by chance are covered by the same blur, five of each kind: of the same grain (the strongest tenths of maps
  whose values are drawn), and of the same shape (that very tenth moved and mirrored by chance, filled up around). The
  strongest must move the age 3 times as much, by the median of the ratios and by the ratio of the medians.
- In a copy of the graph the weights of all dense layers are shuffled (Adebayo et al. 2018, "Sanity Checks for Saliency
  Maps"). The copy's map must be another: the rank correlation with the model's, signs left out, lower by at least 0.3
  than that of the model's map after noise of 1 % of white was added to its input.

The shipped model by default. FILE, outside of the repository, gets a sheet of the first hands: as they are, their maps,
and the strongest tenths covered. Exits 1 where a must is missed.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import onnx
from annotated_cases import ROOT, print_head

from boneage_cli.heatmaps import lay_over, scale_months
from boneage_cli.labels import read_labels
from boneage_cli.predictor import Predictor
from boneage_imaging.codec import encode_colours
from boneage_imaging.geometry import resize
from boneage_regression import Regressor, in_test
from boneage_regression.inference import open_session
from boneage_regression.model_folder import GRAPH
from boneage_regression.saliency import PARTS, cover, divide, find_hand, saliency_map, strongest_part

DRAWS = 5  # of each kind, a hand
LEAST_RATIO, LEAST_DROP = 3.0, 0.3
NOISE_GRAY = 2.55
KINDS = ("same grain", "same shape")
SHEET_HANDS, SHEET_SIDE = 24, 256


@dataclass(frozen=True)
class Hand:
    """What was measured on one: moves in months, correlations of ranks, seconds of its map."""

    strongest: float
    expected: bool
    by_chance: dict[str, float]
    noised: tuple[float, float]
    randomised: tuple[float, float]
    seconds: float
    pictures: np.ndarray


def read_hands(data: Path, predictor: Predictor) -> Iterator[tuple[np.ndarray, str | None]]:
    """The prepared hands of the training part, each with its sex, in an order drawn by chance."""
    labels = read_labels(data / "labels.csv")
    paths = [data / "images" / f"{case_id}.png" for case_id in sorted(labels) if not in_test(case_id)]
    paths = [path for path in paths if path.is_file()]
    sexes = {True: "M", False: "F", None: None}
    for index in np.random.default_rng(0).permutation(len(paths)):
        sex = sexes[labels[paths[index].stem].male]
        prepared = predictor.examine(paths[index].read_bytes(), sex=sex).prepared
        if prepared is not None:
            yield prepared, sex


def move(part: np.ndarray, hand: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A part of the same shape elsewhere: at least half of it in the hand, the rest filled up around that."""
    while True:
        moved = np.roll(part, rng.integers(0, part.shape), (0, 1))
        moved = moved[:, ::-1] if rng.random() < 0.5 else moved
        if 2 * (moved & hand).sum() >= part.sum():
            return nearest_pixels(moved & hand, hand, part.sum())


def nearest_pixels(part: np.ndarray, hand: np.ndarray, count: int) -> np.ndarray:
    """So many of the hand's pixels: those of the part, then those nearest to it."""
    distances = cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return strongest_part(1 / (1 + distances), hand, count / hand.sum())


def chance(strongest: np.ndarray, hand: np.ndarray, rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Tenths by chance, of both kinds."""
    parts = divide(hand, PARTS)
    drawn = [np.tensordot(rng.standard_normal(len(parts)), parts, 1) for _ in range(DRAWS)]
    return {
        "same grain": [strongest_part(months, hand) for months in drawn],
        "same shape": [move(strongest, hand, rng) for _ in range(DRAWS)],
    }


def randomise(folder: Path, rng: np.random.Generator) -> Regressor:
    """The model with the weights of all its dense layers shuffled."""
    model = onnx.load(folder / GRAPH)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    shuffled = 0
    for node in model.graph.node:
        if node.op_type in ("MatMul", "Gemm"):
            name = node.input[1]
            while name in makers:  # weights may be stored in half precision
                name = makers[name].input[0]
            weights = onnx.numpy_helper.to_array(tensors[name])
            mixed = rng.permutation(weights.ravel()).reshape(weights.shape)
            tensors[name].CopyFrom(onnx.numpy_helper.from_array(mixed, name))
            shuffled += 1
    if not shuffled:
        sys.exit(f"{folder / GRAPH} has no dense layer whose weights could be shuffled")
    with tempfile.TemporaryDirectory() as scratch:
        onnx.save(model, Path(scratch) / GRAPH)
        return Regressor(Regressor.load(folder).metadata, open_session(Path(scratch) / GRAPH))


def rank_correlations(one: np.ndarray, other: np.ndarray, hand: np.ndarray) -> tuple[float, float]:
    """Spearman's, over the hand: of the maps, and of their sizes without signs."""
    return correlate(one[hand], other[hand]), correlate(np.abs(one[hand]), np.abs(other[hand]))


def correlate(one: np.ndarray, other: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(values, kind="stable")) for values in (one, other)]
    return float(np.corrcoef(ranks)[0, 1])


def measure(
    regressor: Regressor, shuffled: Regressor, image: np.ndarray, sex: str | None, rng: np.random.Generator
) -> Hand:
    hand = find_hand(image)
    started = time.perf_counter()
    months = saliency_map(regressor, image, sex)
    seconds = time.perf_counter() - started
    strongest = strongest_part(months, hand)
    tenths = {"strongest": [strongest], **chance(strongest, hand, rng)}
    covered = cover(image, np.stack([part for parts in tenths.values() for part in parts]))
    moves = regressor.ages(covered, sex) - regressor.ages(image[None], sex)
    noisy = np.clip(np.rint(image + rng.normal(0, NOISE_GRAY, image.shape)), 1, 255).astype(np.uint8) * hand
    return Hand(
        abs(float(moves[0])),
        bool(moves[0] * months[strongest].sum() > 0),
        {kind: float(np.abs(moves[1 + DRAWS * at :][:DRAWS]).mean()) for at, kind in enumerate(KINDS)},
        rank_correlations(months, saliency_map(regressor, noisy, sex), hand),
        rank_correlations(months, saliency_map(shuffled, image, sex), hand),
        seconds,
        draw(image, months, covered[0]),
    )


def draw(image: np.ndarray, months: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """The hand, its map, its strongest tenth covered, side by side."""
    size = (SHEET_SIDE, round(SHEET_SIDE * image.shape[1] / image.shape[0]))
    gray, over, blurred = (resize(picture, size) for picture in (image, months, covered))
    map_over_hand = lay_over(gray, over, scale_months(months))
    return np.hstack([np.stack([gray] * 3, axis=2), map_over_hand, np.stack([blurred] * 3, axis=2)])


def print_moves(hands: Sequence[Hand]) -> bool:
    strongest = np.array([hand.strongest for hand in hands])
    print_head(
        "covered, a tenth of the hand",
        "months that the age moves, median",
        "median of the ratios",
        "ratio of the medians",
    )
    print(f"| the strongest by the map | {np.median(strongest):.2f} | | |")
    reached = True
    for kind in KINDS:
        chance_moves = np.array([hand.by_chance[kind] for hand in hands])
        ratio = float(np.median(strongest / np.maximum(chance_moves, 1e-6)))
        of_medians = float(np.median(strongest) / max(np.median(chance_moves), 1e-6))
        print(f"| by chance, {kind} | {np.median(chance_moves):.2f} | {ratio:.2f} | {of_medians:.2f} |")
        reached &= min(ratio, of_medians) >= LEAST_RATIO
    expected = sum(hand.expected for hand in hands)
    print(f"\nAt least {LEAST_RATIO:g} times: {'reached' if reached else 'MISSED'}, {len(hands)} hands.")
    print(f"The age moved in the map's direction in {expected} of {len(hands)}.\n")
    return reached


def print_sanity(hands: Sequence[Hand]) -> bool:
    noised, randomised = (
        np.median([getattr(hand, name) for hand in hands], axis=0) for name in ("noised", "randomised")
    )
    print("| rank correlation with the map, median | with signs | without |\n|---|---|---|")
    print(f"| of the input with noise | {noised[0]:.3f} | {noised[1]:.3f} |")
    print(f"| of the graph with shuffled dense layers | {randomised[0]:.3f} | {randomised[1]:.3f} |")
    reached = bool(noised[1] - randomised[1] >= LEAST_DROP)
    print(f"\nLower by {LEAST_DROP:g} at least, without signs: {'reached' if reached else 'MISSED'}.")
    return reached


def write_sheet(path: Path, hands: Sequence[Hand]) -> None:
    rows = [
        np.hstack([hand.pictures for hand in hands[start : start + 2]]) for start in range(0, len(hands), 2)
    ]
    full = [row for row in rows if row.shape == rows[0].shape]
    path.write_bytes(encode_colours(np.vstack(full)))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, help="run or model folder; the shipped model by default")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    if given.sheet and ROOT in given.sheet.resolve().parents:
        sys.exit(f"{given.sheet} is in the repository, where no radiograph may be; another place would do")
    rng = np.random.default_rng(0)
    predictor = Predictor(given.model)
    shuffled = randomise(predictor.folder, rng)
    hands = [
        measure(predictor.regressor, shuffled, image, sex, rng)
        for image, sex in islice(read_hands(given.data, predictor), given.count)
    ]
    reached = [print_moves(hands), print_sanity(hands)]
    print(f"{np.median([hand.seconds for hand in hands]):.2f} s a map (median).")
    if given.sheet:
        write_sheet(given.sheet, hands[:SHEET_HANDS])
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
