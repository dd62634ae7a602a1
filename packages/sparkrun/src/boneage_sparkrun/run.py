"""One call of `fit`, epoch by epoch: steps, validation, the best weights, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import Batch, Prefetch, idle_batch, prepare_batches
from .checkpoints import Checkpoint, Checkpoints, Position, recipe_digest
from .errors import TrainingError
from .feed import Feed
from .learner import Arrays, Learner
from .recipes import Recipe

__all__ = ["Progress", "Run"]

Progress = Callable[[dict[str, Any]], None]


@dataclass
class _Tally:
    """One epoch so far, over the rows of all workers."""

    epoch: int
    step: int = 0
    rows: int = 0
    loss_sum: float = 0.0
    seconds_before: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    def add(self, loss: float, rows: int) -> None:
        self.step += 1
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} in epoch {self.epoch}, step {self.step}; "
                "a lower learning rate or a look at the rows may help",
                self.epoch,
                self.step,
            )
        self.rows += rows
        self.loss_sum += loss * rows

    @property
    def loss(self) -> float:
        return self.loss_sum / max(self.rows, 1)

    @property
    def seconds(self) -> float:
        return self.seconds_before + max(time.perf_counter() - self.started, 1e-9)

    @property
    def position(self) -> Position:
        return Position(self.step, self.rows, self.loss_sum, self.seconds)


@dataclass
class Run:
    """The state of one training run.

    Attributes:
        recipe: What to train and how.
        feed: The training rows.
        learner: The model and what moves it.
        progress: Called after each step and epoch.
        checkpoints: Where to save to and to go on from.
        validation: The prepared validation rows.
        history: One dict per epoch.
        best: The weights of the best epoch.
        best_epoch: Counted from 1.
        position: Where the next epoch begins.
    """

    recipe: Recipe
    feed: Feed
    learner: Learner
    progress: Progress | None
    checkpoints: Checkpoints | None
    validation: list[Batch] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    best: Arrays = field(default_factory=dict)
    best_epoch: int = 0
    position: Position = field(default_factory=Position)

    def load_validation(self, rows: Sequence[dict[str, Any]]) -> None:
        """Prepares the validation rows, once."""
        size, recipe = self.learner.batch_size, self.recipe
        lists = (list(rows[start : start + size]) for start in range(0, len(rows), size))
        self.validation = list(prepare_batches(recipe.prepare, lists, recipe.seed, None, size))

    def resume(self) -> None:
        """Goes on from the newest checkpoint, where there is one."""
        saved = self.checkpoints.load(self._digest()) if self.checkpoints else None
        if saved is None:
            return
        arrays = dict(saved.arrays)
        if saved.history:
            self.best = {name: arrays.pop(f"best_{name}") for name in ("trained", "fixed")}
        self.learner.set_state(arrays)
        self.history, self.best_epoch, self.position = saved.history, saved.best_epoch, saved.position

    def is_over(self) -> bool:
        """Tells whether all epochs are done or patience has run out."""
        done, patience = len(self.history), self.recipe.patience
        if done == 0 or patience is None:
            return done >= self.recipe.epochs
        return done >= self.recipe.epochs or done - self.best_epoch >= max(patience, 1)

    def train_epoch(self) -> None:
        """Does the next epoch, from its first step, or where it was cut off, to its checkpoint."""
        tally = _Tally(len(self.history) + 1, *astuple(self.position))
        self.position = Position()
        with closing(self._batches(tally.epoch, tally.step)) as batches:
            for batch in batches:
                tally.add(*self.learner.step(batch))
                self._save_within(tally)
                self._report("step", tally, {})
        if tally.rows == 0:
            raise TrainingError(f"the feed gave no rows in epoch {tally.epoch}", tally.epoch)
        self.learner.share_fixed()
        metrics = self._validate()
        entry = {"epoch": tally.epoch, "loss": tally.loss, **metrics, "seconds": tally.seconds}
        self.history.append(entry)
        self._keep_best()
        self._save()
        self._report("epoch", tally, metrics)

    def _batches(self, epoch: int, start: int) -> Generator[Batch]:
        """Gives this worker's batches, and padding while other workers still have some."""
        recipe, last = self.recipe, next(iter(self.validation), None)
        # A short batch is padded from the one before it, which must be had for that.
        lists = self.feed.epoch(epoch, max(start - 1, 0))
        batches = prepare_batches(recipe.prepare, lists, recipe.seed, epoch, self.learner.batch_size)
        with Prefetch(batches) as prefetched:
            ahead = iter(prefetched)
            if start:
                last = next(ahead, last)
            while True:
                batch = next(ahead, None)
                if not self.learner.any_has(batch is not None):
                    return
                last = batch or idle_batch(last)
                yield last

    def _validate(self) -> dict[str, float]:
        """Measures the weights that a user would get."""
        columns: dict[str, list[NDArray[Any]]] = {}
        with self.learner.averaged():
            for batch in self.validation:
                losses, output = self.learner.infer(batch)
                figures = {"loss": losses, **self.recipe.metrics(batch.target[: batch.rows], output)}
                for name, values in figures.items():
                    columns.setdefault(f"val_{name}", []).append(_per_row(name, values, batch.rows))
        return {name: float(np.mean(np.concatenate(values))) for name, values in columns.items()}

    def _keep_best(self) -> None:
        if self._best_in_history() == len(self.history):
            self.best, self.best_epoch = self.learner.weights(), len(self.history)

    def _best_in_history(self) -> int:
        monitor = self.recipe.monitor
        if monitor is None or not self.validation:
            return len(self.history)
        sign, name = (-1, monitor[1:]) if monitor.startswith("-") else (1, monitor)
        key = f"val_{name.removeprefix('val_')}"
        if key not in self.history[-1]:
            known = sorted(name[4:] for name in self.history[-1] if name.startswith("val_"))
            raise TrainingError(
                f"monitor names no validation metric: received {monitor!r}, known are {known}"
            )
        values = [sign * entry[key] for entry in self.history]
        return 1 + min(range(len(values)), key=lambda index: (math.isnan(values[index]), values[index]))

    def _save(self) -> None:
        if self.checkpoints and (self.checkpoints.is_due(len(self.history)) or self.is_over()):
            self._save_at(self.checkpoints, Position())

    def _save_within(self, tally: _Tally) -> None:
        if self.checkpoints and tally.step < self.feed.steps and self.checkpoints.is_due_within(tally.step):
            # What another worker goes on with is what this one has.
            self.learner.share_fixed()
            self._save_at(self.checkpoints, tally.position)

    def _save_at(self, checkpoints: Checkpoints, position: Position) -> None:
        best = {f"best_{name}": arrays for name, arrays in self.best.items()}
        arrays = {**self.learner.state(), **best}
        checkpoints.save(Checkpoint(self._digest(), self.history, self.best_epoch, arrays, position))

    def _digest(self) -> str:
        return recipe_digest(self.recipe, self.feed.steps)

    def _report(self, kind: str, tally: _Tally, metrics: dict[str, float]) -> None:
        if self.progress is None:
            return
        self.progress(
            {
                "kind": kind,
                "epoch": tally.epoch,
                "epochs": self.recipe.epochs,
                "step": tally.step,
                "steps": self.feed.steps,
                "loss": tally.loss,
                "metrics": metrics,
                "rows_per_second": tally.rows / tally.seconds,
            }
        )


def _per_row(name: str, values: Any, rows: int) -> NDArray[Any]:
    array = np.asarray(values, np.float64)
    if array.shape != (rows,):
        raise TrainingError(
            f"metric {name!r} must give one figure per row, shape ({rows},); it gave {array.shape}"
        )
    return array
