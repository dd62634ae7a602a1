"""The rooms of a run's folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from boneage_cli.errors import CallError
from boneage_sparkrun.errors import StorageError
from boneage_sparkrun.place import Place
from boneage_sparkrun.shards import read_shard, shard_uris

__all__ = ["Unfinished", "Workspace"]

_LOCK = ".lock"
_MARK = ".boneage-run"


@dataclass(frozen=True)
class Unfinished:
    """A stage that is being done, beside its place.

    Attributes:
        folder: Holds all of it.
        place: Where its output goes in the end.
    """

    folder: Place
    place: Place

    @property
    def output(self) -> Place:
        """What is to stay."""
        return self.folder / "output"

    @property
    def scratch(self) -> Place:
        """What is needed only until the stage is done."""
        return self.folder / "scratch"

    def clean(self) -> None:
        """Removes what a writer that was killed left half written in the output."""
        self.output.sweep()

    def finish(self) -> None:
        """Puts the output in its place. Cut off anywhere, it can be called again."""
        self.place.remove()
        self.output.rename(self.place)
        self.folder.remove()


@dataclass(frozen=True)
class Workspace:
    """A run's folder: one folder a stage, each with its shards or its model.

    A stage that is not done lies in `unfinished/STAGE-KEY/` and is renamed when it is.

    Attributes:
        folder: The run's folder.
    """

    folder: Place

    def stage(self, name: str) -> Place:
        """The folder of a stage."""
        return self.folder / name

    def begin(self, name: str, key: str, *, anew: bool) -> Unfinished:
        """The folder in which a stage is done: what was begun for the same key, or an empty one.

        Args:
            name: The stage.
            key: What its output depends on. What this stage began for another key is removed.
            anew: Whether it is done although it was done before: goes on only with what was begun so.
        """
        place = f"{name}-{key[:16]}{'-anew' if anew else ''}"
        for other in self._unfinished.names() if self._unfinished.exists() else []:
            if other.startswith(f"{name}-") and other != place:
                (self._unfinished / other).remove()
        unfinished = Unfinished(self._unfinished / place, self.stage(name))
        unfinished.output.make_folder()
        unfinished.scratch.make_folder()
        return unfinished

    @property
    def _unfinished(self) -> Place:
        return self.folder / "unfinished"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second run out of the folder; the lock ends with its process, however that ends.

        Raises:
            CallError: If another run works there, or it holds files and is no run's folder.
        """
        lock = self.folder / _LOCK
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(lock.storage.lock(lock))
            except StorageError as error:
                if error.kind == "locked":
                    raise CallError(
                        f"another run works in {self.folder}; wait for it or choose another --out"
                    ) from error
                raise
            self._claim()
            yield
            # Nothing failed: what was begun otherwise and is not wanted any more goes.
            self._unfinished.remove()

    def _claim(self) -> None:
        """Makes the folder a run's, so that nobody's own files are ever taken for a stage's; cleans one that is."""
        mark = self.folder / _MARK
        if mark.exists():
            self.folder.storage.sweep(self.folder)
            return
        others = [name for name in self.folder.names() if not name.startswith(".")]
        if others:
            raise CallError(
                f"received {self.folder} for --out, which holds {others[0]!r} and is no run's folder; "
                "a new or empty one would do"
            )
        mark.write_bytes(b"The folder of a run of boneage: its stages' folders are replaced as a whole.\n")

    @property
    def segmentation_model(self) -> Place:
        """The model that finds the hand."""
        return self.stage("train-segmentation") / "model"

    @property
    def regression_model(self) -> Place:
        """The model that tells the age; it brings all that `predict` needs."""
        return self.stage("train-regression") / "model"

    def shards(self, name: str) -> list[str]:
        """The shards of a stage, in order."""
        return shard_uris(str(self.stage(name)))

    def shard_table(self, names: tuple[str, ...]) -> list[list[str]]:
        """The shards of several stages side by side: one row a shard."""
        columns = [self.shards(name) for name in names]
        return [list(row) for row in zip(*columns, strict=True)]

    def records(self, names: tuple[str, ...], fields: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """The cases that every one of the stages has, with the given fields of all, in order."""
        for row in self.shard_table(names):
            yield from merged(row, fields)


def merged(uris: list[str], fields: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The cases that stand in every one of the shards, with the given fields of all, in the first's order."""
    tables = [{record["case_id"]: record for record in read_shard(uri, fields=fields)} for uri in uris]
    for case_id in tables[0]:
        if all(case_id in table for table in tables):
            case: dict[str, Any] = {}
            for table in tables:
                case |= table[case_id]
            yield {"case_id": case_id} | {name: case[name] for name in fields}
