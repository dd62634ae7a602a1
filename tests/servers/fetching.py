"""What tests need beyond Python: fetched once, pinned by version and checksum, kept in a cache folder.

No host is named here: things come through the ordinary clients of their registries, as those are set up.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

__all__ = ["ChecksumError", "cache_folder", "keep", "verify"]


class ChecksumError(ValueError):
    """What was fetched is not what was pinned."""


def cache_folder() -> Path:
    """Where fetched things are kept: `$XDG_CACHE_HOME/boneage`, or `~/.cache/boneage`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "boneage"


def keep(name: str, make: Callable[[Path], None]) -> Path:
    """The cached folder of this name; made first if it is not there, by one process, whole or not at all.

    Args:
        name: Of the folder, with the version in it: `hadoop-3.3.6`.
        make: Fills the empty folder that it is given.
    """
    folder = cache_folder() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            partial = folder.with_name(f".{name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(folder)
    return folder


def verify(path: Path, sha512: str) -> None:
    """Compares a fetched file with its pinned checksum.

    Raises:
        ChecksumError: If it differs; says both.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha512").hexdigest()
    if found != sha512:
        raise ChecksumError(f"{path.name}: received SHA-512 {found}, where {sha512} was pinned")
