"""What a caller tells the training loop: a model, its loss, its data, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

__all__ = ["Recipe"]


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
