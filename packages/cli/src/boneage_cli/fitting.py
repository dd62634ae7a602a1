"""The stages that train: they hand named tasks to the engine, each with a process of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from boneage_cli.config import to_dict
from boneage_cli.errors import DataError
from boneage_cli.labels import write_table
from boneage_cli.models import find_shipped_segmentation
from boneage_regression.folds import inner_part
from boneage_regression.metrics import bootstrap_interval, mad
from boneage_sparkrun.place import Place
from boneage_sparkrun.storage import Uri

if TYPE_CHECKING:
    from boneage_cli.pipeline import Run

__all__ = [
    "OUT_OF_FOLD",
    "OUT_OF_FOLD_COLUMNS",
    "OVERLAYS",
    "read_digest",
    "tell_errors",
    "train_regression",
    "train_segmentation",
]

OVERLAYS = "overlays.png"
OUT_OF_FOLD = "out-of-fold.csv"

_TASKS = "boneage_cli.training_tasks"
OUT_OF_FOLD_COLUMNS = ("id", "fold", "age_months", "age_months_without_sex")


def train_segmentation(run: Run) -> dict[str, Any]:
    """Trains the network that finds the hand, on the outlines of the training part.

    Where a model is given it is taken as it is; where there is no outline to train on, the shipped one.
    """
    folder = run.output
    outlined = [
        case["case_id"]
        for case in run.workspace.records(("ingest", "split"), ("part", "outline"))
        if case["part"] == "train" and case["outline"] is not None
    ]
    if run.segmentation_model or run.masks_given or not outlined:
        given = Place(run.segmentation_model or find_shipped_segmentation())
        given.copy_folder(folder / "model")
        run.progress.note(f"the hand is found by the model in {given}")
        return {"trained": False, "outlines": 0}
    recipe = run.config.segmentation
    log = folder / "training.jsonl"
    argument = {
        "shards": run.workspace.shard_table(("ingest", "split")),
        "recipe": to_dict(recipe) | {"seed": run.config.seed},
        "outlined": len(outlined),
        "inner": sorted(inner_part(outlined, run.config.split.inner_share)),
        "init": (run.init or {}).get("train-segmentation"),
        "licence": run.config.licence,
        "log": str(log),
        "libraries": str(folder / "libraries.log"),
        "checkpoints": str(run.scratch / "segmentation"),
        "folder": str(folder / "model"),
        "overlays": str(folder / OVERLAYS),
        "threads": run.engine.threads(1),
    }
    result = _fit_segmentation(run, argument)
    _write_json(folder / "history.json", _timeless(result.pop("history")))
    return {"trained": True, "outlines": len(outlined), **result}


def _fit_segmentation(run: Run, argument: dict[str, Any]) -> dict[str, Any]:
    """In a process of its own; on a cluster in as many as it has slots, together."""
    from boneage_sparkrun.spark_engine import SparkEngine

    recipe = argument["recipe"]
    if not isinstance(run.engine, SparkEngine):
        with run.progress.following([Place(argument["log"])], recipe["epochs"]):
            return run.engine.run(f"{_TASKS}:fit_segmentation", [argument])[0]
    from boneage_sparkrun.cluster_training import ClusterTraining, train_on_cluster

    training = ClusterTraining(
        "train-segmentation",
        argument["shards"],
        f"{_TASKS}:select_outlined",
        f"{_TASKS}:fit_segmentation_together",
        batch_size=recipe["batch_size"],
        seed=recipe["seed"],
        config=argument,
    )
    return train_on_cluster(training, run.engine.settings, lambda event: _tell(run, event))


def _tell(run: Run, event: dict[str, Any]) -> None:
    if event["kind"] == "start":
        run.progress.note(f"{event['workers']} training workers")
    elif event["kind"] == "recovery":
        run.progress.note(f"a new cluster goes on from the last checkpoint: {event['reason']}")
    else:
        run.progress.trained(event)


def train_regression(run: Run) -> dict[str, Any]:
    """Trains one network a fold, each without its own fold; the model is their average."""
    folder = run.output
    folds = run.config.split.folds
    recipe = run.config.regression
    tables = run.workspace.shard_table(("ingest", "split", "prepare"))
    labelled = sum(
        case["fold"] >= 0 and case["input"] is not None
        for case in run.workspace.records(("split", "prepare"), ("fold", "input"))
    )
    if labelled < 2 * folds:
        raise DataError(
            f"received {labelled} labelled radiographs to train on; {2 * folds} at least would do"
        )
    logs = [folder / f"training-{fold}.jsonl" for fold in range(folds)]
    arguments = [
        {
            "shards": tables,
            "recipe": to_dict(recipe) | {"seed": run.config.seed + fold},
            "inner_share": run.config.split.inner_share,
            "fold": fold,
            "init": (run.init or {}).get("train-regression"),
            "log": str(log),
            "checkpoints": str(run.scratch / f"fold-{fold}"),
            "libraries": str(folder / f"libraries-{fold}.log"),
            "weights": str(folder / f"fold-{fold}"),
            "threads": run.engine.threads(folds),
        }
        for fold, log in enumerate(logs)
    ]
    with run.progress.following(logs, recipe.epochs * folds):
        fitted = run.engine.run(f"{_TASKS}:fit_fold", arguments)
    return _join(run, folder, fitted)


def _join(run: Run, folder: Place, fitted: list[dict[str, Any]]) -> dict[str, Any]:
    """Makes one model of the folds' networks, calibrated on what each said of the fold it had not seen."""
    rows = [row for result in fitted for row in result["out_of_fold"]]
    write_table(
        folder / OUT_OF_FOLD,
        OUT_OF_FOLD_COLUMNS,
        [tuple(row[name] for name in OUT_OF_FOLD_COLUMNS) for row in rows],
    )
    _write_json(
        folder / "history.json",
        [{"fold": f, "history": _timeless(result["history"])} for f, result in enumerate(fitted)],
    )
    figures = tell_errors(rows)
    segmentation = run.workspace.segmentation_model
    argument = {
        "recipes": [result["recipe"] for result in fitted],
        "weights": [result["weights"] for result in fitted],
        "out_of_fold": rows,
        "preprocessing": {
            "ingest": to_dict(run.config.ingest),
            "prepare": to_dict(run.config.prepare),
            "segmentation": read_digest(segmentation),
        },
        "summary": {
            "cases": len(rows),
            "folds": len(fitted),
            "seed": run.config.seed,
            **(
                {"started_from": read_digest(init)}
                if (init := (run.init or {}).get("train-regression"))
                else {}
            ),
            **figures,
        },
        "licence": run.config.licence,
        "libraries": str(folder / "libraries-export.log"),
        "folder": str(folder / "model"),
        "threads": run.engine.threads(1),
    }
    (summary,) = run.engine.run(f"{_TASKS}:join_folds", [argument])
    segmentation.copy_folder(folder / "model" / "segmentation")
    return {"cases": len(rows), **summary, **figures}


def read_digest(model: Uri) -> str:
    """The digest that a model folder states of itself."""
    return str(json.loads((Place(model) / "model.json").read_bytes())["digest"])


def tell_errors(out_of_fold: list[dict[str, Any]]) -> dict[str, Any]:
    """How far off each network was on the fold it had not seen, with and without the sex, in months."""
    truth, known, unknown = (
        [row[name] for row in out_of_fold]
        for name in ("truth_months", "age_months", "age_months_without_sex")
    )
    return {
        "mad_months": mad(known, truth),
        "mad_interval_months": list(bootstrap_interval(known, truth)),
        "mad_without_sex_months": mad(unknown, truth),
    }


def _timeless(history: list[dict[str, float]]) -> list[dict[str, float]]:
    """A history without its seconds, so that the same training writes the same file."""
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in history]


def _write_json(place: Place, value: Any) -> None:
    place.write_bytes(json.dumps(value, indent=1).encode())
