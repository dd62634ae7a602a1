"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["write_folder", "write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Writes beside the place and renames: a reader sees the old file or the new one, never a part.

    Args:
        path: The file.
        content: Its bytes.
    """
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fills a new folder beside the place and renames it; what was there before is replaced.

    Args:
        folder: The folder.
        fill: Writes the files into the path that it is given. If it fails, nothing has changed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    try:
        new, old = beside / "new", beside / "old"
        new.mkdir()
        fill(new)
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(beside)
