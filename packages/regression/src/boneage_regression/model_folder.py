"""The model folder: written whole or not at all, and believed only where its digests hold.

::

    model.json              what the model is: see `exporting.export`
    model.onnx              the graph that inference runs
    weights/0.weights.h5    each network's weights, to go on training from
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from boneage_regression.errors import ModelError

__all__ = [
    "FORMAT",
    "GRAPH",
    "check_file",
    "copy_model_folder",
    "read_metadata",
    "weights_name",
    "write_model_folder",
]

FORMAT = "boneage-regression/1"
GRAPH = "model.onnx"
_METADATA = "model.json"


def weights_name(index: int) -> str:
    """Name of a network's weights inside the model folder."""
    return f"weights/{index}.weights.h5"


def write_model_folder(folder: Path, fill: Callable[[Path], dict[str, Any]]) -> None:
    """Write a model folder beside its place and move it there at the end, in exchange for an older one.

    Args:
        folder: Where it shall stand.
        fill: Writes the files into the folder that it is given, and returns the metadata. Where it raises,
            nothing changes.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".part", dir=folder.parent))
    try:
        new = work / "new"
        new.mkdir()
        metadata = fill(new)
        metadata = {
            **metadata,
            "format": FORMAT,
            "files": {path.relative_to(new).as_posix(): _sha256(path) for path in _files(new)},
        }
        metadata["digest"] = _digest(metadata)
        text = json.dumps(metadata, indent=1, sort_keys=True, allow_nan=False)
        (new / _METADATA).write_text(text + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(work / "old")
        new.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def copy_model_folder(source: Path, folder: Path, changes: dict[str, Any]) -> None:
    """Copy a model folder with all that lies in it, and change what its model.json says; see `write_model_folder`.

    Args:
        source: A model folder.
        folder: Where the copy shall stand; the source's own place, too.
        changes: Fields of model.json that are added, or replaced.

    Raises:
        ModelError: The source is no model folder, or a file in it is not the one that was written.
    """
    metadata = read_metadata(source)

    def fill(new: Path) -> dict[str, Any]:
        names = {path.relative_to(source).as_posix() for path in _files(source)} - {_METADATA}
        # The graph must be there; weights, which only training reads, may have been left behind.
        for name in sorted({GRAPH} | (names & set(metadata["files"]))):
            check_file(source, metadata, name)
        for name in names:
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, new / name)
        return metadata | changes

    write_model_folder(folder, fill)


def read_metadata(folder: Path) -> dict[str, Any]:
    """Read model.json and check its own digest.

    Raises:
        ModelError: No model folder, an unreadable or changed model.json, or another format.
    """
    try:
        metadata = json.loads((folder / _METADATA).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(folder, f"there is no {_METADATA}") from None
    except OSError as error:
        raise ModelError(folder, f"{_METADATA} cannot be read: {error.strerror}") from error
    except (RecursionError, ValueError) as error:
        raise ModelError(folder, f"{_METADATA} is no JSON: it was changed or damaged") from error
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ModelError(folder, f"{_METADATA} is not of the format {FORMAT}")
    if metadata.get("digest") != _digest(metadata):
        raise ModelError(folder, f"{_METADATA} does not match its own digest: it was changed or damaged")
    if not isinstance(metadata.get("files"), dict):
        raise ModelError(folder, f"{_METADATA} lacks the list of the folder's files")
    return metadata


def check_file(folder: Path, metadata: dict[str, Any], name: str) -> Path:
    """The path of one of the folder's files, its content checked.

    Raises:
        ModelError: The file is missing, or is not the one that was written.
    """
    path = folder / name
    expected = metadata["files"].get(name)
    if expected is None or not path.is_file():
        raise ModelError(folder, f"there is no {name}")
    if _sha256(path) != expected:
        raise ModelError(folder, f"{name} does not match its digest: it was changed or damaged")
    return path


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(metadata: dict[str, Any]) -> str:
    rest = {name: value for name, value in metadata.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
