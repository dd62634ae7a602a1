"""Where a run's results come from, as `manifest.json` tells it; the page shows the same facts from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from boneage_cli.config import to_dict
from boneage_cli.machine import describe_commit, describe_machine, versions
from boneage_cli.markers import code_version, digest, read_marker
from boneage_cli.model_cards import model_card
from boneage_cli.verdicts import headline, remarks
from boneage_sparkrun.place import Place
from boneage_sparkrun.shards import read_shard, shard_uris

if TYPE_CHECKING:
    from boneage_cli.pipeline import Run

__all__ = ["describe_run", "set_aside"]

FORMAT = "boneage-run/1"
_DONE_BEFORE = ("ingest", "split", "train-segmentation", "segment", "prepare", "train-regression", "evaluate")
_MAPS = ("ingest", "segment", "prepare")
_WHOLE_LISTS = ("train-segmentation", "train-regression", "evaluate")


def describe_run(run: Run, metrics: dict[str, Any]) -> dict[str, Any]:
    """Everything about a run that a machine may want to know: the content of `manifest.json`.

    Args:
        run: Done up to `evaluate`.
        metrics: What `evaluate` wrote.

    Returns:
        JSON-able:

        - format, notice; origin (paths, or phantoms), phantoms;
        - headline: the main figures with their 95 % intervals, the same in words, and what not to overlook;
        - counts; set_aside (stage, case_id, reason);
        - configuration, seeds;
        - code (digest of the packages' sources, commit), versions, machine;
        - models: the cards of the two models;
        - stages: for each its seconds and summary; key, the digest of settings, code and inputs; inputs, the
          digests of the stages it reads; output, the digest of all its files, and each file's of models and
          results;
        - metrics.
    """
    return {
        "format": FORMAT,
        "notice": "Not a medical device.",
        "origin": run.origin,
        "phantoms": run.phantoms,
        "headline": {
            **_main_figures(metrics),
            "in_words": headline(metrics),
            "remarks": remarks(metrics),
            "shortfalls": metrics["acceptance"]["shortfalls"],
        },
        "counts": metrics["data"],
        "set_aside": set_aside(run),
        "configuration": to_dict(run.config),
        "seeds": {"run": run.config.seed, "phantoms": run.config.phantoms.seed if run.phantoms else None},
        "code": {"sha256": code_version(), **describe_commit()},
        "versions": versions(),
        "machine": describe_machine(),
        "models": {
            "segmentation": _card(run.workspace.segmentation_model),
            "regression": _card(run.workspace.regression_model),
        },
        "stages": _stages(run),
        "metrics": metrics,
    }


def _card(model: Place) -> dict[str, Any]:
    with model.here() as folder:
        return model_card(folder)


def _main_figures(metrics: dict[str, Any]) -> dict[str, Any]:
    test, floor = metrics["test"], metrics["floors"]["median_guess"]
    held, masks = metrics["intervals"], metrics["segmentation"]["test"]
    return {
        "mad_months": _figure(test["mad"], test["mad_interval"], test["count"]),
        "rmse_months": _figure(test["rmse"], test["rmse_interval"], test["count"]),
        "median_guess_mad_months": _figure(floor["mad"], floor["mad_interval"], floor["count"]),
        "interval_coverage": _figure(held["coverage"], held.get("coverage_interval"), held["count"]),
        "jaccard": _figure(masks["jaccard_mean"], masks["jaccard_interval"], masks["count"]),
    }


def _figure(value: float | None, interval: list[float] | None, count: int) -> dict[str, Any]:
    return {"value": value, "interval": interval, "count": count}


def _stages(run: Run) -> dict[str, Any]:
    from boneage_cli.pipeline import STAGES

    markers = {name: read_marker(run.workspace.stage(name)) or _NO_MARKER for name in _DONE_BEFORE}
    reads = {stage.name: stage.reads for stage in STAGES}
    return {
        name: _stage(name, marker, {read: digest(markers[read]["files"]) for read in reads[name]})
        for name, marker in markers.items()
    }


_NO_MARKER: dict[str, Any] = {"key": None, "summary": {}, "files": {}}


def _stage(name: str, marker: dict[str, Any], inputs: dict[str, str]) -> dict[str, Any]:
    summary = dict(marker["summary"])
    files = marker["files"]
    return {
        "seconds": summary.pop("seconds", None),
        "summary": summary,
        "key": marker["key"],
        "inputs": inputs,
        "output": {
            "digest": digest(files),
            "files": len(files),
            **({"digests": files} if name in _WHOLE_LISTS else {}),
        },
    }


def set_aside(run: Run) -> list[dict[str, str]]:
    """The cases that a stage could not work on: stage, case_id, reason."""
    folders = [(name, run.workspace.stage(name) / "failures") for name in _MAPS]
    return [
        {"stage": name, "case_id": record["case_id"], "reason": record["reason"]}
        for name, folder in folders
        if folder.exists()
        for uri in shard_uris(str(folder))
        for record in read_shard(uri)
    ]
