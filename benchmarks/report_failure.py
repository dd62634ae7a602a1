"""Why the 2019 report's regression failed: `python benchmarks/report_failure.py DATA FOLDER [--folds 0 1] [--table]`.

Its MAD was 45.97 months, no better than guessing. Here its network is trained as a first attempt trains it: Adam at
one rate, squared loss, months as they are for the target, no sex, raw radiographs. Then one thing is switched at a
time, at each of three rates: the target is scaled to mean 0 and deviation 1; the sex is given; the hand is prepared
(CLAHE, mask, aligned); and all three. Last comes our recipe: all three, Huber's loss, a rate that rises and falls,
weight decay, averaged weights.

What the report did not write down is ours in every row, so no row speaks of it: the first weights, the dense layer's
width, gray values scaled inside the network, augmentation, batches of 8, no dropout. Full precision, 128 x 128 pixels
(the report's 256 x 256 by `--size`), 24 epochs, about 45 CPU seconds a training.

DATA and FOLDER are those of `preprocessing_table.py`; what is prepared there is used here. The same command goes on; a
fold of all settings comes before the next fold. The held-out part is not read. Answers are nearly constant where their
standard deviation within a fold is under a tenth of the ages'. A network whose loss is no finite number any more has
no answers: then a row has fewer cases.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from annotated_cases import print_head
from fold_answers import Answers, Key, Training, make_parser, print_foot, read_answers, train_missing
from plain_recipe import PlainRecipe
from prepared_cases import FOLDS, Row, guess_medians, read_rows

from boneage_regression.metrics import mad
from boneage_regression.training import RegressionRecipe

EPOCHS = 24
RATES = (1e-2, 1e-3, 1e-4)
# Name, target scaled, sex given, preparation.
SWITCHES = (
    ("as it was", False, False, "raw"),
    ("target scaled", True, False, "raw"),
    ("sex given", False, True, "raw"),
    ("hand prepared", False, False, "align"),
    ("all three", True, True, "align"),
)
NEARLY_CONSTANT = 0.1


@dataclass(frozen=True)
class Setting:
    """A row of the table: what is switched, on what the network is trained, and how."""

    name: str
    preparation: str
    recipe: RegressionRecipe
    sex_given: bool


def list_settings(epochs: int) -> list[Setting]:
    plain = [make_plain(rate, epochs, *switches) for rate in RATES for switches in SWITCHES]
    ours = RegressionRecipe(architecture="report", epochs=epochs)
    return [*plain, Setting("our recipe", "align", ours, True)]


def make_plain(
    rate: float, epochs: int, name: str, is_scaled: bool, sex_given: bool, preparation: str
) -> Setting:
    recipe = PlainRecipe(
        architecture="report",
        epochs=epochs,
        learning_rate=rate,
        is_scaled=is_scaled,
        sex_given=sex_given,
    )
    return Setting(f"rate {rate:g}, {name}", preparation, recipe, sex_given)


def list_trainings(settings: list[Setting], given: argparse.Namespace) -> list[Training]:
    """In the order of their work: a fold of every setting first."""
    height, width = given.size
    table: Path = given.folder / f"failure-{height}x{width}-{given.epochs}-epochs.csv"
    return [
        Training(setting.name, setting.preparation, setting.recipe, fold, table)
        for fold in given.folds
        for setting in settings
    ]


def find_ages(setting: Setting, answers: dict[Key, Answers], rows: list[Row]) -> np.ndarray:
    """The ages told, months; NaN where a training is missing or broke down."""
    ages = np.full(len(rows), np.nan)
    for index, row in enumerate(rows):
        if found := answers.get((setting.name, row["fold"])):
            ages[index] = (found.known if setting.sex_given else found.unknown)[row["case_id"]]
    return ages


def print_setting(name: str, ages: np.ndarray, rows: list[Row], guess: np.ndarray) -> None:
    truth, folds = (np.array([row[key] for row in rows]) for key in ("age_months", "fold"))
    told = np.isfinite(ages)
    if not told.any():
        print(f"| {name} | 0 | - | - | - | |")
        return
    spread = spread_within(ages[told], folds[told])
    is_constant = spread < NEARLY_CONSTANT * spread_within(truth[told], folds[told])
    print(
        f"| {name} | {told.sum()} | {mad(ages[told], truth[told]):.2f} | {mad(guess[told], truth[told]):.2f} "
        f"| {spread:.2f} | {'nearly constant' if is_constant else 'they differ'} |"
    )


def spread_within(values: np.ndarray, folds: np.ndarray) -> float:
    """The standard deviation within a fold, averaged over the folds: each has a network of its own."""
    return float(np.mean([values[folds == fold].std() for fold in np.unique(folds)]))


def print_table(settings: list[Setting], trainings: list[Training], given: argparse.Namespace) -> None:
    size = tuple(given.size)
    rows, answers = read_rows(given.folder, "raw", size), read_answers(trainings)
    guess = guess_medians(rows)
    asked = [index for index, row in enumerate(rows) if row["fold"] in given.folds]
    own = [rows[index] for index in asked]
    print_head("setting", "cases", "MAD, months", "median guess", "sd of the answers", "answers")
    for setting in settings:
        print_setting(setting.name, find_ages(setting, answers, own), own, guess[asked])
    truth, folds = (np.array([row[key] for row in own]) for key in ("age_months", "fold"))
    print(
        f"\n{given.epochs} epochs. Standard deviation of the ages: {spread_within(truth, folds):.2f} months."
    )
    print_foot(trainings, answers, given.folder, size)


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--folds", type=int, nargs="+", choices=range(FOLDS), default=[0, 1])
    given = parser.parse_args()
    settings = list_settings(given.epochs)
    trainings = list_trainings(settings, given)
    if not given.table:
        train_missing(trainings, given)
    print_table(settings, trainings, given)


if __name__ == "__main__":
    main()
