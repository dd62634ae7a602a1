"""Do 121 cases undo what a clinic's machine does to the ages, and is nothing done where nothing is amiss?

    python benchmarks/calibrate_draws.py OUT_OF_FOLD_CSV LABELS_CSV     15 seconds on 2 cores

OUT_OF_FOLD_CSV is a training's out-of-fold.csv: id,fold,age_months,age_months_without_sex. Of its cases that are not
held out 121 are drawn, 200 times; `boneage_regression.recalibrate` is given their ages told, distorted, and their
labels. The rest, distorted in the same way, is corrected by it. With the sex the distortion is a factor for all and
months for one sex; without it, the factor and the months for all.

Exits 1 unless the MAD on the rest is at most 1.05 of the undistorted one in the median draw of every distortion, and
with nothing distorted changes by under 2 % in 90 % of draws. The share of the rest that the new intervals hold is told.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from annotated_cases import print_head
from numpy.typing import NDArray

from boneage_cli.labels import read_labels
from boneage_cli.outcomes import read_table
from boneage_regression import Calibration, Recalibration, calibrate, in_test, mad, recalibrate

DRAWS, CASES = 200, 121
MOST_MEDIAN, MOST_CHANGE, LEAST_UNCHANGED = 1.05, 0.02, 0.9
Floats = NDArray[np.float64]


class Distortion(NamedTuple):
    """age -> slope * age, and `months` more for one sex (without the sex: for all)."""

    name: str
    slope: float
    months: float
    male: bool


NOTHING = Distortion("nothing", 1.0, 0.0, True)
DISTORTIONS = (
    NOTHING,
    Distortion("x 0.9, boys + 8", 0.9, 8.0, True),
    Distortion("x 0.9, girls + 8", 0.9, 8.0, False),
    Distortion("/ 0.9, boys - 8", 1 / 0.9, -8.0, True),
    Distortion("/ 0.9, girls - 8", 1 / 0.9, -8.0, False),
)


@dataclass(frozen=True)
class Cases:
    """Ages of n cases, months, and their sexes; each array of shape (n,)."""

    truth: Floats
    known: Floats
    unknown: Floats
    male: NDArray[np.bool_]

    def distorted(self, by: Distortion) -> Cases:
        known = by.slope * self.known + by.months * (self.male == by.male)
        unknown = by.slope * self.unknown + by.months
        return Cases(self.truth, cut(known), cut(unknown), self.male)

    def part(self, places: NDArray[np.int64]) -> Cases:
        return Cases(self.truth[places], self.known[places], self.unknown[places], self.male[places])

    def corrected(self, by: Recalibration) -> Cases:
        known = np.where(self.male, by.male.apply(self.known), by.female.apply(self.known))
        return Cases(self.truth, cut(known), cut(by.unknown.apply(self.unknown)), self.male)


@dataclass
class Found:
    """What the draws of one distortion gave, for the answers with the sex and without; lists of DRAWS pairs."""

    before: list[tuple[float, float]] = field(default_factory=list)
    after: list[tuple[float, float]] = field(default_factory=list)
    used: list[tuple[str, str]] = field(default_factory=list)
    held: list[tuple[float, float]] = field(default_factory=list)


def cut(ages: Floats) -> Floats:
    return np.clip(ages, 0, 228)


def read_cases(out_of_fold: Path, labels: Path) -> Cases:
    table = read_labels(labels)
    rows = [row for row in read_table(out_of_fold) if not in_test(row["id"]) and row["id"] in table]
    found = [
        (label.age_months, float(row["age_months"]), float(row["age_months_without_sex"]), label.male)
        for row in rows
        for label in [table[row["id"]]]
        if label.age_months is not None and label.male is not None
    ]
    truth, known, unknown, male = (np.array(column) for column in zip(*found, strict=True))
    return Cases(truth, cut(known), cut(unknown), male)


def mads(cases: Cases) -> tuple[float, float]:
    return mad(cases.known, cases.truth), mad(cases.unknown, cases.truth)


def share_held(calibration: Calibration, ages: Floats, truth: Floats, sex_known: bool) -> float:
    ends = np.array([calibration.interval(float(age), sex_known=sex_known) for age in ages])
    return float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))


def draw(cases: Cases, distortion: Distortion, own: Calibration) -> Found:
    found, distorted = Found(), cases.distorted(distortion)
    for seed in range(DRAWS):
        order = np.random.default_rng(seed).permutation(len(cases.truth))
        mine, rest = distorted.part(order[:CASES]), distorted.part(order[CASES:])
        fitted = recalibrate(mine.truth, mine.known, mine.unknown, mine.male.tolist(), calibration=own)
        corrected, undistorted = rest.corrected(fitted), mads(cases.part(order[CASES:]))
        for shares, scored in ((found.before, rest), (found.after, corrected)):
            with_sex, without = mads(scored)
            shares.append((with_sex / undistorted[0], without / undistorted[1]))
        found.used.append((fitted.with_sex.used, fitted.without_sex.used))
        found.held.append(
            (
                share_held(fitted.calibration, corrected.known, rest.truth, sex_known=True),
                share_held(fitted.calibration, corrected.unknown, rest.truth, sex_known=False),
            )
        )
    return found


def judge(distortion: Distortion, found: Found) -> bool:
    """Prints two rows; whether both musts hold."""
    good = True
    for column, kind in enumerate(("with", "without")):
        before, after, held = (
            np.array(pairs)[:, column] for pairs in (found.before, found.after, found.held)
        )
        unchanged = float(np.mean(np.abs(after - 1) < MOST_CHANGE))
        worse = float(np.mean(after - 1 >= MOST_CHANGE))
        held_it = unchanged >= LEAST_UNCHANGED if distortion is NOTHING else np.median(after) <= MOST_MEDIAN
        good &= bool(held_it)
        used = [pair[column] for pair in found.used]
        ways = ", ".join(f"{way} {used.count(way)}" for way in sorted(set(used)))
        cells = (
            distortion.name,
            kind,
            f"{np.median(before):.3f}",
            f"{np.median(after):.3f}",
            f"{np.quantile(after, 0.9):.3f}",
            f"{100 * unchanged:.0f} %",
            f"{100 * worse:.0f} %",
            ways,
            f"{100 * held.mean():.1f} %",
            "yes" if held_it else "NO",
        )
        print(f"| {' | '.join(cells)} |", flush=True)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out_of_fold", type=Path)
    parser.add_argument("labels", type=Path)
    given = parser.parse_args()
    cases = read_cases(given.out_of_fold, given.labels)
    with_sex, without = mads(cases)
    own = calibrate(cases.truth, cases.known, cases.unknown)
    print_head(
        "distortion",
        "sex",
        "MAD before",
        "after, median",
        "90 % of draws",
        "changed by < 2 %",
        "worse by more",
        "corrections used",
        "held by 90 % intervals",
        "must holds",
    )
    held = [judge(distortion, draw(cases, distortion, own)) for distortion in DISTORTIONS]
    print(
        f"\n{len(cases.truth)} cases, {CASES} drawn, {DRAWS} draws. MADs are shares of the undistorted one on the "
        f"rest; that of all cases is {with_sex:.2f} months with the sex, {without:.2f} without."
    )
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
