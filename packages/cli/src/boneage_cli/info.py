"""What is installed, which models come with it, and which stages and presets there are."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from boneage_cli.pipeline import STAGES
from boneage_cli.presets import PRESETS
from boneage_regression.inference import default_model as default_regression
from boneage_segmentation.inference import default_model as default_segmentation

__all__ = ["describe"]

NOTICE = "Not a medical device."
_OURS = tuple(f"boneage-{name}" for name in ("imaging", "segmentation", "regression", "sparkrun", "cli"))
_BASE = ("numpy", "opencv-python-headless", "onnxruntime", "pyarrow", "jinja2", "typer", "rich")
_EXTRAS = {
    "train": ("tensorflow", "keras", "tf2onnx", "onnx", "matplotlib"),
    "spark": ("pyspark", "tensorflowonspark", "hdfs"),
    "dicom": ("pydicom",),
}
_MODELS: dict[str, Callable[[], Path]] = {
    "segmentation": default_segmentation,
    "regression": default_regression,
}
_FACTS = ("architecture", "input_size", "reference_standard", "licence")


def describe() -> tuple[dict[str, Any], list[str]]:
    """Tells what there is. Nothing heavy is imported for it: versions come from the installation's records.

    Returns:
        The same for machines (JSON-able) and as lines for people.
    """
    packages = {name: _version(name) for name in (*_OURS, *_BASE)}
    extras = {extra: {name: _version(name) for name in names} for extra, names in _EXTRAS.items()}
    models = {name: _describe_model(find) for name, find in _MODELS.items()}
    stages = [{"name": s.name, "reads": list(s.reads), "settings": list(s.settings)} for s in STAGES]
    summary = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
        "extras": extras,
        "models": models,
        "stages": stages,
        "presets": PRESETS,
        "notice": NOTICE,
    }
    lines = [
        f"python {platform.python_version()} on {platform.platform()}",
        *(f"{name} {found or 'not installed'}" for name, found in packages.items()),
        *(_extra_line(extra, found) for extra, found in extras.items()),
        *(line for name, model in models.items() for line in _model_lines(name, model)),
        "stages:",
        *(f"  {stage.name}" + _reads(stage.reads) for stage in STAGES),
        f"presets: {', '.join(PRESETS)}",
        NOTICE,
    ]
    return summary, lines


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _extra_line(extra: str, found: dict[str, str | None]) -> str:
    told = ", ".join(f"{name} {number or 'not installed'}" for name, number in found.items())
    return f"extra [{extra}]: {told}"


def _reads(stages: tuple[str, ...]) -> str:
    return f" (reads {', '.join(stages)})" if stages else ""


def _describe_model(find: Callable[[], Path]) -> dict[str, Any] | None:
    """The whole of a shipped model's model.json, with its folder and card; None if none is shipped."""
    try:
        folder = find()
        metadata: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return None
    cards = sorted(str(path) for path in folder.glob("*.md"))
    return {"folder": str(folder), "card": cards[0] if cards else None, **metadata}


def _model_lines(name: str, model: dict[str, Any] | None) -> list[str]:
    if model is None:
        return [f"{name} model: none is shipped"]
    facts = [*((fact, model.get(fact)) for fact in _FACTS), *dict(model.get("summary") or {}).items()]
    plain = [(fact, value) for fact, value in facts if isinstance(value, str | int | float | list)]
    return [
        f"{name} model: {model['folder']}",
        f"  digest: {model.get('digest')}",
        *(f"  {fact.replace('_', ' ')}: {_plain(value)}" for fact, value in plain),
        *([f"  card: {model['card']}"] if model["card"] else []),
    ]


def _plain(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, list) else str(value)
