"""Keeps what libraries write to standard error by themselves away from the person, and in a file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["stderr_into"]


@contextlib.contextmanager
def stderr_into(path: Path) -> Iterator[None]:
    """Appends all that this process writes to its standard error, native code too, to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with path.open("ab") as file:
            os.dup2(file.fileno(), 2)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
