"""Files and folders by URI: read, written whole or not at all, listed in order.

A URI is a plain path, a path-like object or `file://...`. Only `join` makes names out of parts that come
from data (the ids of a table, say); it refuses those that would lead out of the folder.
"""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

from .errors import StorageError

__all__ = ["LocalStorage", "Storage", "Uri", "join", "open_storage"]

Uri = str | os.PathLike[str]
_PART = ".part"


class Storage(Protocol):
    """What the package asks of a file system. Each method raises StorageError where it cannot do its work."""

    def read(self, uri: Uri) -> bytes:
        """Reads a whole file."""
        ...

    def write(self, uri: Uri, data: bytes) -> None:
        """Writes a file whole or not at all, in place of an older one; makes the folders above it."""
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


class LocalStorage:
    """The folders of this machine."""

    def read(self, uri: Uri) -> bytes:
        """Reads a whole file."""
        try:
            return _path(uri).read_bytes()
        except OSError as error:
            raise _failure("read", uri, error) from error

    def write(self, uri: Uri, data: bytes) -> None:
        """Writes a file whole or not at all: beside its place first, then renamed."""
        path = _path(uri)
        beside = path.with_name(f".{uuid.uuid4().hex}{_PART}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with beside.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
            _sync_folder(path.parent)
        except OSError as error:
            raise _failure("write", uri, error) from error

    def list(self, uri: Uri) -> list[str]:
        """Names the files and folders in a folder, sorted; files half written are not listed."""
        try:
            return sorted(path.name for path in _path(uri).iterdir() if not _is_part(path.name))
        except OSError as error:
            raise _failure("list", uri, error) from error

    def exists(self, uri: Uri) -> bool:
        """Tells whether a file or folder is there."""
        return _path(uri).exists()

    def remove(self, uri: Uri) -> None:
        """Removes a file or a folder with all in it; nothing there is fine."""
        path = _path(uri)
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise _failure("remove", uri, error) from error

    def make_folder(self, uri: Uri) -> None:
        """Makes a folder and those above it; one that is there is fine."""
        try:
            _path(uri).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _failure("make", uri, error) from error

    def rename(self, source: Uri, target: Uri) -> None:
        """Moves a file or folder within the file system; the target must not be there yet."""
        place = _path(target)
        if place.exists():
            raise StorageError(
                f"cannot rename {os.fspath(source)} to {os.fspath(target)}: something is there already",
                os.fspath(target),
            )
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _path(source).rename(place)
            _sync_folder(place.parent)
        except OSError as error:
            raise _failure("rename", source, error) from error


def open_storage(uri: Uri) -> Storage:
    """Finds the storage that a URI belongs to.

    Args:
        uri: A path or file://...

    Returns:
        Its storage.

    Raises:
        StorageError: This version cannot read and write there.
    """
    _path(uri)
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


def _path(uri: Uri) -> Path:
    text = os.fspath(uri)
    if not text or "\0" in text:
        raise StorageError(f"received {text!r}; the path of a file or folder is wanted", text)
    if "://" not in text:
        return Path(text)
    parts = urlsplit(text)
    if parts.scheme != "file":
        raise StorageError(
            f"received {text}; this version reads and writes local folders: give a path or file:///...", text
        )
    if parts.netloc not in ("", "localhost"):
        raise StorageError(f"received {text}; a file:// URI starts with file:/// (three strokes)", text)
    return Path(unquote(parts.path))


def _is_part(name: str) -> bool:
    return name.startswith(".") and name.endswith(_PART)


def _sync_folder(path: Path) -> None:
    """Makes the rename itself last through a power cut, where the system can."""
    if os.name != "posix":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _failure(verb: str, uri: Uri, error: OSError) -> StorageError:
    reason = error.strerror or str(error)
    return StorageError(f"cannot {verb} {os.fspath(uri)}: {reason}", os.fspath(uri))
