"""A place in any storage, used like a path: what reads and writes a run's folder need not know where it lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .scratch import scratch_folder
from .storage import Storage, Uri, join, open_storage

__all__ = ["Place"]


class Place(os.PathLike[str]):
    """A file or folder by its URI. Methods raise StorageError where the storage cannot do their work.

    Args:
        uri: A path, file:///... or hdfs://...

    >>> os.fspath(Place("hdfs://namenode/runs") / "one" / "report.html")
    'hdfs://namenode/runs/one/report.html'
    """

    def __init__(self, uri: Uri) -> None:
        self.uri = os.fspath(uri)

    def __fspath__(self) -> str:
        return self.uri

    def __str__(self) -> str:
        return self.uri

    def __repr__(self) -> str:
        return f"Place({self.uri!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and other.uri == self.uri

    def __hash__(self) -> int:
        return hash(self.uri)

    def __truediv__(self, name: str) -> Place:
        """What is named so in this folder; the name may lead on, down only."""
        return Place(join(self.uri, *name.split("/")))

    @property
    def name(self) -> str:
        """The last part of the URI."""
        return self.uri.rstrip("/").rpartition("/")[2]

    @property
    def storage(self) -> Storage:
        """Where it is."""
        return open_storage(self.uri)

    def exists(self) -> bool:
        """Whether anything is there."""
        return self.storage.exists(self)

    def is_folder(self) -> bool:
        """Whether a folder is there."""
        return self.exists() and self.storage.status(self).is_folder

    def names(self) -> list[str]:
        """What is in the folder, sorted."""
        return self.storage.list(self)

    def files(self) -> Iterator[str]:
        """The files in the folder and in those below it, by the names that lead there, sorted by folder."""
        for name in self.names():
            below = self / name
            if below.is_folder():
                yield from (f"{name}/{rest}" for rest in below.files())
            else:
                yield name

    def read_bytes(self) -> bytes:
        """The whole file."""
        return self.storage.read(self)

    def read_text(self) -> str:
        """The whole file, UTF-8."""
        return self.read_bytes().decode()

    def write_bytes(self, data: bytes) -> None:
        """Writes the file, whole or not at all, and the folders above it."""
        self.storage.write(self, data)

    def make_folder(self) -> None:
        """Makes the folder and those above it; one that is there is fine."""
        self.storage.make_folder(self)

    def remove(self) -> None:
        """Removes the file, or the folder with all in it; nothing there is fine."""
        self.storage.remove(self)

    def rename(self, target: Place) -> None:
        """Moves it within its storage; the target must not be there yet."""
        self.storage.rename(self, target)

    def sweep(self) -> None:
        """Removes what killed writers left half written in the folder and in those below it."""
        self.storage.sweep(self)
        for name in self.names():
            if (self / name).is_folder():
                (self / name).sweep()

    def digest(self) -> str:
        """Names the file's content."""
        return self.storage.digest(self)

    def copy_folder(self, target: Place) -> None:
        """Copies all files of this folder, each whole, into another that may be elsewhere."""
        for name in self.files():
            (target / name).write_bytes((self / name).read_bytes())

    @contextmanager
    def here(self) -> Iterator[Path]:
        """This folder as one of this machine, to be read: itself where it is, a copy otherwise."""
        if local := self._local():
            yield local
            return
        with scratch_folder() as folder:
            self.copy_folder(Place(folder))
            yield folder

    @contextmanager
    def filled(self) -> Iterator[Path]:
        """A folder of this machine to fill: this one where it is local; else its files are copied here at the end."""
        if local := self._local():
            local.mkdir(parents=True, exist_ok=True)
            yield local
            return
        with scratch_folder() as folder:
            yield folder
            Place(folder).copy_folder(self)

    def _local(self) -> Path | None:
        from .local_storage import LocalStorage, local_path

        return local_path(self.uri) if isinstance(self.storage, LocalStorage) else None
