"""Keeps what libraries write to standard error away from the person who runs the command."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from boneage_sparkrun.place import Place

__all__ = ["stderr_into"]


@contextlib.contextmanager
def stderr_into(log: Place) -> Iterator[None]:
    """Sends this process's standard error, also that of C++ code, to the end of a file.

    Args:
        log: The file; it is written when the context ends.
    """
    kept = os.dup(2)
    # Without a name, so that nothing is left of it when the process is killed.
    with tempfile.TemporaryFile() as said:
        sys.stderr.flush()
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            log.write_bytes((log.read_bytes() if log.exists() else b"") + said.read())
