"""The rooms of a run's folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boneage_sparkrun.shards import read_shard, shard_uris

__all__ = ["Workspace"]


@dataclass(frozen=True)
class Workspace:
    """A run's folder: one folder a stage, each with its shards or its model.

    Attributes:
        folder: The run's folder.
    """

    folder: Path

    def stage(self, name: str) -> Path:
        """The folder of a stage."""
        return self.folder / name

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
