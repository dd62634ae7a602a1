"""Networks that are trained without a fold, and a table of what each told of it, so that the same command goes on."""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
from prepared_cases import Size, prepare_cases, read_refused, read_rows
from provenance import find_commit

from boneage_cli.labels import write_table
from boneage_regression.training import RegressionRecipe, predict_ages
from boneage_sparkrun import ListFeed, fit
from boneage_sparkrun.errors import TrainingError
from boneage_sparkrun.pool import run_tasks

_COLUMNS = ("training", "fold", "id", "age_months", "age_months_without_sex", "commit")
Key = tuple[str, int]
Told = list[tuple[str, float, float]]
"""Of each case its id and the ages told, months, with and without the sex; NaN where the training broke down."""


@dataclass(frozen=True)
class Training:
    """A network that is trained without a fold and then tells the ages of that fold.

    Attributes:
        name: Of what is trained; with the fold it names the training.
        preparation: One of `prepared_cases.PREPARATIONS`.
        recipe: How it is trained.
        fold: The one it does not see.
        table: The CSV file that its answers go to.
    """

    name: str
    preparation: str
    recipe: RegressionRecipe
    fold: int
    table: Path

    @property
    def key(self) -> Key:
        return self.name, self.fold


@dataclass(frozen=True)
class Answers:
    """What a network told of its fold: ages in months by case id, and the commit it was trained at."""

    known: dict[str, float]
    unknown: dict[str, float]
    commit: str


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """What every command says that trains so."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="begin no training after so many")
    parser.add_argument("--size", type=int, nargs=2, default=(128, 128), help="height and width, pixels")
    parser.add_argument("--table", action="store_true", help="train nothing, print what is there")
    return parser


def train_missing(trainings: list[Training], given: argparse.Namespace) -> None:
    """Does in turn what the tables do not hold yet; a training's answers are in before the next one begins."""
    started, commit = time.monotonic(), find_commit()
    prepare_cases(given.data, given.folder, tuple(given.size))
    for training in trainings:
        if training.key in read_answers([training]):
            continue
        if given.minutes is not None and time.monotonic() - started > 60 * given.minutes:
            return
        argument = {
            "training": training,
            **{name: getattr(given, name) for name in ("folder", "size", "threads")},
        }
        # One task has one process, and one of its own: TensorFlow keeps a part of every network it has trained.
        [told] = run_tasks("fold_answers:train", [argument], workers=2, environment={})
        _append(training, told, commit)


def train(argument: dict[str, Any]) -> Told:
    """Trains without the fold, then asks for the ages of its cases: `training`, `folder`, `size` and `threads`."""
    training, size, threads = argument["training"], tuple(argument["size"]), argument["threads"]
    cv2.setNumThreads(threads)
    rows = read_rows(argument["folder"], training.preparation, size)
    others = [row for row in rows if row["fold"] != training.fold]
    own = [row for row in rows if row["fold"] == training.fold]
    recipe = training.recipe.fitted([row["age_months"] for row in others], size=size)
    try:
        result = fit(recipe, ListFeed(others, recipe.batch_size, recipe.seed), threads=threads)
        model = recipe.finished(result.model)
        known = predict_ages(model, recipe, own)
        unknown = predict_ages(model, recipe, [row | {"male": None} for row in own])
    except TrainingError as error:
        if error.epoch is None:
            raise
        _say(training, str(error))
        known = unknown = np.full(len(own), np.nan)
    _say(training, f"{time.process_time():.1f} CPU seconds")
    return [(row["case_id"], *ages) for row, *ages in zip(own, known, unknown, strict=True)]


def read_answers(trainings: list[Training]) -> dict[Key, Answers]:
    """All answers that the tables of these trainings hold."""
    found: dict[Key, Answers] = {}
    for table in {training.table for training in trainings}:
        for line in _read_lines(table):
            answers = found.setdefault((line["training"], int(line["fold"])), Answers({}, {}, line["commit"]))
            answers.known[line["id"]] = float(line["age_months"])
            answers.unknown[line["id"]] = float(line["age_months_without_sex"])
    return found


def print_foot(trainings: list[Training], answers: dict[Key, Answers], folder: Path, size: Size) -> None:
    """Under a table: what was counted, the commits it was trained at, what was refused and what is missing."""
    there = [answers[one.key] for one in trainings if one.key in answers]
    commits = ", ".join(sorted({one.commit for one in there})) or "none"
    refused = ", ".join(read_refused(folder, size)) or "none"
    print(f"\n{len(there)} of {len(trainings)} trainings, at commit {commits}.")
    print(f"{sum(len(one.known) for one in there)} answers. Left out, as no hand was found: {refused}.")
    for training in trainings:
        if training.key not in answers:
            print(f"- missing: {training.name}, fold {training.fold}")


def _say(training: Training, what: str) -> None:
    print(f"{training.name}, fold {training.fold}: {what}", file=sys.stderr, flush=True)


def _append(training: Training, told: Told, commit: str) -> None:
    before = [tuple(line[name] for name in _COLUMNS) for line in _read_lines(training.table)]
    new = [
        (*training.key, case_id, f"{known:.4f}", f"{unknown:.4f}", commit) for case_id, known, unknown in told
    ]
    write_table(training.table, _COLUMNS, before + new)


def _read_lines(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
