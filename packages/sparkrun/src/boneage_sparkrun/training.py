"""The one training loop: any Keras model, described by a recipe, under any TensorFlow strategy."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .batches import Batch, Prefetch, prepare_batches
from .errors import TrainingError
from .feed import Feed
from .learner import Arrays, Learner

__all__ = ["FitResult", "Progress", "Recipe", "fit", "limit_threads"]

Progress = Callable[[dict[str, Any]], None]
_THREADS = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)


class Recipe(Protocol):
    """What to train and how; usually a frozen dataclass. It needs no import from here.

    Epochs are counted from 1 everywhere.
    """

    @property
    def epochs(self) -> int:
        """How often every row is seen, at most."""
        ...

    @property
    def batch_size(self) -> int:
        """Rows per step (per worker, where there are several)."""
        ...

    @property
    def seed(self) -> int:
        """Decides the first weights, the order of the rows and their augmentation."""
        ...

    @property
    def averaging(self) -> float:
        """Decay of the weights' running average (0.999, say); 0: none."""
        ...

    @property
    def monitor(self) -> str | None:
        """The validation metric that chooses the epoch.

        "mad": least is best; "-jaccard": most is best; None: the last epoch.
        """
        ...

    @property
    def patience(self) -> int | None:
        """Stop after so many epochs without a better one; None: never."""
        ...

    def build_model(self) -> Any:
        """Makes the keras.Model."""
        ...

    def optimizer(self, steps_per_epoch: int) -> Any:
        """Makes the keras.optimizers.Optimizer."""
        ...

    def loss(self, target: Any, output: Any) -> Any:
        """Tensors in, one loss per row out: shape (batch,)."""
        ...

    def prepare(
        self, row: dict[str, Any], seed: int, epoch: int | None
    ) -> tuple[Mapping[str, NDArray[Any]], NDArray[Any]]:
        """Makes (inputs by name, target) of one row; epoch None: validation, so no augmentation."""
        ...

    def metrics(self, target: NDArray[Any], output: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """Arrays in, one figure per row out, by name: shape (rows,)."""
        ...


@dataclass(frozen=True)
class FitResult:
    """What training gave.

    Attributes:
        model: The keras.Model with the weights of the best epoch (averaged where the recipe averages).
        history: One dict per epoch: epoch, loss, seconds; with validation rows val_loss and val_NAME.
        best_epoch: Counted from 1.
        seconds: Wall time of this call.
    """

    model: Any
    history: list[dict[str, float]]
    best_epoch: int
    seconds: float


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
    if os.environ.get(_THREADS[0]) != str(count) and "tensorflow" in sys.modules:
        _limit_tensorflow(count)
    os.environ.update(dict.fromkeys(_THREADS, str(count)))


def _limit_tensorflow(count: int) -> None:
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)
    except RuntimeError as error:
        raise TrainingError(
            "TensorFlow runs already with another number of threads; call limit_threads before its first use"
        ) from error


def fit(
    recipe: Recipe,
    feed: Feed,
    *,
    validation: Sequence[dict[str, Any]] | None = None,
    strategy: Any = None,
    checkpoints: Any = None,
    progress: Progress | None = None,
    initial: str | Path | None = None,
    threads: int | None = None,
) -> FitResult:
    """Trains a recipe's model. The same seed on the same machine gives the same weights, bit for bit.

    It seeds Python's, numpy's and Keras's generators and switches TensorFlow's op determinism on, for the
    whole process.

    Args:
        recipe: What to train and how.
        feed: The training rows.
        validation: Rows to measure each epoch on; without them the last epoch is kept.
        strategy: A tf.distribute.Strategy; None: the one in scope.
        checkpoints: A `Checkpoints` to save each epoch to and to go on from.
        progress: Called after each step and each epoch with a dict: kind ("step" or "epoch"), epoch, epochs,
            step, steps, loss (the epoch's so far), metrics (validation's, after an epoch),
            rows_per_second.
        initial: A weights file of Keras (.weights.h5 or .keras) to start from.
        threads: Bounds TensorFlow's threads, see `limit_threads`.

    Returns:
        The model with the best weights, and how it came to them.

    Raises:
        TrainingError: The recipe or a row does not fit, or the loss is no finite number any more.
        CheckpointError: The checkpoint is damaged or another recipe's.
    """
    started = time.perf_counter()
    _check(recipe)
    if threads is not None:
        limit_threads(threads)
    _seed(recipe.seed)
    learner = Learner(recipe, feed.steps, strategy, None if initial is None else str(initial))
    run = _Run(recipe, feed, learner, progress or _ignore)
    run.load_validation(validation or ())
    for epoch in range(1, recipe.epochs + 1):
        run.train(epoch)
        run.close_epoch()
        if run.exhausted():
            break
    learner.set_weights(run.best)
    return FitResult(learner.model, run.history, run.best_epoch, time.perf_counter() - started)


def _ignore(_: dict[str, Any]) -> None:
    pass


def _check(recipe: Recipe) -> None:
    if recipe.epochs < 1 or recipe.batch_size < 1:
        raise TrainingError(
            f"epochs and batch_size must be at least 1; received {recipe.epochs} and {recipe.batch_size}"
        )
    if not 0 <= recipe.averaging < 1:
        raise TrainingError(f"averaging must lie in 0 <= averaging < 1; received {recipe.averaging}")


def _seed(seed: int) -> None:
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@dataclass
class _Run:
    """One call of `fit`: the epochs so far and the best of them."""

    recipe: Recipe
    feed: Feed
    learner: Learner
    progress: Progress
    validation: list[Batch] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    best: Arrays = field(default_factory=dict)
    best_epoch: int = 0

    def load_validation(self, rows: Sequence[dict[str, Any]]) -> None:
        """Prepares the validation rows, once."""
        size, recipe = self.learner.batch_size, self.recipe
        lists = (list(rows[start : start + size]) for start in range(0, len(rows), size))
        self.validation = list(prepare_batches(recipe.prepare, lists, recipe.seed, None, size))

    def train(self, epoch: int) -> None:
        """Steps through one epoch's rows and opens its entry in the history."""
        started, rows, loss_sum, step = time.perf_counter(), 0, 0.0, 0
        recipe, learner = self.recipe, self.learner
        batches = prepare_batches(
            recipe.prepare, self.feed.epoch(epoch), recipe.seed, epoch, learner.batch_size
        )
        with Prefetch(batches) as ahead:
            for step, batch in enumerate(ahead, 1):
                loss = learner.step(batch)
                if not math.isfinite(loss):
                    raise TrainingError(
                        f"the loss became {loss} in epoch {epoch}, step {step}; "
                        "a lower learning rate or a look at the rows may help",
                        epoch,
                        step,
                    )
                rows += batch.rows
                loss_sum += loss * batch.rows
                self._report("step", epoch, step, loss_sum / max(rows, 1), {}, rows, started)
        if rows == 0:
            raise TrainingError(f"the feed gave no rows in epoch {epoch}", epoch)
        loss = loss_sum / rows
        metrics = self._validate()
        seconds = time.perf_counter() - started
        self.history.append({"epoch": epoch, "loss": loss, **metrics, "seconds": seconds})
        self._report("epoch", epoch, step, loss, metrics, rows, started)

    def _report(
        self,
        kind: str,
        epoch: int,
        step: int,
        loss: float,
        metrics: dict[str, float],
        rows: int,
        started: float,
    ) -> None:
        rate = rows / max(time.perf_counter() - started, 1e-9)
        self.progress(
            {
                "kind": kind,
                "epoch": epoch,
                "epochs": self.recipe.epochs,
                "step": step,
                "steps": self.feed.steps,
                "loss": loss,
                "metrics": metrics,
                "rows_per_second": rate,
            }
        )

    def _validate(self) -> dict[str, float]:
        """Measures the weights a user would get, and puts the learner's own back."""
        if not self.validation:
            return {}
        live = self.learner.state()
        self.learner.set_weights(self.learner.weights())
        columns: dict[str, list[NDArray[Any]]] = {}
        for batch in self.validation:
            losses, output = self.learner.infer(batch)
            figures = {"loss": losses, **self.recipe.metrics(batch.target[: batch.rows], output)}
            for name, values in figures.items():
                columns.setdefault(f"val_{name}", []).append(_per_row(name, values, batch.rows))
        self.learner.set_state(live)
        return {name: float(np.mean(np.concatenate(values))) for name, values in columns.items()}

    def close_epoch(self) -> None:
        """Keeps the weights if this epoch is the best so far."""
        if self._best_in_history() == len(self.history):
            self.best, self.best_epoch = self.learner.weights(), len(self.history)

    def _best_in_history(self) -> int:
        if self.recipe.monitor is None or not self.validation:
            return len(self.history)
        sign, name = (
            (-1, self.recipe.monitor[1:]) if self.recipe.monitor[:1] == "-" else (1, self.recipe.monitor)
        )
        key = name if name.startswith("val_") else f"val_{name}"
        if key not in self.history[-1]:
            known = sorted(name[4:] for name in self.history[-1] if name.startswith("val_"))
            raise TrainingError(f"monitor names no validation metric: received {name!r}, known are {known}")
        values = [sign * entry[key] for entry in self.history]
        return 1 + min(range(len(values)), key=lambda index: (math.isnan(values[index]), values[index]))

    def exhausted(self) -> bool:
        """Tells whether patience has run out."""
        patience = self.recipe.patience
        return patience is not None and len(self.history) - self.best_epoch >= max(patience, 1)


def _per_row(name: str, values: Any, rows: int) -> NDArray[Any]:
    array = np.asarray(values, np.float64)
    if array.shape != (rows,):
        raise TrainingError(
            f"metric {name!r} must give one figure per row, shape ({rows},); it gave {array.shape}"
        )
    return array
