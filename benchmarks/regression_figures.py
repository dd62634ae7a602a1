"""How far off the age networks are: `python benchmarks/regression_figures.py DATA OUT_OF_FOLD [--test --model MODEL]`.

OUT_OF_FOLD: the table that `boneage train-regression` or finish_regression.py writes beside its model. Every figure is
of radiographs whose ages took no part: each case of the training part is told by networks that have not seen it.
`--test` scores the held-out part by MODEL (the shipped one by default), with and without the sex; that may be done
three times at most, and each time is a line in benchmarks/results/test_part.md.
"""

import argparse
import csv
from pathlib import Path
from typing import Any

from annotated_cases import print_head
from provenance import describe

from boneage_cli.evaluation import cross_conformal_figures, ridge_answers
from boneage_cli.labels import read_labels
from boneage_cli.outcomes import Outcome
from boneage_cli.predictor import Predictor
from boneage_cli.scores import age_figures, score
from boneage_imaging import decode
from boneage_regression.floors import thumbnail_features
from boneage_regression.folds import in_test

LOG = Path(__file__).parent / "results" / "test_part.md"
NOTHING: dict[str, Any] = {"lower": None, "upper": None, "status": "ok", "reason": ""}


def read_out_of_fold(table: Path, labels: dict[str, Any]) -> tuple[list[Outcome], dict[str, float]]:
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    outcomes = [
        Outcome(
            case_id=row["id"],
            part="train",
            fold=int(row["fold"]),
            male=labels[row["id"]].male,
            truth_months=labels[row["id"]].age_months,
            age_months=None,
            out_of_fold_months=float(row["age_months"]),
            **NOTHING,
        )
        for row in rows
    ]
    return outcomes, {row["id"]: float(row["age_months_without_sex"]) for row in rows}


def ask(data: Path, labels: dict[str, Any], predictor: Predictor) -> tuple[list[Outcome], list[Outcome]]:
    """What the model says of the held-out part, with and without the sex."""
    known, unknown = [], []
    for path in sorted((data / "images").glob("*.png")):
        if not in_test(path.stem) or labels[path.stem].age_months is None:
            continue
        male = labels[path.stem].male
        for sex, rows in (({True: "M", False: "F", None: None}[male], known), (None, unknown)):
            said = predictor.predict(path.read_bytes(), sex=sex, case_id=path.stem)
            months = (said.age_months, said.lower, said.upper)
            rows.append(
                Outcome(
                    path.stem,
                    "test",
                    -1,
                    male,
                    labels[path.stem].age_months,
                    *months,
                    said.status,
                    said.reason,
                    None,
                )
            )
    return known, unknown


def line(name: str, found: dict[str, Any]) -> None:
    if not found["count"]:
        return
    low, high = found["mad_interval"] or (float("nan"), float("nan"))
    print(
        f"| {name} | {found['count']} | {found['mad']:.2f} | {low:.2f} to {high:.2f} | {found['rmse']:.2f} | "
        f"{found['bias']:+.2f} | {found['over_12_months']:.1%} | {found['over_24_months']:.1%} |"
    )


def show_groups(name: str, found: dict[str, Any]) -> None:
    for row in (*found["by_sex"], *found["by_age"]):
        line(f"{name}, {row['group']}", row | {"count": row["n"]})


def show_intervals(name: str, found: dict[str, Any]) -> None:
    low, high = found["coverage_interval"]
    ratio = f", {found['width_over_mad']:.2f} times the MAD" if "width_over_mad" in found else ""
    print(
        f"\n90 % intervals, {name}: hold the truth in {found['coverage']:.1%} of {found['count']} "
        f"({low:.1%} to {high:.1%}); mean width {found['mean_width']:.1f} months{ratio}"
    )
    for group in found.get("groups", []):
        print(f"- {group['group']}: {group['coverage']:.1%} of {group['count']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out_of_fold", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--test", action="store_true")
    given = parser.parse_args()
    labels = read_labels(given.data / "labels.csv")
    outcomes, without_sex = read_out_of_fold(given.out_of_fold, labels)
    known, unknown = ask(given.data, labels, Predictor(given.model)) if given.test else ([], [])
    features = {
        path.stem: thumbnail_features(decode(path.read_bytes()), labels[path.stem].male)
        for path in (given.data / "images").glob("*.png")
        if path.stem in without_sex or (given.test and in_test(path.stem))
    }
    everyone = [*outcomes, *known]
    found = age_figures(everyone, without_sex=without_sex, ridge=ridge_answers(everyone, features))
    print_head("cases", "count", "MAD", "95 %", "RMSE", "bias", "over 12 months", "over 24")
    unseen = found["out_of_fold"]
    line("out of fold", unseen)
    line("out of fold, without the sex", unseen["without_sex"])
    for fold in unseen["folds"]:
        line(f"fold {fold['fold'] + 1}", fold)
    show_groups("out of fold", unseen)
    for name, floor in unseen["floors"].items():
        line(f"floor, out of fold: {name.replace('_', ' ')}", floor)
    if given.test:
        line("held out", found["test"])
        blind = score(
            [(row.truth_months, row.age_months, row.male) for row in unknown if row.age_months is not None]
        )
        line("held out, without the sex", blind)
        show_groups("held out", found["test"])
        for name, floor in found["floors"].items():
            line(f"floor, held out: {name.replace('_', ' ')}", floor)
    print(
        f"\nMean of the folds: {unseen['mad_mean_of_folds']:.2f}, deviation {unseen['mad_sd_of_folds']:.2f}"
    )
    for name, figures in cross_conformal_figures(outcomes, without_sex).items():
        show_intervals(f"out of fold, sex {name}", figures)
    if given.test:
        show_intervals("held out, sex known", found["intervals"])
        show_intervals("held out, sex unknown", age_figures(unknown)["intervals"])
        with LOG.open("a", encoding="utf-8") as file:
            file.write(
                f"| {describe()} | {found['test']['count']} | {found['test']['mad']:.2f} | {blind['mad']:.2f} |\n"
            )


if __name__ == "__main__":
    main()
