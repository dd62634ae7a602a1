"""What a training run needs to go on after it was cut off: files that are whole or not there at all."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
import zipfile
from typing import Any

import numpy as np

from .errors import CheckpointError
from .learner import Arrays
from .storage import Storage, Uri, join, open_storage

__all__ = ["Checkpoint", "Checkpoints", "Position", "recipe_digest"]

_NAME = re.compile(r"checkpoint-\d{6}-\d{8}\.npz")
_META = "meta"
_VERSION = 2


@dataclasses.dataclass(frozen=True)
class Position:
    """How far an epoch has come.

    Attributes:
        step: Steps done.
        rows: Rows seen, by all workers.
        loss_sum: Of these rows.
        seconds: That it took.
    """

    step: int = 0
    rows: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The state after a step.

    Attributes:
        digest: The recipe's, see `recipe_digest`.
        history: One dict per epoch that is done.
        best_epoch: Counted from 1; 0 before there is one.
        arrays: Lists of arrays by name: what the next step depends on, and the best weights.
        position: In the epoch that is under way.
    """

    digest: str
    history: list[dict[str, float]]
    best_epoch: int
    arrays: Arrays
    position: Position = Position()

    @property
    def name(self) -> str:
        """Of its file; a later one's sorts after it."""
        return f"checkpoint-{len(self.history):06d}-{self.position.step:08d}.npz"


class Checkpoints:
    """The checkpoints of one training run, in a folder of their own.

    Args:
        folder: A URI; it is made when the first one is saved.
        keep: How many of the newest stay.
        every: Save after every so many epochs, and after the last.
        every_steps: Save within an epoch, too, after every so many steps; None: not. The same on all workers.
        read_only: Load, but never save or remove: for all workers of a cluster but one.
        storage: Where the folder is; None: told by the URI.
    """

    def __init__(
        self,
        folder: Uri,
        keep: int = 2,
        every: int = 1,
        *,
        every_steps: int | None = None,
        read_only: bool = False,
        storage: Storage | None = None,
    ) -> None:
        if min(keep, every, every_steps or every) < 1:
            raise CheckpointError(
                f"keep, every and every_steps must be at least 1; received {keep}, {every} and {every_steps}"
            )
        self._folder = folder
        self._storage = storage or open_storage(folder)
        self._keep = keep
        self._every = every
        self._every_steps = every_steps
        self._read_only = read_only

    def is_due(self, epoch: int) -> bool:
        """Tells whether to save after this epoch (counted from 1)."""
        return not self._read_only and epoch % self._every == 0

    def is_due_within(self, step: int) -> bool:
        """Tells whether to save after this step of an epoch (counted from 1); those that only load are told, too."""
        return self._every_steps is not None and step % self._every_steps == 0

    def save(self, checkpoint: Checkpoint) -> None:
        """Saves one, and removes those beyond the newest `keep`."""
        if self._read_only:
            return
        self._storage.write(join(self._folder, checkpoint.name), _pack(checkpoint))
        for name in self._names()[: -self._keep]:
            self._storage.remove(join(self._folder, name))

    def load(self, digest: str) -> Checkpoint | None:
        """Loads the newest.

        Args:
            digest: Of the recipe that wants to go on.

        Returns:
            The checkpoint; None where there is none.

        Raises:
            CheckpointError: It is damaged, or another recipe's.
        """
        names = self._names()
        if not names:
            return None
        uri = join(self._folder, names[-1])
        checkpoint = _unpack(uri, self._storage.read(uri))
        if checkpoint.digest != digest:
            raise CheckpointError(
                f"{uri} belongs to another recipe or other rows; remove the folder or give another one", uri
            )
        return checkpoint

    def clear(self) -> None:
        """Removes them all."""
        if not self._read_only:
            for name in self._names():
                self._storage.remove(join(self._folder, name))

    def _names(self) -> list[str]:
        if not self._storage.exists(self._folder):
            return []
        return sorted(name for name in self._storage.list(self._folder) if _NAME.fullmatch(name))


def recipe_digest(recipe: Any, steps: int) -> str:
    """Names a recipe by its class and settings, and by the steps of an epoch.

    Args:
        recipe: A dataclass, or an object whose attributes are its settings.
        steps: Of one epoch.

    Returns:
        64 hexadecimal digits.
    """
    if dataclasses.is_dataclass(recipe) and not isinstance(recipe, type):
        settings = dataclasses.asdict(recipe)
    else:
        settings = dict(vars(recipe))
    kind = f"{type(recipe).__module__}.{type(recipe).__qualname__}"
    text = json.dumps([kind, settings, steps], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _pack(checkpoint: Checkpoint) -> bytes:
    meta = {
        "version": _VERSION,
        "digest": checkpoint.digest,
        "history": checkpoint.history,
        "best_epoch": checkpoint.best_epoch,
        "position": dataclasses.asdict(checkpoint.position),
        "counts": {name: len(arrays) for name, arrays in checkpoint.arrays.items()},
    }
    named = {
        f"{name}/{index:05d}": array
        for name, arrays in checkpoint.arrays.items()
        for index, array in enumerate(arrays)
    }
    file = io.BytesIO()
    np.savez(file, **{_META: np.frombuffer(json.dumps(meta).encode(), np.uint8)}, **named)  # type: ignore[arg-type]
    return file.getvalue()


def _unpack(uri: str, data: bytes) -> Checkpoint:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            meta = json.loads(file[_META].tobytes())
            if meta["version"] != _VERSION:
                raise CheckpointError(f"{uri} is of version {meta['version']}; {_VERSION} is read", uri)
            arrays = {
                name: [file[f"{name}/{index:05d}"] for index in range(count)]
                for name, count in meta["counts"].items()
            }
        position = Position(**meta["position"])
        return Checkpoint(meta["digest"], meta["history"], meta["best_epoch"], arrays, position)
    except CheckpointError:
        raise
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, OSError, EOFError) as error:
        raise CheckpointError(f"{uri} is damaged or no checkpoint: {error}", uri) from error
