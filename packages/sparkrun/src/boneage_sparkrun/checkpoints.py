"""What a training run needs to go on after it was cut off: one file per epoch, whole or not at all."""

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

__all__ = ["Checkpoint", "Checkpoints", "recipe_digest"]

_NAME = re.compile(r"checkpoint-(\d{6})\.npz")
_META = "meta"
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The state after an epoch.

    Attributes:
        digest: The recipe's, see `recipe_digest`.
        history: One dict per epoch so far.
        best_epoch: Counted from 1.
        arrays: Lists of arrays by name: what the next step depends on, and the best weights.
    """

    digest: str
    history: list[dict[str, float]]
    best_epoch: int
    arrays: Arrays

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)


class Checkpoints:
    """The checkpoints of one training run, in a folder of their own.

    Args:
        folder: A URI; it is made when the first one is saved.
        keep: How many of the newest stay.
        every: Save after every so many epochs, and after the last.
        read_only: Load, but never save or remove: for all workers of a cluster but one.
        storage: Where the folder is; None: told by the URI.
    """

    def __init__(
        self,
        folder: Uri,
        keep: int = 2,
        every: int = 1,
        *,
        read_only: bool = False,
        storage: Storage | None = None,
    ) -> None:
        if keep < 1 or every < 1:
            raise CheckpointError(f"keep and every must be at least 1; received {keep} and {every}")
        self._folder = folder
        self._storage = storage or open_storage(folder)
        self._keep = keep
        self._every = every
        self._read_only = read_only

    def is_due(self, epoch: int) -> bool:
        """Tells whether to save after this epoch (counted from 1)."""
        return not self._read_only and epoch % self._every == 0

    def save(self, checkpoint: Checkpoint) -> None:
        """Saves one, and removes those beyond the newest `keep`."""
        if self._read_only:
            return
        uri = join(self._folder, f"checkpoint-{checkpoint.epoch:06d}.npz")
        self._storage.write(uri, _pack(checkpoint))
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
        return Checkpoint(meta["digest"], meta["history"], meta["best_epoch"], arrays)
    except CheckpointError:
        raise
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, OSError, EOFError) as error:
        raise CheckpointError(f"{uri} is damaged or no checkpoint: {error}", uri) from error
