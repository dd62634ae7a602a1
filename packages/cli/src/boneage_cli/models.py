"""Model folders: where they are, and how one takes another's place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from boneage_cli.errors import CallError
from boneage_sparkrun.place import Place

__all__ = [
    "check_replaceable",
    "find_regression",
    "find_shipped_segmentation",
    "is_model_folder",
    "replace_folder",
]


def find_regression(folder: Path | None) -> Path:
    """The regression model in a run's folder, in a model folder, or the shipped one.

    Raises:
        CallError: If there is none.
    """
    if folder is None:
        from boneage_regression.inference import default_model

        return default_model()
    return _find(folder, (folder / "train-regression" / "model", folder))


def find_segmentation(folder: Path | None) -> Path:
    """The segmentation model in a run's folder, in a model folder, or the shipped one.

    Raises:
        CallError: If there is none.
    """
    if folder is None:
        return find_shipped_segmentation()
    # A regression model brings its segmentation along, so that goes before the folder itself.
    return _find(folder, (folder / "train-segmentation" / "model", folder / "segmentation", folder))


def find_shipped_segmentation() -> Path:
    """The segmentation model that comes with the package."""
    from boneage_segmentation.inference import default_model

    return default_model()


def _find(folder: Path, candidates: tuple[Path, ...]) -> Path:
    for candidate in candidates:
        if (candidate / "model.json").is_file():
            return candidate
    raise CallError(
        f"received {folder} for --model, which holds no model; a run's folder or a model folder would do"
    )


def is_model_folder(folder: Path) -> bool:
    """Whether a folder is a model's of ours, by what its model.json says."""
    try:
        metadata = json.loads((folder / "model.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(metadata, dict) and str(metadata.get("format", "")).startswith("boneage-")


def check_replaceable(out: Path) -> None:
    """Makes sure that a model may be written to a place: nothing is there, or a model of ours.

    Raises:
        CallError: If something else is there.
    """
    if out.exists() and not is_model_folder(out):
        raise CallError(
            f"received {out} for --out, which is there and is no model folder; a new name would do"
        )


def replace_folder(source: Place, target: Path, aside: Path) -> None:
    """Copies a folder into the place of another. Cut off anywhere, it can be called again.

    Args:
        source: The folder.
        target: Its new place.
        aside: A folder on the target's disk for what is on its way; it can be removed afterwards.
    """
    shutil.rmtree(aside, ignore_errors=True)
    source.copy_folder(Place(aside / "new"))
    if target.exists():
        target.rename(aside / "old")
    (aside / "new").rename(target)
