"""Files that people give: never waited for, never larger than can be worked on, told of where they are none."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from boneage_cli.errors import DataError
from boneage_sparkrun.storage import open_storage

__all__ = ["MAX_BYTES", "file_fault", "plain", "read_bounded", "shown"]

MAX_BYTES = 1 << 30
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_FAULTS = {
    errno.ENOENT: "it is not there, or a link that leads nowhere",
    errno.ELOOP: "it is a link that leads in a circle",
    errno.EACCES: "there is no permission to read it",
    errno.EPERM: "there is no permission to read it",
    errno.ENAMETOOLONG: "its name is too long",
}


def file_fault(path: Path) -> str:
    """Why a path is no file that can be read; "" if it is one, as far as can be seen without opening it."""
    try:
        os.fspath(path.absolute()).encode()
        kind = path.stat().st_mode
    except UnicodeEncodeError:
        return "its name, or that of its folder, is not written in UTF-8; a new name would do"
    except ValueError:
        return "its name has a NUL in it"
    except OSError as error:
        return _reason(error)
    return _wrong_kind(kind)


def _wrong_kind(mode: int) -> str:
    return next((f"it is {name}, not a file" for is_kind, name in _KINDS if is_kind(mode)), "")


def _reason(error: OSError) -> str:
    return _FAULTS.get(error.errno or 0, f"it cannot be read: {error.strerror or error}")


def read_bounded(uri: str | Path, most: int = MAX_BYTES) -> bytes:
    """Reads a whole file; a pipe is not waited for, a device not drained.

    Args:
        uri: A path, or a URI that the storage knows.
        most: The most bytes.

    Raises:
        DataError: If it is no file, is larger, or cannot be read; without its name.
        StorageError: If the storage behind a URI cannot be read.
    """
    if "://" in str(uri):
        return open_storage(str(uri)).read(str(uri))
    try:
        # A pipe without a writer would hold up a plain open for ever.
        handle = os.open(uri, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise DataError(_reason(error)) from error
    except ValueError as error:
        raise DataError("its name has a NUL in it") from error
    try:
        facts = os.fstat(handle)
        if fault := _wrong_kind(facts.st_mode):
            raise DataError(fault)
        if facts.st_size > most:
            raise DataError(f"it has {facts.st_size} bytes; at most {most} are read")
        with open(handle, "rb", closefd=False) as file:
            return file.read(facts.st_size or most)  # some files tell no size
    except OSError as error:
        raise DataError(_reason(error)) from error
    finally:
        os.close(handle)


def shown(name: str) -> str:
    r"""A name as it can be printed and written: as it is, or in quotes with what is not printable escaped.

    >>> shown("1378.png"), shown("a\nb.png")
    ('1378.png', "'a\\nb.png'")
    """
    return name if name.isprintable() else ascii(name)


def plain(text: str) -> str:
    r"""A sentence that can be printed and written, whatever it quotes.

    >>> plain("received \x1b[2J and 骨")
    'received \\x1b[2J and 骨'
    """
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
