"""The folders of this machine, as a storage."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .errors import StorageError
from .storage import PART, FileStatus, Uri, is_part

__all__ = ["LocalStorage", "local_path"]


class LocalStorage:
    """The folders of this machine."""

    def read(self, uri: Uri) -> bytes:
        """Reads a whole file."""
        try:
            return local_path(uri).read_bytes()
        except OSError as error:
            raise _failure("read", uri, error) from error

    def write(self, uri: Uri, data: bytes, *, lasting: bool = True) -> None:
        """Writes a file whole or not at all: beside its place first, then renamed."""
        path = local_path(uri)
        beside = path.with_name(f".{uuid.uuid4().hex}{PART}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with beside.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
            if lasting:
                _sync_folder(path.parent)
        except OSError as error:
            raise _failure("write", uri, error) from error

    def settle(self, uri: Uri) -> None:
        """Makes the names of a folder's files last through a power cut; their content does already."""
        try:
            _sync_folder(local_path(uri))
        except OSError as error:
            raise _failure("settle", uri, error) from error

    def list(self, uri: Uri) -> list[str]:
        """Names the files and folders in a folder, sorted; files half written are not listed."""
        try:
            return sorted(path.name for path in local_path(uri).iterdir() if not is_part(path.name))
        except OSError as error:
            raise _failure("list", uri, error) from error

    def exists(self, uri: Uri) -> bool:
        """Tells whether a file or folder is there."""
        return local_path(uri).exists()

    def remove(self, uri: Uri) -> None:
        """Removes a file or a folder with all in it; nothing there is fine."""
        path = local_path(uri)
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
            local_path(uri).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _failure("make", uri, error) from error

    def rename(self, source: Uri, target: Uri) -> None:
        """Moves a file or folder within the file system; the target must not be there yet."""
        place = local_path(target)
        if place.exists():
            raise StorageError(
                f"cannot rename {os.fspath(source)} to {os.fspath(target)}: something is there already",
                os.fspath(target),
                "there already",
            )
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            local_path(source).rename(place)
            _sync_folder(place.parent)
        except OSError as error:
            raise _failure("rename", source, error) from error

    def read_chunks(self, uri: Uri, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Reads a file bit by bit."""
        try:
            with local_path(uri).open("rb") as file:
                while chunk := file.read(chunk_bytes):
                    yield chunk
        except OSError as error:
            raise _failure("read", uri, error) from error

    def status(self, uri: Uri) -> FileStatus:
        """Tells size and age of what must be there."""
        path = local_path(uri)
        try:
            found = path.stat()
        except OSError as error:
            raise _failure("look at", uri, error) from error
        is_folder = path.is_dir()
        return FileStatus(is_folder, 0 if is_folder else found.st_size, found.st_mtime)

    def digest(self, uri: Uri) -> str:
        """Names a file's content by its SHA-256."""
        content = hashlib.sha256()
        for chunk in self.read_chunks(uri):
            content.update(chunk)
        return f"sha256:{content.hexdigest()}"

    def sweep(self, uri: Uri) -> None:
        """Removes what killed writers left half written in a folder."""
        try:
            parts = [path for path in local_path(uri).iterdir() if is_part(path.name)]
        except OSError as error:
            raise _failure("list", uri, error) from error
        for path in parts:
            self.remove(path)

    @contextmanager
    def lock(self, uri: Uri) -> Iterator[None]:
        """Holds a lock file while the context lasts; the system frees it when the process ends."""
        import fcntl  # not everywhere

        path = local_path(uri)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a")
        except OSError as error:
            raise _failure("lock", uri, error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                place = os.fspath(uri)
                raise StorageError(f"{place} is held by another process", place, "locked") from error
            yield


def local_path(uri: Uri) -> Path:
    """Tells the path of a local URI.

    Raises:
        StorageError: It is none.
    """
    text = os.fspath(uri)
    if not text or "\0" in text:
        raise StorageError(f"received {text!r}; the path of a file or folder is wanted", text)
    if "://" not in text:
        return Path(text)
    parts = urlsplit(text)
    if parts.scheme != "file":
        raise StorageError(
            f"received {text}; only local folders and HDFS are known: give a path, file:///... or hdfs://...",
            text,
        )
    if parts.netloc not in ("", "localhost"):
        raise StorageError(f"received {text}; a file:// URI starts with file:/// (three strokes)", text)
    return Path(unquote(parts.path))


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
    kinds = {FileNotFoundError: "missing", FileExistsError: "there already", PermissionError: "no permission"}
    return StorageError(
        f"cannot {verb} {os.fspath(uri)}: {reason}", os.fspath(uri), kinds.get(type(error), "")
    )
