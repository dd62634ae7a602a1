"""The commands that work on a folder: every picture by itself, bad ones set aside with their reason."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from boneage_cli import phantom_files
from boneage_cli.batch import (
    Batch,
    Failures,
    Records,
    list_images,
    make_folder,
    map_cases,
    map_files,
    refuse_overwriting,
    working_folder,
)
from boneage_cli.errors import CallError, RunError
from boneage_cli.labels import write_table
from boneage_cli.models import find_segmentation
from boneage_cli.sources import find_masks, phantom_id
from boneage_cli.tallies import first_lines
from boneage_imaging.codec import MAX_PIXELS

__all__ = [
    "FolderResult",
    "align_folder",
    "contrast_folder",
    "folder_result",
    "phantom_folder",
    "resize_folder",
    "segment_folder",
]

NOTICE = "Not a medical device."
_MAX_TILES = 256
_PHANTOM_SIDES = (32, 8192)


@dataclass(frozen=True)
class FolderResult:
    """What a folder command did.

    Attributes:
        done: Pictures written.
        failed: (name, reason) of each file that was set aside.
        summary: The same and more for machines, JSON-able.
        lines: What a person wants to know.
    """

    done: int
    failed: list[tuple[str, str]]
    summary: dict[str, Any]
    lines: list[str]


def resize_folder(
    images: Path, out: Path, *, size: tuple[int, int], fill: str, workers: int, quiet: bool
) -> FolderResult:
    """Resizes every picture of a folder: aspect ratio kept, padded with one colour, depth kept.

    Args:
        images: The folder; its own folders are not looked into.
        out: Gets ID.png for each.
        size: (height, width) in pixels.
        fill: `white` (of the picture's depth), `black`, or a gray value.
        workers: Processes; 0: one per core.
        quiet: Whether to show no progress.

    Raises:
        CallError: If a setting cannot be, or IN and OUT are one.
        DataError: If there is no picture.
    """
    if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
        raise CallError(f"received --size {size[0]} {size[1]}; 1 1 up to {MAX_PIXELS} pixels in all would do")
    config = {"height": size[0], "width": size[1], "fill": _fill(fill)}
    return _over_images(Batch("resize", out, ("",), config, workers, quiet), images)


def _fill(text: str) -> int | None:
    if text.lower() in ("white", "black"):
        return None if text.lower() == "white" else 0
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise CallError(f"received --fill {text}; white, black or a gray value from 0 to 65535 would do")
    return int(text)


def contrast_folder(
    images: Path, out: Path, *, clip_limit: float, tiles: int, workers: int, quiet: bool
) -> FolderResult:
    """Equalises the contrast of every picture of a folder (CLAHE), at its own size and depth.

    Args:
        images: The folder; its own folders are not looked into.
        out: Gets ID.png for each.
        clip_limit: The highest bin over a uniform histogram's, above 0.
        tiles: Tiles along each side, 1 to 256.
        workers: Processes; 0: one per core.
        quiet: Whether to show no progress.

    Raises:
        CallError: If a setting cannot be, or IN and OUT are one.
        DataError: If there is no picture.
    """
    if not (math.isfinite(clip_limit) and clip_limit > 0):
        raise CallError(f"received --clip-limit {clip_limit:g}; a number above 0 would do")
    if not 1 <= tiles <= _MAX_TILES:
        raise CallError(f"received --tiles {tiles}; 1 to {_MAX_TILES} would do")
    config = {"clip_limit": clip_limit, "tiles": tiles}
    return _over_images(Batch("contrast", out, ("",), config, workers, quiet), images)


def segment_folder(images: Path, out: Path, *, model: Path | None, workers: int, quiet: bool) -> FolderResult:
    """Finds the hand in every picture of a folder.

    Args:
        images: The folder; its own folders are not looked into.
        out: Gets `masks/ID.png` (0 and 255, at the picture's own size; empty where there is no hand),
            `masked/ID.png` and `segment.csv` with the columns id,status,reason,mask_share, where the status
            of a file that was set aside is `failed`, and its id its whole name where several share the stem.
        model: Model folder, or a run's; None: the shipped one.
        workers: Processes; 0: one per core.
        quiet: Whether to show no progress.

    Raises:
        CallError: If there is no model, or OUT would overwrite IN.
        DataError: If there is no picture.
    """
    # While one picture is written, the network looks at the next.
    batch = Batch("segment", out, ("masks", "masked"), {}, workers, quiet, threads=2)
    refuse_overwriting(batch, images)
    files = list_images(images)
    records, failed = map_files(replace(batch, config={"model": _sound_model(model)}), files)
    header = ("id", "status", "reason", "mask_share")
    rows = [tuple(record[name] for name in ("case_id", *header[1:])) for record in records]
    shared = Counter(path.stem for path in files)
    ids = {name: name if shared[Path(name).stem] > 1 else Path(name).stem for name, _ in failed}
    rows = sorted([*rows, *((ids[name], "failed", reason, None) for name, reason in failed)])
    write_table(out / "segment.csv", header, rows)
    counts = Counter(record["status"] for record in records)
    lines = [f"{counts['ok']} hands found, {counts['warning']} with a warning; none in {counts['refused']}"]
    lines += first_lines([f"{r['case_id']}: {r['reason']}" for r in records if r["status"] != "ok"])
    more = {
        "hands": {status: counts[status] for status in ("ok", "warning", "refused")},
        "cases": [dict(zip(header, row, strict=True)) for row in rows],
    }
    return folder_result(batch, len(files), records, failed, more, lines)


def align_folder(
    images: Path, out: Path, *, masks: Path | None, model: Path | None, workers: int, quiet: bool
) -> FolderResult:
    """Turns the hand in every picture of a folder upright.

    Args:
        images: The folder; its own folders are not looked into.
        out: Gets ID.png for each.
        masks: Folder with a mask ID.png for each; None: they are found by the model.
        model: Model folder, or a run's; None: the shipped one.
        workers: Processes; 0: one per core.
        quiet: Whether to show no progress.

    Raises:
        CallError: If a folder is not there, there is no model, or OUT would overwrite IN or the masks.
        DataError: If there is no picture.
    """
    batch = Batch("align", out, ("",), {}, workers, quiet)
    refuse_overwriting(batch, images, masks)
    files = list_images(images)
    known, bad = find_masks(masks) if masks else ({}, {})
    config = {"model": None if masks else _sound_model(model)}
    more = {path: {"mask_uri": known.get(path.stem)} for path in files}
    faults = {path: bad[path.stem] for path in files if path.stem in bad}
    records, failed = map_files(replace(batch, config=config), files, more, faults)
    angles = {record["case_id"]: round(record["angle_deg"], 2) for record in records}
    return folder_result(batch, len(files), records, failed, {"angle_deg": angles})


def phantom_folder(
    out: Path, *, count: int, seed: int, size: tuple[int, int], workers: int, quiet: bool
) -> FolderResult:
    """Draws hand phantoms: a data set that any other command takes.

    They are the phantoms that a run draws by itself for the same count, seed and size.

    Args:
        out: Gets `images/ID.png`, `outlines/ID.png` (0 and 255), `labels.csv` (id,boneage,male) and
            `keypoints.json` (COCO). Phantoms that are there are replaced.
        count: How many, at least 1.
        seed: Decides all that is drawn by chance, at least 0.
        size: (height, width) in pixels, each 32 to 8192.
        workers: Processes; 0: one per core.
        quiet: Whether to show no progress.

    Raises:
        CallError: If a setting cannot be, or there is something else than phantoms in OUT.
        RunError: If one cannot be drawn or written; what was in OUT is then as it was.
    """
    low, high = _PHANTOM_SIDES
    if count < 1 or seed < 0 or not all(low <= side <= high for side in size):
        raise CallError(
            f"received --count {count} --seed {seed} --size {size[0]} {size[1]}; a count of 1 or more, "
            f"a seed of 0 or more, and sides from {low} to {high} would do"
        )
    phantom_files.check_place(out)
    make_folder(out)
    cases = [{"case_id": phantom_id(index), "phantom_index": index} for index in range(count)]
    config = {"seed": seed, "height": size[0], "width": size[1]}
    with working_folder(out) as working:
        batch = Batch("phantom", working / "new", ("images", "outlines"), config, workers, quiet)
        records, failed = map_cases(batch, cases)
        if failed:
            raise RunError(f"{len(failed)} of {count} phantoms could not be drawn: {failed[0][1]}")
        phantom_files.write_tables(batch.out, records, size)
        phantom_files.move_in(batch.out, out, aside=working)
    return folder_result(replace(batch, out=out), count, records, [], {"seed": seed, "size": list(size)})


def _sound_model(folder: Path | None) -> str:
    """The model folder, after it has been loaded once: better here than in each worker."""
    from boneage_segmentation.inference import Segmenter

    found = find_segmentation(folder)
    Segmenter.load(found, threads=1)
    return str(found.absolute())


def _over_images(batch: Batch, images: Path) -> FolderResult:
    refuse_overwriting(batch, images)
    files = list_images(images)
    return folder_result(batch, len(files), *map_files(batch, files))


def folder_result(
    batch: Batch,
    total: int,
    records: Records,
    failed: Failures,
    more: dict[str, Any] | None = None,
    lines: list[str] | None = None,
) -> FolderResult:
    """Tells what a command did: how many pictures, what else there is to say, and what was set aside.

    Args:
        batch: The command.
        total: Pictures that there were.
        records: What is told of each that was done.
        failed: (name, reason) of each that was set aside.
        more: Further facts for machines.
        lines: And for people.
    """
    summary = {
        "command": batch.name,
        "out": str(batch.out),
        "files": total,
        "done": len(records),
        "failed": [{"name": name, "reason": reason} for name, reason in failed],
        **(more or {}),
        "notice": NOTICE,
    }
    told = [
        f"{batch.name}: {len(records)} of {total} pictures done, written to {batch.out}",
        *(lines or []),
        *first_lines([f"set aside {name}: {reason}" for name, reason in failed]),
        NOTICE,
    ]
    return FolderResult(len(records), failed, summary, told)
