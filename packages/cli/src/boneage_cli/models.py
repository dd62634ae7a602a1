"""Model folders: where they are, and how one takes another's place."""

from __future__ import annotations

import uuid
from pathlib import Path

from boneage_cli.errors import CallError
from boneage_sparkrun.place import Place

__all__ = ["find_regression", "find_shipped_segmentation", "replace_folder"]


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


def replace_folder(source: Place, target: Path) -> None:
    """Copies a folder into the place of another, whole or not at all."""
    beside = Place(target.with_name(f".{target.name}.{uuid.uuid4().hex}.part"))
    try:
        source.copy_folder(beside)
        Place(target).remove()
        beside.rename(Place(target))
    finally:
        beside.remove()
