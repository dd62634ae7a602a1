"""Is the phantoms' age in their bones, or is there a shortcut?

The report's CNN and ridge regression learn the age of the same phantoms and are scored on 300 unseen ones.
Ridge sees the sex, the outline's area and box, mean gray levels and a 32 x 32 picture: once the radiograph's,
once the hand's as the CNN sees it (cut out along the true outline, turned upright). Its penalty is
the one that does best on the very cases that it is scored on, so ridge is flattered, if anything.

Exits 1 unless ridge's mean absolute difference on radiographs is at least twice the CNN's. For the hand cut
out there is no such bar: what ridge sees there is bone, too.

    python benchmarks/phantom_shortcuts.py [--train 1700] [--epochs 12] [--side 64]     3 minutes on 2 cores
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from boneage_imaging.alignment import alignment_matrix
from boneage_imaging.contrast import invert, stretch
from boneage_imaging.geometry import warp
from boneage_imaging.masks import apply_mask
from boneage_imaging.phantom import draw_case
from boneage_imaging.polarity import is_inverted

TEST_CASES = 300
LEAST_RATIO = 2.0
CNN, RIDGE = "report's CNN", "ridge, radiograph"
PENALTIES = 10.0 ** np.arange(-1, 8)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """What the two learners get of one phantom."""

    age_months: float
    sex: float
    hand: NDArray[np.uint8]
    measures: Floats
    thumbnail: Floats


def prepare(seed: int, index: int, side: int) -> Case:
    """Draw a phantom, measure it as ridge does, cut its hand out as the CNN wants it."""
    cv2.setNumThreads(1)
    phantom = draw_case(seed, index)
    image = invert(phantom.image) if is_inverted(phantom.image, phantom.mask) else phantom.image
    matrix = alignment_matrix(phantom.mask, (side, side))
    cut = apply_mask(stretch(image), phantom.mask)
    sex = 1.0 if phantom.male else -1.0
    rows, columns = np.flatnonzero(phantom.mask.any(axis=1)), np.flatnonzero(phantom.mask.any(axis=0))
    box = (rows[0], rows[-1], columns[0], columns[-1], np.ptp(rows), np.ptp(columns))
    grays = (phantom.image.mean(), phantom.image[phantom.mask].mean(), phantom.image[~phantom.mask].mean())
    measures = np.array([sex, phantom.mask.mean(), *box, *grays], np.float32)
    return Case(phantom.age_months, sex, warp(cut, matrix, (side, side)), measures, shrink(phantom.image))


def shrink(image: NDArray[np.uint8]) -> Floats:
    return cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()


def draw_cases(seed: int, count: int, side: int, workers: int) -> list[Case]:
    with get_context("spawn").Pool(workers) as pool:
        return pool.starmap(prepare, [(seed, index, side) for index in range(count)], chunksize=20)


def ridge(train: tuple[Floats, Floats], test: tuple[Floats, Floats]) -> float:
    """The least MAD over all penalties."""
    (x, y), (unseen, truth) = train, test
    middle, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    x, unseen = (x - middle) / spread, (unseen - middle) / spread
    gram, moment = x.T @ x, x.T @ (y - y.mean())
    predictions = [
        unseen @ np.linalg.solve(gram + penalty * np.eye(len(gram)), moment) + y.mean()
        for penalty in PENALTIES
    ]
    return min(float(np.abs(prediction - truth).mean()) for prediction in predictions)


def train_cnn(train: list[Case], test: list[Case], epochs: int) -> float:
    """The MAD of the report's CNN after the last epoch: the product's recipe, without augmentation."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    from boneage_regression.training import RegressionRecipe

    keras.utils.set_random_seed(0)
    ages = np.array([case.age_months for case in train], np.float32)
    recipe = RegressionRecipe(epochs=epochs, dropout=0.0).fitted(ages, size=train[0].hand.shape)
    model = recipe.build_model()
    model.compile(optimizer=recipe.optimizer(-(-len(train) // recipe.batch_size)), loss=recipe.loss)
    target = np.stack([(ages - recipe.mean_months) / recipe.spread_months, [c.sex for c in train]], axis=1)
    model.fit(inputs(train), target, batch_size=recipe.batch_size, epochs=epochs, verbose=2)
    predicted = model.predict(inputs(test), verbose=0)[:, 0] * recipe.spread_months + recipe.mean_months
    return float(np.abs(predicted - [case.age_months for case in test]).mean())


def inputs(cases: list[Case]) -> dict[str, Any]:
    images = np.stack([case.hand for case in cases])[..., None].astype(np.float32)
    return {"image": images, "sex": np.array([[case.sex] for case in cases], np.float32)}


def score(train: list[Case], test: list[Case], epochs: int) -> dict[str, float]:
    """Learner to MAD in months."""
    y, truth = (np.array([case.age_months for case in cases], np.float32) for cases in (train, test))

    def features(cases: list[Case], *, hand: bool) -> Floats:
        return np.stack([np.append(c.measures, shrink(c.hand) if hand else c.thumbnail) for c in cases])

    return {
        "median guess": float(np.abs(truth - np.median(y)).mean()),
        RIDGE: ridge((features(train, hand=False), y), (features(test, hand=False), truth)),
        "ridge, hand cut out": ridge((features(train, hand=True), y), (features(test, hand=True), truth)),
        CNN: train_cnn(train, test, epochs),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=int, default=1700)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--side", type=int, default=64, help="of the CNN's input, in pixels")
    parser.add_argument("--seed", type=int, default=2019)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    cases = draw_cases(options.seed, options.train + TEST_CASES, options.side, options.workers)
    scores = score(cases[TEST_CASES:], cases[:TEST_CASES], options.epochs)
    for learner, mad in scores.items():
        print(f"{learner:22} MAD {mad:6.2f} months {mad / scores[CNN]:6.2f} times the CNN's")
    return 0 if scores[RIDGE] >= LEAST_RATIO * scores[CNN] else 1


if __name__ == "__main__":
    sys.exit(main())
