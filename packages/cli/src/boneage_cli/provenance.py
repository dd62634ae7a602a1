"""Where a run's results come from: settings, versions, digests, times, and what was set aside."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boneage_cli.config import to_dict
from boneage_cli.markers import code_version, digest, read_marker
from boneage_sparkrun.shards import read_shard, shard_uris

if TYPE_CHECKING:
    from boneage_cli.pipeline import Run

__all__ = ["describe_run", "set_aside", "versions"]

_PACKAGES = (
    "boneage-cli",
    "boneage-imaging",
    "boneage-segmentation",
    "boneage-regression",
    "boneage-sparkrun",
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
    "pyarrow",
    "tensorflow",
    "keras",
    "tf2onnx",
    "pyspark",
    "matplotlib",
)
_DONE_BEFORE = ("ingest", "split", "train-segmentation", "segment", "prepare", "train-regression", "evaluate")
_MAPS = ("ingest", "segment", "prepare")
_WHOLE_LISTS = ("train-segmentation", "train-regression", "evaluate")


def describe_run(run: Run) -> dict[str, Any]:
    """The facts of a run that its results depend on, and what each stage took.

    Returns:
        origin, phantoms, configuration, versions, code (digest of the packages' sources), and for each stage:
        seconds, its summary, the digest of all its files, and each file's for models and results.
    """
    return {
        "origin": run.origin,
        "phantoms": run.phantoms,
        "configuration": to_dict(run.config),
        "versions": versions(),
        "code": code_version(),
        "stages": {name: _stage(run.workspace.stage(name)) for name in _DONE_BEFORE},
    }


def _stage(folder: Path) -> dict[str, Any]:
    marker = read_marker(folder) or {"summary": {}, "files": {}}
    summary = dict(marker["summary"])
    facts = {
        "seconds": summary.pop("seconds", None),
        "summary": summary,
        "files": len(marker["files"]),
        "digest": digest(marker["files"]),
    }
    return facts | ({"digests": marker["files"]} if folder.name in _WHOLE_LISTS else {})


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that are installed."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def set_aside(run: Run) -> list[dict[str, str]]:
    """The cases that a stage could not work on: stage, case_id, reason."""
    folders = [(name, run.workspace.stage(name) / "failures") for name in _MAPS]
    return [
        {"stage": name, "case_id": record["case_id"], "reason": record["reason"]}
        for name, folder in folders
        if folder.is_dir()
        for uri in shard_uris(str(folder))
        for record in read_shard(uri)
    ]
