"""Packs a data set into shards, on HDFS or in a folder: radiographs, labels and outlines together."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from boneage_cli.csv_rows import Row, write_rows
from boneage_cli.errors import CallError, RunError
from boneage_cli.files import read_bounded
from boneage_cli.folders import FolderResult
from boneage_cli.sources import list_cases, locate
from boneage_imaging.codec import decode
from boneage_imaging.contrast import stretch
from boneage_imaging.geometry import letterbox
from boneage_sparkrun import StorageError, join, open_storage, shard_name, write_shard
from boneage_sparkrun.transfers import transfer

__all__ = ["upload_data"]

Case = dict[str, Any]
Fault = tuple[str, str]
_MOST_LINES = 20


def upload_data(
    data: Path,
    out: str,
    *,
    labels: Path | None = None,
    outlines: Path | None = None,
    form: Literal["parquet", "csv"] = "parquet",
    size: tuple[int, int] = (256, 256),
    shard_size: int = 64,
    threads: int = 8,
) -> FolderResult:
    """Packs a data set into a folder of shards, whole or not at all.

    A record of a Parquet shard is the case as `ingest` reads it, with `image_file` (the radiograph's own bytes) in
    place of `uri`, and `outline_file` with `outline_name` in place of `outline_uri`. A CSV file `rows-*` has a line for
    each radiograph, see `csv_rows`.

    Args:
        data: The data folder, see `sources.locate`.
        out: The folder to write, which must not be there yet: a path or hdfs://...
        labels: The label table, if it lies elsewhere.
        outlines: The folder of outlines, if it lies elsewhere.
        form: `parquet`: files as they are. `csv`: pixels of 8 bit, letterboxed.
        size: (height, width) of the images in CSV.
        shard_size: Cases of a shard.
        threads: How many shards are read and written at a time.

    Raises:
        CallError: If something is there already, or a path that was given is not.
        RunError: If no case could be packed.
        StorageError: If it cannot be written.
    """
    cases = list_cases(locate(data, labels, outlines))
    storage = open_storage(out)
    if storage.exists(out):
        raise CallError(f"received {out}, which is there already; remove it, or give another folder")
    above, _, name = out.rstrip("/").rpartition("/")
    beside = f"{above}/.{uuid.uuid4().hex}-{name}.part" if above or out.startswith("/") else f".{name}.part"
    good = [case for case in cases if not case["fault"]]
    failed: list[Fault] = [(case["case_id"], case["fault"]) for case in cases if case["fault"]]
    parts = [good[start : start + shard_size] for start in range(0, len(good), shard_size)]

    def pack(index: int) -> list[Fault]:
        if form == "csv":
            rows, faults = _each(parts[index], lambda case: _row(case, size))
            storage.write(join(beside, f"rows-{index:05d}-of-{len(parts):05d}.csv"), write_rows(rows))
        else:
            records, faults = _each(parts[index], _record)
            write_shard(join(beside, shard_name(index, len(parts))), records)
        return faults

    try:
        for faults in transfer(pack, range(len(parts)), threads):
            failed += faults
        done = len(cases) - len(failed)
        if not done:
            raise RunError(f"no case could be packed; the first: {': '.join(failed[0])}")
        if failed:
            told = [{"case_id": case_id, "reason": reason} for case_id, reason in failed]
            write_shard(join(beside, "failures", shard_name(0, 1)), told)
        storage.rename(beside, out)
    except BaseException as error:
        if getattr(error, "kind", "") not in ("safe mode", "unreachable"):  # there is no removing then
            with suppress(StorageError):
                storage.remove(beside)
        raise
    return _result(done, failed, len(parts), out)


def _each(cases: list[Case], make: Callable[[Case], Any]) -> tuple[list[Any], list[Fault]]:
    made, faults = [], []
    for case in cases:
        try:
            made.append(make(case))
        except ValueError as error:
            faults.append((case["case_id"], str(error)))
    return made, faults


def _record(case: Case) -> Case:
    kept = {name: value for name, value in case.items() if not name.endswith("uri")}
    outline = case["outline_uri"]
    return kept | {
        "image_file": read_bounded(case["uri"]) if case["uri"] else None,
        "outline_file": read_bounded(outline) if outline else None,
        "outline_name": outline.rpartition("/")[2] if outline else None,
    }


def _row(case: Case, size: tuple[int, int]) -> Row:
    image = decode(read_bounded(case["uri"]) if case["uri"] else case["thumbnail"])
    if image.dtype.itemsize > 1:
        image = stretch(image)
    return Row(case["case_id"], case["male"], case["age_months"], letterbox(image, size)[0])


def _result(done: int, failed: list[Fault], shards: int, out: str) -> FolderResult:
    lines = [f"{done} cases in {shards} shards written to {out}"]
    lines += [f"set aside: {case_id}: {reason}" for case_id, reason in failed[:_MOST_LINES]]
    if len(failed) > _MOST_LINES:
        lines.append(f"... and {len(failed) - _MOST_LINES} more, see {out}/failures")
    summary = {"done": done, "set_aside": len(failed), "shards": shards, "out": out}
    return FolderResult(done, failed, summary, lines)
