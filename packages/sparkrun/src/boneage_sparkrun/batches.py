"""Rows made into arrays of one fixed shape, ahead of the loop, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import TrainingError

__all__ = ["Batch", "Example", "Prefetch", "collate", "idle_batch", "prepare_batches", "prepare_rows"]

Array = NDArray[Any]
Example = tuple[Mapping[str, Array], Array]
Prepare = Callable[[dict[str, Any], int, int | None], Example]


@dataclass(frozen=True)
class Batch:
    """One step's arrays; the first axis is the batch size, however many rows are real.

    Attributes:
        inputs: The model's inputs by name.
        target: What the loss compares with.
        weight: float32 (batch,): 1 for a row, 0 for padding.
        rows: How many rows are real; they come first.
    """

    inputs: dict[str, Array]
    target: Array
    weight: NDArray[np.float32]
    rows: int


def prepare_rows(
    prepare: Prepare, rows: Sequence[dict[str, Any]], seed: int, epoch: int | None
) -> list[Example]:
    """Prepares rows one by one.

    Args:
        prepare: The recipe's `prepare`.
        rows: The rows.
        seed: The recipe's seed.
        epoch: Counted from 1; None for validation.

    Returns:
        (inputs, target) for each row.

    Raises:
        TrainingError: `prepare` failed; the message names the row.
    """
    examples = []
    for row in rows:
        try:
            inputs, target = prepare(row, seed, epoch)
        except Exception as error:
            name = row.get("case_id", "without case_id") if isinstance(row, dict) else repr(row)
            raise TrainingError(
                f"prepare failed on row {name}: {type(error).__name__}: {error}", epoch
            ) from error
        examples.append((inputs, target))
    return examples


def collate(examples: Sequence[Example], size: int, spare: Sequence[Example] = ()) -> Batch:
    """Stacks examples into one batch of fixed size.

    Padding repeats real examples (the batch's own, then spare ones) with weight 0: zeros could turn a loss
    into NaN and would spoil batch statistics.

    Args:
        examples: At most `size` of them.
        size: The batch size.
        spare: Other examples to pad with; needed where `examples` is empty.

    Returns:
        The batch.

    Raises:
        TrainingError: Too many examples, none at all, or their shapes differ.
    """
    if len(examples) > size:
        raise TrainingError(f"the feed gave {len(examples)} rows at once; the batch size is {size}")
    pool = [*examples, *spare]
    if not pool:
        raise TrainingError("the feed gave an empty batch before any row was seen")
    filled = list(islice(cycle(pool), size))
    weight = np.zeros(size, np.float32)
    weight[: len(examples)] = 1
    try:
        inputs = {name: np.stack([example[0][name] for example in filled]) for name in filled[0][0]}
        target = np.stack([example[1] for example in filled])
    except (KeyError, ValueError) as error:
        raise TrainingError(
            f"prepare must give every row the same names and shapes: {type(error).__name__}: {error}"
        ) from error
    return Batch(inputs, target, weight, len(examples))


def prepare_batches(
    prepare: Prepare, batches: Iterable[list[dict[str, Any]]], seed: int, epoch: int | None, size: int
) -> Iterator[Batch]:
    """Prepares and stacks batch after batch; a short one is padded from the one before it.

    Args:
        prepare: The recipe's `prepare`.
        batches: Lists of rows.
        seed: The recipe's seed.
        epoch: Counted from 1; None for validation.
        size: The batch size.
    """
    before: list[Example] = []
    for rows in batches:
        examples = prepare_rows(prepare, rows, seed, epoch)
        yield collate(examples, size, before)
        before = examples or before


def idle_batch(like: Batch | None) -> Batch:
    """Makes a batch without a real row, for a worker that has none left while others have.

    Args:
        like: Any batch of the same shapes.

    Raises:
        TrainingError: There is none.
    """
    if like is None:
        raise TrainingError("this worker got no row at all; give each worker some, or give validation rows")
    return Batch(like.inputs, like.target, np.zeros_like(like.weight), 0)


class Prefetch:
    """Runs an iterator in a thread, a few items ahead. Use it as a context manager.

    An exception in the iterator is raised where the items are taken. Leaving the context ends the thread.

    Args:
        items: The iterator; it is used in the thread only.
        ahead: How many items may wait.
    """

    _END = object()

    def __init__(self, items: Iterator[Batch], ahead: int = 4) -> None:
        self._items = items
        self._queue: queue.Queue[Any] = queue.Queue(ahead)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="prefetch", daemon=True)

    def _work(self) -> None:
        try:
            for item in self._items:
                if not self._put((item, None)):
                    return
            self._put((self._END, None))
        except BaseException as error:
            self._put((self._END, error))

    def _put(self, item: Any) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def __enter__(self) -> Prefetch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        # The thread may be in the middle of a slow row or of a feed that waits; it is a daemon and is let go.
        self._thread.join(timeout=5)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            item, error = self._queue.get()
            if error is not None:
                raise error
            if item is self._END:
                return
            yield item
