"""Where training rows come from: one epoch at a time, in batches, each row exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import TrainingError

__all__ = ["Feed", "ListFeed", "epoch_order"]


class Feed(Protocol):
    """What `fit` asks of a source of rows.

    On several workers each has a feed of its own; `steps` is then the number of steps of the worker with the
    most rows, the same on all. A feed that has ended early is fine: its worker steps along with weight 0.
    """

    @property
    def steps(self) -> int:
        """Batches in one epoch: the optimizer's schedule is made from it."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[list[dict[str, Any]]]:
        """Yields the rows of one epoch as lists of the batch size (the last may be short).

        Args:
            epoch: Counted from 1. The same epoch gives the same batches in the same order.
            start: So many of its batches were had already: what follows them is yielded.
        """
        ...


class ListFeed:
    """Rows in memory, shuffled anew for each epoch by (seed, epoch).

    Args:
        rows: The training rows; at least one.
        batch_size: Rows per batch.
        seed: Decides the order.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], batch_size: int, seed: int = 0) -> None:
        if not rows:
            raise TrainingError("received no rows to train on; at least one is needed")
        if batch_size < 1:
            raise TrainingError(f"batch_size must be at least 1; received {batch_size}")
        self._rows = rows
        self._batch_size = batch_size
        self._seed = seed

    @property
    def steps(self) -> int:
        """Batches in one epoch, the short last one included."""
        return -(-len(self._rows) // self._batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[list[dict[str, Any]]]:
        """Yields every row once, in the order of this epoch.

        Args:
            epoch: Counted from 1.
            start: Batches that were had already.
        """
        order = epoch_order(len(self._rows), self._seed, epoch)
        for first in range(start * self._batch_size, len(order), self._batch_size):
            yield [self._rows[index] for index in order[first : first + self._batch_size]]


def epoch_order(rows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order in which an epoch has its rows: the same for every kind of feed.

    Args:
        rows: How many there are.
        seed: Of the feed.
        epoch: Counted from 1.

    Returns:
        (rows,), their indices.
    """
    return np.random.default_rng([seed, epoch]).permutation(rows)
