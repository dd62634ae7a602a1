"""What a training recipe gives: out-of-fold MAD of some folds of a run's training part. The test part is not read.

Usage: python benchmarks/regression_recipe.py RUN [--folds 0 1] [--size H W] [SETTING=VALUE ...]

RUN is the folder of a `boneage run all` whose stages up to `segment` are done. A SETTING is one of the recipe's
(epochs=60, augmentation.max_angle_deg=10) or of the preparation (prepare.clip_limit=3). One thread; the line at the
end is what stands in docs/experiments.md.
"""

import argparse
import ast
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import cv2
import numpy as np

from boneage_cli.config import Prepare, replaced
from boneage_cli.stages import prepare_image
from boneage_cli.workspace import Workspace
from boneage_imaging.codec import decode, decode_mask
from boneage_regression.metrics import mad
from boneage_regression.training import RegressionRecipe, predict_ages
from boneage_sparkrun.feed import ListFeed
from boneage_sparkrun.place import Place
from boneage_sparkrun.training import fit


def read_rows(run: Path, settings: Prepare) -> list[dict[str, Any]]:
    """The training part, prepared; what has no age or no hand is left out."""
    stages = ("ingest", "split", "segment")
    fields = ("image", "mask", "status", "fold", "male", "age_months")
    return [
        {name: case[name] for name in ("case_id", "fold", "male", "age_months")}
        | {"input": prepare_image(decode(case["image"]), decode_mask(case["mask"]), settings).image}
        for case in Workspace(Place(run)).records(stages, fields)
        if case["fold"] >= 0 and case["status"] != "refused"
    ]


def nested(settings: list[str]) -> dict[str, Any]:
    """`a.b=1` as {"a": {"b": 1}}."""
    result: dict[str, Any] = {}
    for setting in settings:
        names, value = setting.split("=", 1)
        *rooms, name = names.split(".")
        place = result
        for room in rooms:
            place = place.setdefault(room, {})
        try:
            place[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            place[name] = value
    return result


def score_fold(recipe: RegressionRecipe, rows: list[dict[str, Any]], fold: int) -> dict[str, Any]:
    """Trains without a fold and tells the ages of that fold, with and without the sex."""
    train = [row for row in rows if row["fold"] != fold]
    own = [row for row in rows if row["fold"] == fold]
    fitted = recipe.fitted([row["age_months"] for row in train], size=rows[0]["input"].shape)
    started = time.process_time()
    result = fit(fitted, ListFeed(train, fitted.batch_size, fitted.seed), threads=1)
    seconds = time.process_time() - started
    truth = np.array([row["age_months"] for row in own])
    told = predict_ages(result.model, fitted, own)
    without = predict_ages(result.model, fitted, [row | {"male": None} for row in own])
    guess = np.full(len(own), np.median([row["age_months"] for row in train]))
    figures = {"mad": mad(told, truth), "without_sex": mad(without, truth), "guess": mad(guess, truth)}
    print(f"fold {fold}:", json.dumps({k: round(v, 2) for k, v in figures.items()}), flush=True)
    return {**figures, "loss": result.history[-1]["loss"], "cpu_seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--folds", type=int, nargs="*", default=[0])
    parser.add_argument("--size", type=int, nargs=2, default=(128, 128))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    changes = nested(options.settings)
    height, width = options.size
    prepare = dataclasses.replace(Prepare(), height=height, width=width, **changes.pop("prepare", {}))
    rows = read_rows(options.run, prepare)
    recipe = replaced(RegressionRecipe(), changes, where="command line")
    scores = [score_fold(recipe, rows, fold) for fold in options.folds]
    means = {name: round(float(np.mean([score[name] for score in scores])), 2) for name in scores[0]}
    print(f"{len(rows)} cases, folds {options.folds}:", json.dumps(means), " ".join(options.settings))


if __name__ == "__main__":
    main()
