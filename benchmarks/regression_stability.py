"""How far the age told moves when nothing but the picture changes.

    python benchmarks/regression_stability.py DATA [--model MODEL] [--count 100] [--workers 1] [--test]

DATA: a folder with images/ID.png, 8 bit, and labels.csv. The shipped model by default. So many radiographs of the
training part (with --test: of the test part), evenly spread over the ids, each as it is and changed in one way at a
time; told by `Predictor.predict`, the sex given. By each change the age must move by at most 1.5 months (median) and 4
(95th percentile).
"""

import argparse
import sys
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from annotated_cases import print_head
from stresses import paste_markers

from boneage_cli.labels import read_labels
from boneage_cli.predictor import Predictor
from boneage_imaging import encode_png, flip, invert, resize, to_uint16
from boneage_regression.folds import in_test

MOST_MEDIAN, MOST_95TH = 1.5, 4.0
SEXES = {True: "M", False: "F", None: None}
Case = tuple[Path, str | None]
predictors: list[Predictor] = []


def start_worker(model: Path | None) -> None:
    cv2.setNumThreads(1)
    predictors.append(Predictor(model))


def change(image: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    """A radiograph, changed in one way at a time."""
    height, width = image.shape
    return {
        "mirrored": flip(image),
        **{f"turned by {90 * turns} degrees": np.rot90(image, turns).copy() for turns in (1, 2, 3)},
        "inverted": invert(image),
        "16 bit": to_uint16(image),
        "half the size": resize(image, (height // 2, width // 2)),
        "a letter and a tag pasted": paste_markers(image, mask, ("letter", "tag"))[0],
    }


def tell_moves(case: Case) -> dict[str, float | None] | None:
    """By how many months each change moves the age told, None where it is refused; None if that is so unchanged."""
    path, sex = case
    (predictor,) = predictors
    plain = predictor.examine(path.read_bytes(), sex=sex)
    if not plain.answer.answered:
        return None
    ages = {
        name: predictor.predict(encode_png(changed), sex=sex).age_months
        for name, changed in change(plain.image, plain.mask).items()
    }
    return {name: None if age is None else age - plain.answer.age_months for name, age in ages.items()}


def choose(data: Path, count: int, *, test: bool) -> list[Case]:
    """So many radiographs of a part that have a label, evenly spread over the ids."""
    labels = read_labels(data / "labels.csv")
    paths = [path for path in sorted((data / "images").glob("*.png")) if path.stem in labels]
    part = [path for path in paths if in_test(path.stem) is test]
    chosen = part[:: max(1, len(part) // count)][:count]
    return [(path, SEXES[labels[path.stem].male]) for path in chosen]


def print_row(name: str, moved: dict[str, float | None]) -> bool:
    """A row of the table, with the three that moved most; whether it is good."""
    sizes = {case_id: abs(move) for case_id, move in moved.items() if move is not None}
    worst = sorted(sizes, key=lambda case_id: -sizes[case_id])[:3]
    median, high = np.percentile(list(sizes.values()), (50, 95)) if sizes else (np.nan, np.nan)
    print(
        f"| {name} | {len(moved)} | {len(moved) - len(sizes)} | {median:.2f} | {high:.2f} "
        f"| {max(sizes.values(), default=np.nan):.2f} "
        f"| {', '.join(f'{case_id} {moved[case_id]:+.1f}' for case_id in worst)} |"
    )
    return bool(median <= MOST_MEDIAN and high <= MOST_95TH)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--test", action="store_true")
    given = parser.parse_args()
    cases = choose(given.data, given.count, test=given.test)
    with get_context("spawn").Pool(given.workers, start_worker, (given.model,)) as pool:
        answers = pool.map(tell_moves, cases, chunksize=1)
    told = {path.stem: moves for (path, _), moves in zip(cases, answers, strict=True) if moves is not None}
    print_head(
        "change",
        "radiographs",
        "refused",
        "median, months",
        "95th percentile",
        "most",
        "moved most, by months",
    )
    names = next(iter(told.values()), {})
    good = [print_row(name, {case_id: moves[name] for case_id, moves in told.items()}) for name in names]
    print(
        f"\n{len(cases)} radiographs, {len(cases) - len(told)} of them refused as they are. "
        f"{sum(good)} of {len(good)} changes move the age by at most {MOST_MEDIAN} months (median) "
        f"and {MOST_95TH:g} (95th percentile)."
    )
    return 0 if good and all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
