"""Which row belongs to which step and worker of an epoch: decided by the rows' order and a seed, never by timing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import TrainingError
from .feed import epoch_order

__all__ = ["EpochPlan"]


@dataclass(frozen=True)
class EpochPlan:
    """The batches of `ListFeed` over the same rows, each cut into one part a worker.

    A place is a number that tells worker, step and position in the part; rows sorted by it are in the order in which
    their worker takes them.

    Attributes:
        rows: How many there are.
        batch_size: Rows of a step, of all workers together.
        workers: How many share it.
        seed: Decides the order.

    >>> EpochPlan(rows=5, batch_size=4, workers=2, seed=0).share
    2
    """

    rows: int
    batch_size: int
    workers: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise TrainingError("received no rows to train on; at least one is needed")
        if self.batch_size < 1 or self.workers < 1:
            raise TrainingError(
                f"batch_size and workers must be at least 1; received {self.batch_size} and {self.workers}"
            )

    @property
    def steps(self) -> int:
        """Of one epoch, the short last one included."""
        return -(-self.rows // self.batch_size)

    @property
    def share(self) -> int:
        """Rows of a step for one worker, at most."""
        return -(-self.batch_size // self.workers)

    @property
    def room(self) -> int:
        """Places of one worker."""
        return self.steps * self.share

    def places(self, epoch: int) -> NDArray[np.int64]:
        """The place of each row, by its index.

        Args:
            epoch: Counted from 1.

        Returns:
            (rows,), no two alike.
        """
        order = epoch_order(self.rows, self.seed, epoch)
        step, within = np.divmod(np.arange(self.rows), self.batch_size)
        worker, position = np.divmod(within, self.share)
        places = np.empty(self.rows, np.int64)
        places[order] = worker * self.room + step * self.share + position
        return places

    def worker(self, place: int) -> int:
        """Who takes the row."""
        return place // self.room

    def step(self, place: int) -> int:
        """In which step, counted from 0."""
        return place % self.room // self.share

    def parts(self, keyed: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
        """The rows of one worker, sorted by their places, as its part of each step."""
        for _, part in itertools.groupby(keyed, key=lambda pair: self.step(pair[0])):
            yield [row for _, row in part]
