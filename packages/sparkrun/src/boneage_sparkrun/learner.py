"""A model, its optimizer and their averages, stepped under any TensorFlow strategy."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from .batches import Array, Batch
from .errors import TrainingError

if TYPE_CHECKING:
    from .recipes import Recipe

__all__ = ["Arrays", "Learner"]

Arrays = dict[str, list[Array]]
_TINY = 1e-12


class Learner:
    """Holds everything that training changes.

    Args:
        recipe: What to train and how.
        steps: Steps per epoch, for the optimizer's schedule.
        strategy: A tf.distribute.Strategy; None: the one in scope.
        initial: A weights file of Keras to start from.
        batch_size: Rows of a step on this worker; None: the recipe's.
    """

    def __init__(
        self,
        recipe: Recipe,
        steps: int,
        strategy: Any = None,
        initial: str | None = None,
        batch_size: int | None = None,
    ) -> None:
        import tensorflow as tf

        self._tf = tf
        self._recipe = recipe
        self.strategy = strategy or tf.distribute.get_strategy()
        with self.strategy.scope():
            self.model = recipe.build_model()
            if initial is not None:
                _load(self.model, initial)
            self.optimizer = recipe.optimizer(steps)
            self.optimizer.build(self.model.trainable_variables)
            self._averages = self._make_averages() if recipe.averaging > 0 else []
        alone = self.strategy.num_replicas_in_sync == 1
        self._replicas = 1 if alone else len(self.strategy.extended.worker_devices)
        self.batch_size = -(-(batch_size or recipe.batch_size) // self._replicas) * self._replicas
        self._step = tf.function(self._distributed_step, autograph=False)
        self._infer = tf.function(self._inference, autograph=False)
        self._sum = tf.function(self._sum_over_workers, autograph=False)
        self._mean = tf.function(self._mean_over_replicas, autograph=False)

    def _make_averages(self) -> list[Any]:
        tf = self._tf
        return [
            tf.Variable(
                variable.numpy(),
                trainable=False,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
                dtype=variable.dtype,
            )
            for variable in self.model.trainable_variables
        ]

    # one step

    def step(self, batch: Batch) -> tuple[float, int]:
        """Learns from one batch.

        Args:
            batch: Of `batch_size` rows, padding included.

        Returns:
            The mean loss of the rows of all workers, and how many they are.
        """
        loss, rows = self._step(*self._spread(batch))
        return float(loss), int(rows)

    def _spread(self, batch: Batch) -> Any:
        arrays = (batch.inputs, batch.target, batch.weight)
        if self.strategy.num_replicas_in_sync == 1:
            return arrays
        share = self.batch_size // self._replicas
        starts = iter(range(0, self.batch_size, share))

        def cut(_: Any) -> Any:
            part = slice(start := next(starts), start + share)
            inputs = {name: array[part] for name, array in batch.inputs.items()}
            return self._tf.nest.map_structure(
                self._tf.convert_to_tensor, (inputs, batch.target[part], batch.weight[part])
            )

        return self.strategy.experimental_distribute_values_from_function(cut)

    def _distributed_step(self, inputs: Any, target: Any, weight: Any) -> Any:
        return self._local(self.strategy.run(self._replica_step, (inputs, target, weight)))

    def _local(self, values: Any) -> Any:
        """Takes the first replica's values; what was summed over all is the same in each."""
        return self._tf.nest.map_structure(
            lambda value: self.strategy.experimental_local_results(value)[0], values
        )

    def _replica_step(self, inputs: Any, target: Any, weight: Any) -> Any:
        tf = self._tf
        replica = tf.distribute.get_replica_context()
        # tf.identity: all_reduce refuses a raw argument of the function.
        rows = replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(tf.reduce_sum(weight)))
        with tf.GradientTape() as tape:
            losses = self._losses(target, self._call(inputs, training=True))
            loss = tf.reduce_sum(weight * losses) / tf.maximum(rows, _TINY)
            total = loss
            if self.model.losses:
                total += tf.add_n(self.model.losses) / self.strategy.num_replicas_in_sync
            total = self.optimizer.scale_loss(total)
        variables = self.model.trainable_variables
        # The optimizer sums the gradients over all workers.
        self.optimizer.apply(tape.gradient(total, variables), variables)
        self._average()
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(loss)), rows

    def _average(self) -> None:
        """Moves the averages; the decay grows from 0.1 so that the first weights are soon forgotten."""
        tf = self._tf
        if not self._averages:
            return
        done = tf.cast(self.optimizer.iterations.value, tf.float32)
        decay = tf.minimum(np.float32(self._recipe.averaging), (1 + done) / (10 + done))
        for average, variable in zip(self._averages, self.model.trainable_variables, strict=True):
            kept = tf.cast(decay, average.dtype)
            average.assign(kept * average + (1 - kept) * tf.convert_to_tensor(variable))

    def _call(self, inputs: dict[str, Any], training: bool) -> Any:
        if len(inputs) == 1 and not isinstance(getattr(self.model, "input", None), dict):
            return self.model(next(iter(inputs.values())), training=training)
        return self.model(inputs, training=training)

    def _losses(self, target: Any, output: Any) -> Any:
        losses = self._recipe.loss(target, output)
        if losses.shape.rank != 1:
            raise TrainingError(
                f"the recipe's loss must give one number per row, shape (batch,); it gave {losses.shape}"
            )
        return self._tf.cast(losses, self._tf.float32)

    # agreement among workers

    def any_has(self, mine: bool) -> bool:
        """Tells whether any worker still has rows; all workers must ask together."""
        if self._replicas == self.strategy.num_replicas_in_sync:
            return mine
        return bool(self._sum(self._tf.constant(float(mine))))

    def _sum_over_workers(self, value: Any) -> Any:
        tf = self._tf

        def add(number: Any) -> Any:
            return tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.SUM, tf.identity(number)
            )

        return self._local(self.strategy.run(add, (value,)))

    def share_fixed(self) -> None:
        """Makes the untrained weights (moving statistics, say) the mean over all replicas."""
        if self.strategy.num_replicas_in_sync > 1 and self._moving():
            for variable, value in zip(self._moving(), self._mean(), strict=True):
                variable.assign(value)

    def _moving(self) -> list[Any]:
        return [v for v in self.model.non_trainable_variables if v.dtype.startswith("float")]

    def _mean_over_replicas(self) -> Any:
        tf = self._tf

        def mean() -> list[Any]:
            replica = tf.distribute.get_replica_context()
            values = [tf.identity(tf.convert_to_tensor(variable)) for variable in self._moving()]
            return [replica.all_reduce(tf.distribute.ReduceOp.MEAN, value) for value in values]

        return self._local(self.strategy.run(mean))

    # inference

    def infer(self, batch: Batch) -> tuple[Array, Array]:
        """Applies the model to one batch without learning.

        Args:
            batch: Of `batch_size` rows, padding included.

        Returns:
            Losses (rows,) and the output (rows, ...), padding cut off.
        """
        losses, output = self._infer(batch.inputs, batch.target)
        cut = self._tf.nest.map_structure(lambda tensor: tensor.numpy()[: batch.rows], output)
        return losses.numpy()[: batch.rows], cut

    def _inference(self, inputs: Any, target: Any) -> tuple[Any, Any]:
        output = self._call(inputs, training=False)
        return self._losses(target, output), output

    # state

    def weights(self) -> Arrays:
        """Copies the weights a user wants: averaged where the recipe averages; and the untrained ones."""
        trained = self._averages or self.model.trainable_variables
        return {"trained": _copy(trained), "fixed": _copy(self.model.non_trainable_variables)}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Puts the averaged weights into the model for a while."""
        live = _copy(self.model.trainable_variables)
        if self._averages:
            _assign(self.model.trainable_variables, _copy(self._averages))
        try:
            yield
        finally:
            _assign(self.model.trainable_variables, live)

    def set_weights(self, weights: Arrays) -> None:
        """Puts such weights into the model."""
        _assign(self.model.trainable_variables, weights["trained"])
        _assign(self.model.non_trainable_variables, weights["fixed"])

    def state(self) -> Arrays:
        """Copies everything that the next step depends on."""
        return {name: _copy(variables) for name, variables in self._variables()}

    def set_state(self, state: Arrays) -> None:
        """Restores such a state.

        Raises:
            TrainingError: It belongs to another model.
        """
        for name, variables in self._variables():
            _assign(variables, state.get(name, []))

    def _variables(self) -> Iterator[tuple[str, Sequence[Any]]]:
        yield "trainable", self.model.trainable_variables
        yield "fixed", self.model.non_trainable_variables
        yield "averages", self._averages
        yield "optimizer", self.optimizer.variables


def _load(model: Any, path: str) -> None:
    try:
        with warnings.catch_warnings():
            # Keras only warns where it leaves a layer as it was.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except Exception as error:
        # Keras raises whatever the file's format does.
        raise TrainingError(
            f"cannot start from the weights {path}: {type(error).__name__}: {error}"
        ) from error


def _copy(variables: Sequence[Any]) -> list[Array]:
    return [np.array(variable.numpy()) for variable in variables]


def _assign(variables: Sequence[Any], values: Sequence[Array]) -> None:
    received = [value.shape for value in values]
    wanted = [tuple(variable.shape) for variable in variables]
    if received != wanted:
        raise TrainingError(f"the weights are another model's: received shapes {received}, wanted {wanted}")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
