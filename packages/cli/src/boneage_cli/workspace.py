"""The rooms of a run's folder."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boneage_cli.errors import CallError
from boneage_sparkrun.shards import read_shard, shard_uris

__all__ = ["Unfinished", "Workspace"]


@dataclass(frozen=True)
class Unfinished:
    """A stage that is being done, beside its place.

    Attributes:
        folder: Holds all of it.
        place: Where its output goes in the end.
    """

    folder: Path
    place: Path

    @property
    def output(self) -> Path:
        """What is to stay."""
        return self.folder / "output"

    @property
    def scratch(self) -> Path:
        """What is needed only until the stage is done."""
        return self.folder / "scratch"

    def clean(self) -> None:
        """Removes what a writer that was killed left half written in the output."""
        _remove_hidden(self.output)

    def finish(self) -> None:
        """Puts the output in its place. Cut off anywhere, it can be called again."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.output.rename(self.place)
        shutil.rmtree(self.folder)


@dataclass(frozen=True)
class Workspace:
    """A run's folder: one folder a stage, each with its shards or its model.

    A stage that is not done lies in `unfinished/STAGE-KEY/` and is renamed when it is.

    Attributes:
        folder: The run's folder.
    """

    folder: Path

    def stage(self, name: str) -> Path:
        """The folder of a stage."""
        return self.folder / name

    def begin(self, name: str, key: str, *, anew: bool) -> Unfinished:
        """The folder in which a stage is done: what was begun for the same key, or an empty one.

        Args:
            name: The stage.
            key: What its output depends on. What was begun for another key is removed.
            anew: Remove what was begun for this one, too.
        """
        folder = self.folder / "unfinished" / f"{name}-{key[:16]}"
        if folder.parent.is_dir():
            for other in folder.parent.iterdir():
                if anew or other != folder:
                    shutil.rmtree(other)
        unfinished = Unfinished(folder, self.stage(name))
        for path in (unfinished.output, unfinished.scratch):
            path.mkdir(parents=True, exist_ok=True)
        return unfinished

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second run out of the folder; the lock ends with its process, however that ends.

        Raises:
            CallError: If another run works there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CallError(
                    f"another run works in {self.folder}; wait for it or choose another --out"
                ) from error
            for path in self.folder.glob(".*.part"):
                path.unlink()
            yield
            # Where nothing failed nothing is unfinished.
            shutil.rmtree(self.folder / "unfinished", ignore_errors=True)

    @property
    def segmentation_model(self) -> Path:
        """The model that finds the hand."""
        return self.stage("train-segmentation") / "model"

    @property
    def regression_model(self) -> Path:
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


def _remove_hidden(folder: Path) -> None:
    """Removes files and folders whose names begin with a dot: every writer's name for what is half written."""
    for path in list(folder.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            _remove_hidden(path)
        elif path.is_dir():
            shutil.rmtree(path)
        elif path.name.startswith("."):
            path.unlink()
