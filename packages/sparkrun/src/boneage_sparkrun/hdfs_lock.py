"""A lock file on HDFS, which cannot free it when its holder is killed: the holder gives signs of life.

The file names its holder and counts up. Who finds it watches: where it does not change for a while, by the watcher's
own clock, the holder is dead, and the file is moved aside under a name made from what was seen. Of several watchers one
succeeds, and none can move away the file of a new holder.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from .errors import StorageError
from .storage import PART

if TYPE_CHECKING:
    from .hdfs_storage import HdfsStorage

__all__ = ["hold"]


@contextmanager
def hold(storage: HdfsStorage, uri: str, beat_s: float = 2.0, dead_after_s: float = 10.0) -> Iterator[None]:
    """Holds a lock file while the context lasts.

    Args:
        storage: Where it is.
        uri: The file.
        beat_s: Between two signs of life.
        dead_after_s: A holder that gives none for so long is dead.

    Raises:
        StorageError: Of kind `locked`: another process holds it.
    """
    owner = f"{socket.gethostname()} process {os.getpid()} {uuid.uuid4().hex}"
    _acquire(storage, uri, _mark(owner, 0), dead_after_s)
    done = threading.Event()
    beating = threading.Thread(target=_beat, args=(storage, uri, owner, beat_s, done), daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()
        with suppress(StorageError):  # it goes stale by itself
            if _is_ours(storage, uri, owner):
                storage.remove(uri)


def _acquire(storage: HdfsStorage, uri: str, mark: bytes, dead_after_s: float) -> None:
    while True:
        try:
            return storage.create(uri, mark)
        except StorageError as error:
            if error.kind != "there already":
                raise
        seen = _read(storage, uri)
        if seen is None:
            continue  # it was freed just now
        if not _is_dead(storage, uri, seen, dead_after_s):
            holder = seen.decode(errors="replace").rpartition(" ")[0].rpartition(" ")[0]
            raise StorageError(f"{uri} is held by {holder or 'another process'}", uri, "locked")
        with suppress(StorageError):  # another watcher was quicker
            digest = hashlib.sha256(seen).hexdigest()
            storage.rename(uri, f"{uri.rpartition('/')[0]}/.{digest}{PART}")  # a name that is not listed


def _is_dead(storage: HdfsStorage, uri: str, seen: bytes, dead_after_s: float) -> bool:
    deadline = time.monotonic() + dead_after_s
    while time.monotonic() < deadline:
        time.sleep(min(0.5, dead_after_s / 10))
        if _read(storage, uri) != seen:
            return False
    return True


def _beat(storage: HdfsStorage, uri: str, owner: str, beat_s: float, done: threading.Event) -> None:
    count = 0
    while not done.wait(beat_s):
        count += 1
        with suppress(StorageError):  # HDFS may be away for a while; the next beat may come through
            if _is_ours(storage, uri, owner):
                storage.write(uri, _mark(owner, count))


def _is_ours(storage: HdfsStorage, uri: str, owner: str) -> bool:
    seen = _read(storage, uri)
    return seen is not None and seen.startswith(owner.encode())


def _read(storage: HdfsStorage, uri: str) -> bytes | None:
    try:
        return storage.read(uri)
    except StorageError as error:
        if error.kind != "missing":
            raise
        return None


def _mark(owner: str, count: int) -> bytes:
    return f"{owner} {count}".encode()
