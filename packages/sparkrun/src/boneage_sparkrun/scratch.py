"""Folders of this machine for a little while; those of killed processes are removed by the next one."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["scratch_folder", "temporary_files_in_scratch"]


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Gives an empty folder, which is gone when the context ends; or, after kill -9, when the next one begins.

    A folder is locked while its process lives: the system frees the lock, however the process ended.
    """
    _sweep()
    folder, lock = _make()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextlib.contextmanager
def temporary_files_in_scratch() -> Iterator[None]:
    """Has libraries put their temporary files into a scratch folder, so that those go, too, after kill -9."""
    before = tempfile.tempdir
    with scratch_folder() as folder:
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


def _prefix() -> str:
    return f"sparkrun-{os.getuid()}-"


def _make() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_prefix()))
        lock = _lock(folder)
        if lock is not None:
            return folder, lock  # else another process has just swept it


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_prefix()}*"):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Takes the lock of a folder that is there and nobody's; None otherwise."""
    import fcntl  # not everywhere

    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_nlink:  # it was not removed between
                return handle
        os.close(handle)
    return None
