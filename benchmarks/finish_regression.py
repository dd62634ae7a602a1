"""The age model to ship: `python benchmarks/finish_regression.py DATA OUT MODEL [MODEL ...]`.

MODEL: model folders of benchmarks/pretrain_regression.py; OUT: the new one, that answers their mean. DATA holds
`images/` and `labels.csv`. The networks have seen none of these radiographs. Those of the training part are told by
all of them; from how far off they are come the intervals. The held-out part is not read. OUT-out-of-fold.csv gets the
answers: here every fold is told by networks that have not seen any. How a hand is prepared says
benchmarks/regression.toml; `--detail` tries another detail.
"""

import argparse
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from prepared_cases import prepare_part

from boneage_cli.config import load_config, replaced, to_dict
from boneage_cli.labels import write_table
from boneage_cli.models import find_shipped_segmentation
from boneage_regression.calibration import MAX_AGE_MONTHS, calibrate
from boneage_regression.exporting import export, initial_weights
from boneage_regression.metrics import bootstrap_interval, mad
from boneage_regression.training import RegressionRecipe, predict_ages
from boneage_sparkrun.place import Place

CONFIG = Path(__file__).with_name("regression.toml")
COLUMNS = ("id", "fold", "age_months", "age_months_without_sex")


def read_metadata(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "model.json").read_bytes())


def load_network(folder: Path) -> tuple[Any, RegressionRecipe]:
    """The first network of a model folder, in full precision, with its recipe."""
    recipe = replaced(RegressionRecipe(), read_metadata(folder)["recipes"][0], where=str(folder))
    recipe = dataclasses.replace(recipe, precision="float32")
    network = recipe.build_model()
    network.load_weights(initial_weights(folder, recipe))
    return network, recipe


def tell(networks: list[tuple[Any, RegressionRecipe]], rows: list[dict[str, Any]]) -> np.ndarray:
    """The mean of the networks' ages, months, cut to the scale as the model's answers are."""
    ages = np.mean([predict_ages(network, recipe, rows) for network, recipe in networks], axis=0)
    return np.clip(ages, 0, MAX_AGE_MONTHS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--detail", type=float)
    given = parser.parse_args()
    changes = {} if given.detail is None else {"prepare": {"detail": given.detail}}
    config = load_config(CONFIG, preset="standard", changes=changes)
    found, refused = prepare_part(given.data, {"input": config.prepare})
    rows = [row | {"input": row["inputs"]["input"]} for row in found]
    networks = [load_network(folder) for folder in given.models]
    known, unknown = tell(networks, rows), tell(networks, [row | {"male": None} for row in rows])
    truth = [row["age_months"] for row in rows]
    given_to = [read_metadata(folder) for folder in given.models]
    figures = {
        "mad_months": mad(known, truth),
        "mad_interval_months": list(bootstrap_interval(known, truth)),
        "mad_without_sex_months": mad(unknown, truth),
    }
    segmentation = find_shipped_segmentation()
    export(
        [network for network, _ in networks],
        [recipe for _, recipe in networks],
        given.out,
        preprocessing={
            "ingest": to_dict(config.ingest),
            "prepare": to_dict(config.prepare),
            "segmentation": read_metadata(segmentation)["digest"],
        },
        calibration=calibrate(truth, known, unknown),
        summary={
            "cases": given_to[0]["summary"]["cases"],
            "told": len(rows),
            "made_of": [one["digest"] for one in given_to],
            **figures,
        },
        licence=config.licence or None,
    )
    Place(segmentation).copy_folder(Place(given.out) / "segmentation")
    told = [(row["case_id"], row["fold"], *ages) for row, *ages in zip(rows, known, unknown, strict=True)]
    write_table(given.out.with_name(f"{given.out.name}-out-of-fold.csv"), COLUMNS, told)
    print(json.dumps(figures | {"told": len(rows), "no_hand": refused}))


if __name__ == "__main__":
    main()
