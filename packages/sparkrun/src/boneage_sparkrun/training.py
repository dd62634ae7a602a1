"""The one training loop: any Keras model, described by a recipe, under any TensorFlow strategy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checkpoints import Checkpoints
from .errors import TrainingError
from .feed import Feed
from .learner import Learner
from .recipes import Recipe
from .run import Progress, Run
from .threads import limit_threads

__all__ = ["FitResult", "Progress", "Recipe", "fit", "limit_threads"]


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


def fit(
    recipe: Recipe,
    feed: Feed,
    *,
    validation: Sequence[dict[str, Any]] | None = None,
    strategy: Any = None,
    checkpoints: Checkpoints | None = None,
    progress: Progress | None = None,
    initial: str | Path | None = None,
    threads: int | None = None,
    batch_size: int | None = None,
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
            step, steps, loss (the epoch's so far), rows_per_second, and metrics (with an epoch: val_loss,
            val_NAME). An epoch's comes after its checkpoint. What it raises ends the training.
        initial: A weights file of Keras (.weights.h5 or .keras) to start from.
        threads: Bounds TensorFlow's threads, see `limit_threads`.
        batch_size: Rows of a step on this worker, where several share the recipe's; None: the recipe's.

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
    learner = Learner(recipe, feed.steps, strategy, None if initial is None else str(initial), batch_size)
    run = Run(recipe, feed, learner, progress, checkpoints)
    run.load_validation(validation or ())
    run.resume()
    while not run.is_over():
        run.train_epoch()
    learner.set_weights(run.best)
    return FitResult(learner.model, run.history, run.best_epoch, time.perf_counter() - started)


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
