"""Markers of finished stages: what was done is not done twice, what changed is done again."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
from pathlib import Path
from typing import Any

from boneage_sparkrun.errors import StorageError
from boneage_sparkrun.place import Place

__all__ = ["code_version", "digest", "is_done", "mark_done", "outputs", "read_marker"]

MARKER = "done.json"
_LOGS = (".log", ".jsonl")
_PACKAGES = (
    "boneage_imaging",
    "boneage_segmentation",
    "boneage_regression",
    "boneage_sparkrun",
    "boneage_cli",
)


def digest(value: Any) -> str:
    """SHA-256 of a JSON-able value, the same for equal values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@functools.cache
def code_version() -> str:
    """SHA-256 over the files of the five packages, shipped models too."""
    total = hashlib.sha256()
    for name in _PACKAGES:
        folder = Path(str(importlib.import_module(name).__file__)).parent
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"):
            total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


def mark_done(folder: Place, key: str, summary: dict[str, Any]) -> None:
    """Writes the marker of a stage, last of all: its key, its summary, and the digests of its files."""
    marker = {"key": key, "summary": summary, "files": _file_digests(folder)}
    (folder / MARKER).write_bytes(json.dumps(marker, indent=1).encode())


def is_done(folder: Place, key: str) -> bool:
    """Whether the stage was finished for the same key and every file it wrote is still as it was."""
    marker = read_marker(folder)
    try:
        return marker is not None and marker["key"] == key and marker["files"] == _file_digests(folder)
    except StorageError:  # a link that leads nowhere, say
        return False


def read_marker(folder: Place) -> dict[str, Any] | None:
    """The marker of a stage, or None if there is none that can be read."""
    try:
        marker: dict[str, Any] = json.loads((folder / MARKER).read_bytes())
    except (StorageError, ValueError):
        return None
    return marker if isinstance(marker, dict) and {"key", "summary", "files"} <= set(marker) else None


def outputs(folder: Place) -> dict[str, str] | None:
    """The digests of what a finished stage gives to others, None if it is not done.

    Logs are not among them: no stage reads them, and they tell of times.
    """
    marker = read_marker(folder)
    if marker is None:
        return None
    return {name: value for name, value in marker["files"].items() if not name.endswith(_LOGS)}


def _file_digests(folder: Place) -> dict[str, str]:
    """Hidden files are not the stage's: a desktop puts them there."""
    names = (name for name in sorted(folder.files()) if name != MARKER)
    return {name: (folder / name).digest() for name in names if not name.rpartition("/")[2].startswith(".")}
