"""The age model to ship: `python benchmarks/finish_regression.py DATA OUT MODEL [MODEL ...]`.

MODEL: model folders of benchmarks/pretrain_regression.py; OUT: the new one, that answers their mean. DATA holds
`images/` and `labels.csv`. The networks have seen none of these radiographs. Those of the training part are told by
all networks, prepared with more or less detail: a network that learnt from small pictures is not told most by the
sharpest. The detail with the least mean of MAD with and without the sex is taken. OUT-out-of-fold.csv gets the
answers; for those of a fold the detail is chosen on the other folds, so that no answer took part in choosing how it
was told. From how far off they are come the intervals. The held-out part is not read. How a hand is prepared else says
benchmarks/regression.toml.
"""

import argparse
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from annotated_cases import print_head
from prepared_cases import FOLDS, Row, prepare_part

from boneage_cli.config import load_config, replaced, to_dict
from boneage_cli.fitting import OUT_OF_FOLD_COLUMNS, read_digest, tell_errors
from boneage_cli.labels import write_table
from boneage_cli.models import find_shipped_segmentation
from boneage_cli.stages import coarsen
from boneage_regression.calibration import MAX_AGE_MONTHS, calibrate
from boneage_regression.exporting import export, initial_weights
from boneage_regression.model_folder import read_metadata
from boneage_regression.training import RegressionRecipe, predict_ages
from boneage_sparkrun.place import Place

CONFIG = Path(__file__).with_name("regression.toml")
DETAILS = (0.35, 0.45, 0.55, 0.7, 0.85, 1.0)


def load_network(folder: Path) -> tuple[Any, RegressionRecipe]:
    """The first network of a model folder, in full precision, and the recipe that trained it."""
    recipe = replaced(RegressionRecipe(), read_metadata(folder)["recipes"][0], where=str(folder))
    network = dataclasses.replace(recipe, precision="float32").build_model()
    network.load_weights(initial_weights(folder, recipe))
    return network, recipe


def tell(networks: list[tuple[Any, RegressionRecipe]], rows: list[Row], detail: float) -> np.ndarray:
    """Ages with the sex and without it, (2, n): the networks' mean, months, cut to the scale as the model's are."""
    known = [row | {"input": coarsen(row["inputs"]["whole"], detail)} for row in rows]
    unknown = [row | {"male": None} for row in known]
    ages = [
        [predict_ages(network, recipe, given) for given in (known, unknown)] for network, recipe in networks
    ]
    return np.clip(np.mean(ages, axis=0), 0, MAX_AGE_MONTHS)


def choose(errors: np.ndarray) -> int:
    """Which detail has the least mean of both MADs; errors are (details, 2, n), months."""
    return int(errors.mean(axis=(1, 2)).argmin())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    given = parser.parse_args()
    config = load_config(CONFIG, preset="standard")
    rows, refused = prepare_part(given.data, {"whole": config.prepare})
    networks = [load_network(folder) for folder in given.models]
    told = np.array([tell(networks, rows, detail) for detail in DETAILS])
    truth, folds = (np.array([row[name] for row in rows]) for name in ("age_months", "fold"))
    errors = np.abs(told - truth)
    print_head("detail", "MAD with the sex, months", "without")
    for detail, (known, unknown) in zip(DETAILS, errors.mean(axis=2), strict=True):
        print(f"| {detail} | {known:.2f} | {unknown:.2f} |")
    chosen = choose(errors)
    by_fold = [choose(errors[:, :, folds != fold]) for fold in range(FOLDS)]
    print(f"\nChosen: {DETAILS[chosen]}; without each fold in turn {[DETAILS[i] for i in by_fold]}.")
    known, unknown = np.array([told[by_fold[fold], :, i] for i, fold in enumerate(folds)]).T
    answers = [
        {
            "id": row["case_id"],
            "fold": row["fold"],
            "truth_months": row["age_months"],
            "age_months": float(with_sex),
            "age_months_without_sex": float(without_sex),
        }
        for row, with_sex, without_sex in zip(rows, known, unknown, strict=True)
    ]
    figures = tell_errors(answers)
    segmentation = find_shipped_segmentation()
    export(
        [network for network, _ in networks],
        [recipe for _, recipe in networks],
        given.out,
        preprocessing={
            "ingest": to_dict(config.ingest),
            "prepare": to_dict(dataclasses.replace(config.prepare, detail=DETAILS[chosen])),
            "segmentation": read_digest(str(segmentation)),
        },
        calibration=calibrate(truth, known, unknown),
        summary={
            "cases": read_metadata(given.models[0])["summary"]["cases"],
            "told": len(rows),
            "made_of": [read_metadata(folder)["digest"] for folder in given.models],
            **figures,
        },
        licence=config.licence or None,
    )
    Place(segmentation).copy_folder(Place(given.out) / "segmentation")
    write_table(
        given.out.with_name(f"{given.out.name}-out-of-fold.csv"),
        OUT_OF_FOLD_COLUMNS,
        [tuple(row[name] for name in OUT_OF_FOLD_COLUMNS) for row in answers],
    )
    print(json.dumps(figures | {"told": len(rows), "no_hand": refused}))


if __name__ == "__main__":
    main()
