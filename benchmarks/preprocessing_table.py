"""What CLAHE, masking and aligning bring: `python benchmarks/preprocessing_table.py DATA FOLDER [--table]`.

The report's open question, for its network and for ours, at 128 x 128 pixels: four preparations, each adding one thing
to the one before; 5 folds of the training part (the held-out part is not read); 3 seeds. All of a network's have the
same recipe, the same first weights and order by seed; nothing was trained before, and nothing is chosen. Raw
radiographs are letterboxed; they too are turned positive and take their gray range from the hand.

Both networks have the same batch size, learning rates and augmentation, and not as many epochs but about the same time,
45 to 50 CPU seconds a training on one thread: 32 epochs of the report's (5 seconds, and 1.3 an epoch) and 9 of ours (10
seconds, and 4.5 an epoch). With `--epochs` both have as many. So the table compares preparations, not networks: ours is
far from fully trained.

DATA holds `images/` and `labels.csv`. FOLDER keeps what is prepared and what each network told of its own fold. The
same command goes on; whole seeds come first, and in them folds. Two processes may run at once, each with an
`--architectures` of its own. `--table` trains nothing.

In the table a case's error is averaged over the seeds. Where trainings are missing, a fold of a seed counts only if
all four preparations have it. The differences are of the mean absolute error, months, below 0 better, with the 95 %
interval of a paired bootstrap over cases (2,000 draws), not corrected for how many are looked at. It covers the draw
of cases; how networks differ, the deviation over the seeds tells.
"""

import argparse

import numpy as np
from annotated_cases import print_head
from fold_answers import Answers, Key, Training, make_parser, print_foot, read_answers, train_missing
from prepared_cases import FOLDS, PREPARATIONS, Row, guess_medians, read_rows

from boneage_regression.calibration import MAX_AGE_MONTHS
from boneage_regression.metrics import bias, bootstrap_interval, mad
from boneage_regression.training import RegressionRecipe

EPOCHS = {"report": 32, "boneage": 9}
SEEDS = (0, 1, 2)
COLUMNS = (
    "network",
    "preparation",
    "cases",
    "answers",
    "MAD, months",
    "sd over seeds",
    "MAD without the sex",
)


def list_trainings(given: argparse.Namespace) -> list[Training]:
    """In the order of their work, so that what is there is balanced whenever it ends."""
    return [
        make_training(given, architecture, preparation, seed, fold)
        for seed in given.seeds
        for fold in range(FOLDS)
        for preparation in PREPARATIONS
        for architecture in given.architectures
    ]


def make_training(
    given: argparse.Namespace, architecture: str, preparation: str, seed: int, fold: int
) -> Training:
    epochs = given.epochs or EPOCHS[architecture]
    recipe = RegressionRecipe(
        architecture=architecture,
        epochs=epochs,
        batch_size=8,
        learning_rate=1e-3,
        precision="mixed_bfloat16",
        monitor=None,
        seed=seed,
    )
    height, width = given.size
    table = given.folder / f"preprocessing-{architecture}-{height}x{width}-{epochs}-epochs.csv"
    return Training(name_training(architecture, preparation, seed), preparation, recipe, fold, table)


def name_training(architecture: str, preparation: str, seed: int) -> str:
    return f"{architecture}, {preparation}, seed {seed}"


def find_errors(
    answers: dict[Key, Answers], architecture: str, seeds: list[int], rows: list[Row], *, with_sex: bool
) -> np.ndarray:
    """Absolute errors, months, (preparation, seed, case); NaN for all where one preparation has none."""
    errors = np.full((len(PREPARATIONS), len(seeds), len(rows)), np.nan)
    for i, preparation in enumerate(PREPARATIONS):
        for j, seed in enumerate(seeds):
            name = name_training(architecture, preparation, seed)
            for k, row in enumerate(rows):
                if found := answers.get((name, row["fold"])):
                    told = (found.known if with_sex else found.unknown)[row["case_id"]]
                    errors[i, j, k] = abs(np.clip(told, 0, MAX_AGE_MONTHS) - row["age_months"])
    errors[:, np.isnan(errors).any(axis=0)] = np.nan
    return errors


def average_seeds(errors: np.ndarray) -> np.ndarray:
    """The mean over the seeds that there are, (preparation, case); cases without any are left out."""
    return np.nanmean(errors[:, :, ~np.isnan(errors).all(axis=(0, 1))], axis=1)


def tell_scatter(errors: np.ndarray) -> list[str]:
    """Each preparation's standard deviation of the MAD over those seeds that told every case."""
    whole = errors[:, ~np.isnan(errors).any(axis=(0, 2))].mean(axis=2)
    return [f"{mads.std(ddof=1):.2f}" if len(mads) > 1 else "-" for mads in whole]


def compare(own: np.ndarray, other: np.ndarray) -> str:
    """The mean difference of paired errors, its interval, and what that shows."""
    low, high = bootstrap_interval(own, other, bias)
    shown = "better" if high < 0 else "worse" if low > 0 else "no difference shown"
    return f"{bias(own, other):+.2f} ({low:+.2f} to {high:+.2f}): {shown}"


def print_network(answers: dict[Key, Answers], architecture: str, seeds: list[int], rows: list[Row]) -> None:
    errors, blind = (
        find_errors(answers, architecture, seeds, rows, with_sex=with_sex) for with_sex in (True, False)
    )
    if np.isnan(errors).all():
        return
    each, each_blind, scatter = average_seeds(errors), average_seeds(blind), tell_scatter(errors)
    told = np.count_nonzero(~np.isnan(errors[0]))
    for i, preparation in enumerate(PREPARATIONS):
        name = f"+ {preparation}" if i else preparation
        before, raw = (compare(each[i], each[j]) if i else "-" for j in (i - 1, 0))
        print(
            f"| {architecture} | {name} | {each.shape[1]} | {told} | {each[i].mean():.2f} | {scatter[i]} "
            f"| {each_blind[i].mean():.2f} | {before} | {raw} |"
        )


def print_table(trainings: list[Training], given: argparse.Namespace) -> None:
    size = tuple(given.size)
    rows, answers = read_rows(given.folder, "raw", size), read_answers(trainings)
    print_head(*COLUMNS, "against the one before", "against raw")
    for architecture in given.architectures:
        print_network(answers, architecture, given.seeds, rows)
    floor = mad(guess_medians(rows), [row["age_months"] for row in rows])
    epochs = ", ".join(f"{given.epochs or EPOCHS[name]} ({name})" for name in given.architectures)
    print(
        f"\nEpochs: {epochs}. Always the median of the other folds, all {len(rows)} cases: MAD {floor:.2f}."
    )
    print_foot(trainings, answers, given.folder, size)


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--epochs", type=int, help=f"of each network; else {EPOCHS}")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--architectures", nargs="+", choices=list(EPOCHS), default=list(EPOCHS))
    given = parser.parse_args()
    trainings = list_trainings(given)
    if not given.table:
        train_missing(trainings, given)
    print_table(trainings, given)


if __name__ == "__main__":
    main()
