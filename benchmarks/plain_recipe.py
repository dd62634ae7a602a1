"""The age network's recipe as a first attempt writes it, see report_failure.py."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from boneage_regression.training import RegressionRecipe, Row


@dataclass(frozen=True)
class PlainRecipe(RegressionRecipe):
    """As a first attempt trains: Adam at one rate, squared loss.

    Attributes:
        is_scaled: Whether the target is scaled; otherwise it is the age in months.
        sex_given: Whether the network is told the sex.
    """

    is_scaled: bool = False
    sex_given: bool = False
    averaging: float = 0.0

    def fitted(self, ages_months: ArrayLike, *, size: tuple[int, int] | None = None) -> RegressionRecipe:
        fitted = super().fitted(ages_months, size=size)
        return fitted if self.is_scaled else dataclasses.replace(fitted, mean_months=0.0, spread_months=1.0)

    def optimizer(self, steps_per_epoch: int) -> Any:  # noqa: ARG002
        import keras

        return keras.optimizers.Adam(self.learning_rate)

    def loss(self, target: Any, output: Any) -> Any:
        from keras import ops

        return ops.square(output[:, 0] - target[:, 0])

    def prepare(self, row: Row, seed: int, epoch: int | None) -> Any:
        return super().prepare(row if self.sex_given else row | {"male": None}, seed, epoch)
