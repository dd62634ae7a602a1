"""HDFS by WebHDFS, as a storage: what fails in passing is tried again, and what was written is looked at.

Each call gives up after about 20 s of failing. Meanwhile it asks the NameNodes in turn, and steers clear of hosts
whose DataNode did not answer.
"""

from __future__ import annotations

import functools
import getpass
import itertools
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .errors import StorageError
from .hdfs_addresses import HANDED_ON, find_addresses, split_uri
from .hdfs_errors import ShortFileError, understand
from .storage import PART, FileStatus, Uri, is_part

__all__ = ["HdfsStorage", "open_hdfs"]

_Result = TypeVar("_Result")
_CHUNK_BYTES = 1 << 20
_LONGEST_PAUSE_S = 2.0


def open_hdfs(uri: str, webhdfs: str | None = None) -> HdfsStorage:
    """Finds the storage of an hdfs:// URI; one per process and file system.

    Args:
        uri: Anything in it.
        webhdfs: Where WebHDFS answers; None: told by the environment, see `hdfs_addresses`.

    Raises:
        StorageError: It is no such URI, or nothing tells where to ask.
    """
    authority, _ = split_uri(uri)
    settings = (HANDED_ON, "WEBHDFS_ADDRESS", "HADOOP_CONF_DIR", "HADOOP_USER_NAME", "WEBHDFS_TOKEN")
    return _open(authority, webhdfs, os.getpid(), *(os.environ.get(name) for name in settings))


@functools.lru_cache(maxsize=16)
def _open(authority: str, webhdfs: str | None, *_: object) -> HdfsStorage:
    addresses = find_addresses(authority, webhdfs)
    return HdfsStorage(addresses, os.environ.get("HADOOP_USER_NAME"), os.environ.get("WEBHDFS_TOKEN"))


class HdfsStorage:
    """The files of one HDFS.

    Args:
        addresses: Of the NameNodes' web servers, in the order to try.
        user: Who asks; None: who runs this process.
        token: A delegation token to pass on, which says who asks.
        patience_s: How long to try again what fails in passing.
        timeout_s: How long to wait for each answer, and for each bit of data.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        user: str | None = None,
        token: str | None = None,
        *,
        patience_s: float = 18.0,
        timeout_s: float = 10.0,
    ) -> None:
        try:
            from hdfs.client import InsecureClient, TokenClient
        except ImportError as error:
            raise StorageError("HDFS needs the extra: pip install 'boneage-sparkrun[spark]'") from error
        logging.getLogger("hdfs").addHandler(logging.NullHandler())  # it warns on standard error otherwise
        self._addresses = list(addresses)
        self._patience_s = patience_s
        where = {"url": ";".join(self._addresses), "timeout": (min(timeout_s, 5.0), timeout_s)}
        self._client: Any = TokenClient(token=token, **where) if token else None
        self._client = self._client or InsecureClient(user=user or getpass.getuser(), **where)
        self._client.resolve = str  # paths are absolute, and a name may hold its mark #LATEST

    def read(self, uri: Uri) -> bytes:
        """Reads a whole file."""
        path = _path(uri)
        return self._try(
            "read", uri, lambda away: b"".join(self._stream(path, 0, _CHUNK_BYTES, away)), data=True
        )

    def read_chunks(self, uri: Uri, chunk_bytes: int = _CHUNK_BYTES) -> Iterator[bytes]:
        """Reads a file bit by bit, and goes on where another DataNode must take over."""
        path, entry, position = _path(uri), self._entry("read", uri), 0
        while position < entry["length"]:
            chunks: Iterator[bytes] = iter(())

            def first(away: set[str], at: int = position) -> bytes:
                nonlocal chunks
                if self._client.status(path)["fileId"] != entry["fileId"]:
                    raise StorageError(
                        f"cannot read {os.fspath(uri)}: it was replaced meanwhile", os.fspath(uri)
                    )
                chunks = self._stream(path, at, chunk_bytes, away)
                if not (chunk := next(chunks, b"")):
                    raise ShortFileError(f"{at} of {entry['length']} bytes arrived")
                return chunk

            chunk: bytes | None = self._try("read", uri, first, data=True)
            while chunk:
                position += len(chunk)
                yield chunk
                try:
                    chunk = next(chunks, None)
                except (OSError, ShortFileError):
                    break  # and try again from here

    def write(self, uri: Uri, data: bytes, *, lasting: bool = True) -> None:  # noqa: ARG002 - always so
        """Writes a file whole or not at all: beside its place first, looked at, then renamed."""
        self._place(uri, data, "OVERWRITE")

    def settle(self, uri: Uri) -> None:
        """Does nothing: what the NameNode has answered lasts."""

    def create(self, uri: Uri, data: bytes) -> None:
        """Writes a file that must not be there yet: of several who try, one does."""
        self._place(uri, data, "NONE")

    def list(self, uri: Uri) -> list[str]:
        """Names the files and folders in a folder, sorted; files half written are not listed."""
        return sorted(entry["pathSuffix"] for entry in self._entries(uri) if not is_part(entry["pathSuffix"]))

    def exists(self, uri: Uri) -> bool:
        """Tells whether a file or folder is there."""
        try:
            self._entry("look at", uri)
        except StorageError as error:
            if error.kind != "missing":
                raise
            return False
        return True

    def remove(self, uri: Uri) -> None:
        """Removes a file or a folder with all in it; nothing there is fine."""
        path = _path(uri)
        if path == "/":
            raise StorageError(
                f"received {os.fspath(uri)}; the whole file system is not removed", os.fspath(uri)
            )
        self._try("remove", uri, lambda _: self._client.delete(path, recursive=True))

    def make_folder(self, uri: Uri) -> None:
        """Makes a folder and those above it; one that is there is fine."""
        path = _path(uri)
        self._try("make", uri, lambda _: self._client.makedirs(path))

    def rename(self, source: Uri, target: Uri) -> None:
        """Moves a file or folder within the file system; the target must not be there yet."""
        entry = self._entry("rename", source)
        self.make_folder(os.fspath(target).rstrip("/").rpartition("/")[0] + "/")
        self._move("rename", source, _path(source), _path(target), entry["fileId"], "NONE")

    def status(self, uri: Uri) -> FileStatus:
        """Tells size and age of what must be there."""
        entry = self._entry("look at", uri)
        return FileStatus(entry["type"] == "DIRECTORY", entry["length"], entry["modificationTime"] / 1000)

    def digest(self, uri: Uri) -> str:
        """Names a file's content by its length and HDFS's own checksum of it."""
        path = _path(uri)

        def ask(away: set[str]) -> str:
            found = self._client._get_file_checksum(path, **_excluded(away)).json()["FileChecksum"]
            return f"{found['algorithm']}:{found['bytes']}"

        return f"{self._entry('read', uri)['length']}:{self._try('read', uri, ask, data=True)}"

    def sweep(self, uri: Uri) -> None:
        """Removes what killed writers left half written in a folder."""
        for entry in self._entries(uri):
            if is_part(entry["pathSuffix"]):
                self.remove(f"{os.fspath(uri).rstrip('/')}/{entry['pathSuffix']}")

    def lock(self, uri: Uri) -> AbstractContextManager[None]:
        """Holds a lock file while the context lasts; a killed process's is taken over after a while."""
        from .hdfs_lock import hold

        return hold(self, os.fspath(uri))

    def _place(self, uri: Uri, data: bytes, option: str) -> None:
        path = _path(uri)
        beside = f"{path.rpartition('/')[0]}/.{uuid.uuid4().hex}{PART}"
        try:
            entry = self._try("write", uri, lambda away: self._create(beside, data, away), data=True)
            self._move("write", uri, beside, path, entry["fileId"], option)
        except BaseException:
            with suppress(Exception):
                self._client.delete(beside)
            raise

    def _entries(self, uri: Uri) -> Sequence[dict[str, Any]]:
        path = _path(uri)
        answer = self._try("list", uri, lambda _: self._client._list_status(path).json())
        entries: Sequence[dict[str, Any]] = answer["FileStatuses"]["FileStatus"]
        if any(entry["pathSuffix"] == "" for entry in entries):
            raise StorageError(f"cannot list {os.fspath(uri)}: it is a file", os.fspath(uri))
        return entries

    def _entry(self, verb: str, uri: Uri) -> dict[str, Any]:
        path = _path(uri)
        return self._try(verb, uri, lambda _: self._client._get_file_status(path).json()["FileStatus"])

    def _create(self, path: str, data: bytes, away: set[str]) -> dict[str, Any]:
        place = self._client._create(path, overwrite="true", **_excluded(away)).headers["location"]
        answer = self._client._request(method="PUT", url=place, data=data)
        if not answer:
            from hdfs.client import _to_error

            raise _to_error(answer)
        # 201 Created is also said of a file that no DataNode took a block of.
        entry: dict[str, Any] = self._client._get_file_status(path).json()["FileStatus"]
        if entry["length"] != len(data):
            raise ShortFileError(f"{entry['length']} of {len(data)} bytes arrived")
        return entry

    def _stream(self, path: str, position: int, chunk_bytes: int, away: set[str]) -> Iterator[bytes]:
        answer = self._client._open(path, offset=position, **_excluded(away))
        wanted, length = int(answer.headers["Content-Length"]), 0
        with closing(answer):
            for chunk in answer.iter_content(chunk_bytes):
                length += len(chunk)
                yield chunk
        if length != wanted:
            raise ShortFileError(f"{length} of {wanted} bytes arrived")

    def _move(self, verb: str, uri: Uri, source: str, target: str, file_id: int, option: str) -> None:
        def move(_: set[str]) -> None:
            try:
                self._client._rename(source, destination=target, renameoptions=option)
            except Exception:
                # The answer to an earlier try may have been lost: is it there?
                there = self._client.status(target, strict=False)
                if there is None or there["fileId"] != file_id:
                    raise

        self._try(verb, uri, move)

    def _try(
        self, verb: str, uri: Uri, attempt: Callable[[set[str]], _Result], *, data: bool = False
    ) -> _Result:
        """Attempts something until it holds, cannot hold, or patience is out.

        `attempt` takes the hosts to steer clear of. `data`: DataNodes take part.
        """
        from hdfs.util import HdfsError

        deadline = time.monotonic() + self._patience_s
        away: set[str] = set()
        for turn in itertools.count():
            try:
                return attempt(away)
            except StorageError:
                raise
            except (HdfsError, OSError, ShortFileError, ValueError, KeyError, TypeError) as error:
                failure = understand(verb, os.fspath(uri), self._addresses, error, moves_data=data)
                pause = min(0.1 * 2**turn, _LONGEST_PAUSE_S)
                if not failure.passing or time.monotonic() + pause > deadline:
                    raise failure.error from error
                silent = self._silent_datanode(error)
                away = away ^ silent if silent else set()  # never all of them for long
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _silent_datanode(self, error: Exception) -> set[str]:
        url = getattr(getattr(error, "request", None), "url", None)
        if not url or any(urlsplit(url).netloc == urlsplit(address).netloc for address in self._addresses):
            return set()
        return {urlsplit(url).hostname or ""}


def _path(uri: Uri) -> str:
    return split_uri(os.fspath(uri))[1]


def _excluded(away: set[str]) -> dict[str, str]:
    return {"excludedatanodes": ",".join(sorted(away))} if away else {}
