"""How many threads the numeric libraries may use; it has to be said before they start."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from .errors import TrainingError

__all__ = ["ONE_THREAD", "limit_threads", "start_tensorflow"]

_NAMES = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
ONE_THREAD: Mapping[str, str] = dict.fromkeys(_NAMES, "1")


def limit_threads(count: int) -> None:
    """Bounds the threads that TensorFlow, OpenMP and BLAS use in this process. Call it before they start.

    Args:
        count: Threads, at least 1.

    Raises:
        TrainingError: TensorFlow runs already, with another number.
    """
    if count < 1:
        raise TrainingError(f"threads must be at least 1; received {count}")
    # The environment says what was settled before; TensorFlow itself does not tell what it took from there.
    if os.environ.get(_NAMES[0]) != str(count) and "tensorflow" in sys.modules:
        _limit_tensorflow(count)
    os.environ.update(dict.fromkeys(_NAMES, str(count)))


def start_tensorflow(count: int) -> None:
    """Imports TensorFlow and runs its first operation: all that it says of itself it says now.

    Args:
        count: Threads, see `limit_threads`.
    """
    limit_threads(count)
    import tensorflow as tf

    tf.constant(0.0)


def _limit_tensorflow(count: int) -> None:
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)
    except RuntimeError as error:
        raise TrainingError(
            "TensorFlow runs already with another number of threads; call limit_threads before its first use"
        ) from error
