"""The model folder: written whole or not at all, and believed only where its digests hold.

::

    model.json          what the model is: see `exporting.export`
    model.onnx          the graph that inference runs
    model.weights.h5    the network's weights, to go on training from
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import ModelError
from .files import write_folder

__all__ = [
    "FORMAT",
    "GRAPH",
    "KIND",
    "METADATA",
    "WEIGHTS",
    "check_file",
    "read_metadata",
    "write_model_folder",
]

FORMAT = "boneage-segmentation/1"
KIND = "segmentation"
GRAPH = "model.onnx"
METADATA = "model.json"
WEIGHTS = "model.weights.h5"


def write_model_folder(folder: Path, fill: Callable[[Path], dict[str, Any]]) -> None:
    """Writes a model folder beside its place and moves it there at the end, in exchange for an older one.

    Args:
        folder: Where it shall stand.
        fill: Writes the files into the folder that it is given, and returns the metadata. Where it raises,
            nothing changes.
    """

    def write(new: Path) -> None:
        metadata = {**fill(new), "format": FORMAT}
        metadata["files"] = {path.name: _hash(path.read_bytes()) for path in sorted(new.iterdir())}
        metadata["digest"] = _digest(metadata)
        text = json.dumps(metadata, indent=1, sort_keys=True, allow_nan=False)
        (new / METADATA).write_text(text + "\n", encoding="utf-8")

    write_folder(folder, write)


def read_metadata(folder: Path) -> dict[str, Any]:
    """Reads model.json and checks its own digest.

    Raises:
        ModelError: No model folder, an unreadable or changed model.json, or another kind or format.
    """
    try:
        metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(
            folder, f"there is no {METADATA}; the folder that `export` wrote is needed"
        ) from None
    except OSError as error:
        raise ModelError(folder, f"{METADATA} cannot be read: {error.strerror}") from error
    except (RecursionError, ValueError) as error:
        raise ModelError(folder, f"{METADATA} is no JSON: it was changed or damaged") from error
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        received = metadata.get("format") if isinstance(metadata, dict) else type(metadata).__name__
        raise ModelError(folder, f"{METADATA} must be of the format {FORMAT}; received {received}")
    if metadata.get("digest") != _digest(metadata):
        raise ModelError(folder, f"{METADATA} does not match its own digest: it was changed or damaged")
    if not isinstance(metadata.get("files"), dict):
        raise ModelError(folder, f"{METADATA} lacks the list of the folder's files")
    return metadata


def check_file(folder: Path, metadata: dict[str, Any], name: str) -> Path:
    """Finds one of the folder's files and checks its content.

    Raises:
        ModelError: The file is missing, or is not the one that was written.
    """
    path = folder / name
    expected = metadata["files"].get(name)
    if expected is None or not path.is_file():
        raise ModelError(folder, f"there is no {name}")
    if _hash(path.read_bytes()) != expected:
        raise ModelError(folder, f"{name} does not match its digest: it was changed or damaged")
    return path


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(metadata: dict[str, Any]) -> str:
    rest = {name: value for name, value in metadata.items() if name != "digest"}
    return _hash(json.dumps(rest, sort_keys=True).encode())
