"""What `ingest` takes in: cases that were listed one by one, or a data set that `upload` has packed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from boneage_cli.csv_rows import read_rows
from boneage_cli.errors import CallError, DataError
from boneage_cli.labels import Label
from boneage_cli.markers import digest
from boneage_cli.sources import case_record, is_safe_id
from boneage_sparkrun.engine import Engine
from boneage_sparkrun.place import Place
from boneage_sparkrun.shards import read_shard, shard_name, shard_uris, write_shard

__all__ = ["Cases", "ListedCases", "PackedCases", "find_packed", "pack_rows"]

Sources = list[list[str]]
_ROWS = re.compile(r"rows-\d{5,}-of-(\d{5,})\.csv")


class Cases(Protocol):
    """Where the cases of a run come from."""

    def stamp(self) -> Any:
        """What they are, for JSON: other cases, another stamp."""

    def sources(self, folder: Place, engine: Engine, /) -> Sources:
        """Gives the shards that `ingest` reads; what must be written for that goes into the folder."""


@dataclass(frozen=True)
class ListedCases:
    """Cases by their files, or phantoms to be drawn; see `sources.list_cases`.

    Attributes:
        records: As `ingest` reads them.
        shard_size: Cases of a shard.
    """

    records: list[dict[str, Any]]
    shard_size: int

    def stamp(self) -> Any:
        """The records, with the size and time of their files, and without their bytes."""
        return [_stamped(record) for record in self.records]

    def sources(self, folder: Place, _engine: Engine, /) -> Sources:
        """Writes the list as shards."""
        size = self.shard_size
        count = max(1, -(-len(self.records) // size))
        uris = [str(folder / shard_name(index, count)) for index in range(count)]
        for index, uri in enumerate(uris):
            write_shard(uri, self.records[index * size : (index + 1) * size])
        return [[uri] for uri in uris]


@dataclass(frozen=True)
class PackedCases:
    """A data set as `upload` writes it: never read as a whole, shard by shard by the workers alone.

    Attributes:
        folder: Where it is.
        uris: Its shards, or its CSV files.
        are_rows: Whether they are CSV files.
        failures: What was set aside when it was packed: shards.
    """

    folder: Place
    uris: list[str]
    are_rows: bool
    failures: list[str]

    def stamp(self) -> Any:
        """The digests of its files."""
        return {uri: Place(uri).digest() for uri in [*self.uris, *self.failures]}

    def sources(self, folder: Place, engine: Engine, /) -> Sources:
        """The shards as they are; CSV files are made into shards by the workers."""
        uris = self.uris
        if self.are_rows:
            uris = [str(folder / shard_name(index, len(self.uris))) for index in range(len(self.uris))]
            arguments = [{"rows": rows, "shard": uri} for rows, uri in zip(self.uris, uris, strict=True)]
            engine.run(f"{__name__}:pack_rows", arguments)
        told = [
            case_record(record["case_id"], "radiograph") | {"fault": record["reason"]}
            for uri in self.failures
            for record in read_shard(uri)
        ]
        if told:
            uris = [*uris, str(folder / "set-aside" / shard_name(0, 1))]
            write_shard(uris[-1], told)
        return [[uri] for uri in uris]


def find_packed(data: str) -> PackedCases | None:
    """Finds a packed data set in a folder, which may be anywhere; None if it is none.

    Raises:
        CallError: If the folder is not of this machine and holds none.
        StorageError: If it cannot be looked into.
    """
    place, elsewhere = Place(data), "://" in data
    if not elsewhere and not Path(data).is_dir():
        return None
    names = place.names() if place.exists() else []
    rows = [name for name in names if _ROWS.fullmatch(name)]
    uris = shard_uris(data) or [str(place / name) for name in rows]
    if not uris:
        if elsewhere:
            raise CallError(f"received {data}, which holds no data set that 'boneage upload' has packed")
        return None
    if rows and any(len(rows) != int(name.rpartition("-")[2].removesuffix(".csv")) for name in rows):
        raise DataError(
            f"{data} holds {len(rows)} CSV files, some of {rows[0]} to {rows[-1]} are missing or too many"
        )
    failures = shard_uris(str(place / "failures")) if (place / "failures").exists() else []
    return PackedCases(place, uris, uris[0].endswith(".csv"), failures)


def pack_rows(argument: dict[str, Any]) -> dict[str, Any]:
    """Makes a shard of cases of a CSV file; a line that is no radiograph becomes a case with a fault.

    Args:
        argument: rows and shard, the URIs of the two.

    Returns:
        Nothing in it.
    """
    from boneage_imaging.codec import encode_png

    file = Place(argument["rows"])
    cases: dict[str, dict[str, Any]] = {}
    try:
        rows, faults = read_rows(file.read_bytes())
    except DataError as error:
        rows, faults = [], [(0, str(error))]
    for number, fault in faults:
        name = f"{file.name} ({number})"
        cases[name] = case_record(name, "radiograph") | {"fault": fault}
    for number, row in enumerate(rows, 1):
        fault = "" if is_safe_id(row.case_id) else f"{row.case_id!a} cannot be a case's id"
        fault = fault or (f"{row.case_id} stands in the file already" if row.case_id in cases else "")
        name = f"{file.name} (radiograph {number})" if fault else row.case_id
        label = Label(row.case_id, row.age_months, row.male)
        cases[name] = case_record(name, "radiograph", label) | {
            "image_file": encode_png(row.image),
            "fault": fault or None,
        }
    write_shard(argument["shard"], list(cases.values()))
    return {}


def _stamped(case: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {k: digest(v.hex()) if isinstance(v, bytes) else v for k, v in case.items()}
    for name in ("uri", "outline_uri", "mask_uri"):
        if plain.get(name):
            stat = Path(plain[name]).stat()
            plain[f"{name}_stamp"] = [stat.st_size, stat.st_mtime_ns]
    return plain
