"""Files and folders by URI: read, written whole or not at all, listed in order.

A URI is a plain path, a path-like object, `file:///...` or `hdfs://...`. Only `join` makes names out of parts that
come from data (the ids of a table, say); it refuses those that would lead out of the folder.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol
from urllib.parse import quote

from .errors import StorageError

__all__ = ["PART", "FileStatus", "Storage", "Uri", "absolute", "is_part", "join", "open_storage"]

Uri = str | os.PathLike[str]
PART = ".part"


@dataclasses.dataclass(frozen=True)
class FileStatus:
    """What is known of a file or folder.

    Attributes:
        is_folder: Or a file.
        size_bytes: Of a file; 0 for a folder.
        modified_s: When it was changed last, in seconds since 1970, by the clock of where it lies.
    """

    is_folder: bool
    size_bytes: int
    modified_s: float


class Storage(Protocol):
    """What the package asks of a file system. Each method raises StorageError where it cannot do its work."""

    def read(self, uri: Uri) -> bytes:
        """Reads a whole file."""
        ...

    def write(self, uri: Uri, data: bytes, *, lasting: bool = True) -> None:
        """Writes a file whole or not at all, in place of an older one; makes the folders above it.

        Unless it is to be `lasting` at once, a power cut may undo the writing until the folder is settled.
        """
        ...

    def settle(self, uri: Uri) -> None:
        """Makes last what was written into a folder, not into those below it."""
        ...

    def list(self, uri: Uri) -> list[str]:
        """Names the files and folders in a folder, sorted."""
        ...

    def exists(self, uri: Uri) -> bool:
        """Tells whether a file or folder is there."""
        ...

    def remove(self, uri: Uri) -> None:
        """Removes a file or a folder with all in it; nothing there is fine."""
        ...

    def make_folder(self, uri: Uri) -> None:
        """Makes a folder and those above it; one that is there is fine."""
        ...

    def rename(self, source: Uri, target: Uri) -> None:
        """Moves a file or folder within the file system; the target must not be there yet."""
        ...

    def read_chunks(self, uri: Uri, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Reads a file bit by bit: all of it, or StorageError."""
        ...

    def status(self, uri: Uri) -> FileStatus:
        """Tells size and age of what must be there."""
        ...

    def digest(self, uri: Uri) -> str:
        """Names a file's content: the same content has the same digest in the same file system, and no other has."""
        ...

    def sweep(self, uri: Uri) -> None:
        """Removes what killed writers left half written in a folder, not in those below it."""
        ...

    def lock(self, uri: Uri) -> AbstractContextManager[None]:
        """Holds a lock file while the context lasts; StorageError of kind `locked` if another process does.

        A killed process holds none: here at once, on HDFS after a while.
        """
        ...


def open_storage(uri: Uri, webhdfs: str | None = None) -> Storage:
    """Finds the storage that a URI belongs to.

    Args:
        uri: A path, file:///... or hdfs://...
        webhdfs: For hdfs: where WebHDFS answers, `http://host:9870`, several NameNodes' with commas between. None: told
            by the environment, see `hdfs_addresses`.

    Returns:
        Its storage.

    Raises:
        StorageError: Nothing is known of such a place.
    """
    text = os.fspath(uri)
    if text.startswith("hdfs:"):
        from .hdfs_storage import open_hdfs

        return open_hdfs(text, webhdfs)
    from .local_storage import LocalStorage, local_path

    local_path(uri)
    return LocalStorage()


def join(uri: Uri, *parts: str) -> str:
    """Names something in a folder.

    Args:
        uri: The folder.
        parts: One name each, however they came about: none may lead elsewhere.

    Returns:
        The URI, of the kind that was given.

    Raises:
        StorageError: A part is empty, "." or "..", or has a separator or NUL in it.
    """
    folder = os.fspath(uri)
    for part in parts:
        if not isinstance(part, str) or part in ("", ".", "..") or any(sign in part for sign in "/\\\0"):
            raise StorageError(
                f"received {part!r} as a name in {folder}; a name must not be empty, '.' or '..', "
                "nor contain '/', '\\' or NUL",
                folder,
            )
    names = [quote(part) for part in parts] if folder.startswith("file:") else list(parts)
    head = folder if folder.endswith("/") or not names else f"{folder}/"
    return head + "/".join(names)


def absolute(uri: Uri) -> str:
    """A URI that means the same in every process of the machine, whatever folder that is in."""
    text = os.fspath(uri)
    return text if "://" in text else os.path.abspath(text)  # noqa: PTH100 - of text, and following no link


def is_part(name: str) -> bool:
    """Tells whether this is the name of a file half written."""
    return name.startswith(".") and name.endswith(PART)
