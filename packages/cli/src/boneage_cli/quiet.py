"""Keeps what libraries write to standard error by themselves away from the person, and in a file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["start_tensorflow", "stderr_into"]


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


def start_tensorflow(log: Path, threads: int) -> None:
    """Imports TensorFlow and lets it greet into a file; later it has nothing more to say.

    Args:
        log: Where its greeting goes.
        threads: Bounds its threads; it takes no other number later.
    """
    from boneage_sparkrun.training import limit_threads

    with stderr_into(log):
        limit_threads(threads)
        import tensorflow as tf

        tf.constant(0.0)
