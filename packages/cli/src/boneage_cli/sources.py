"""Where the cases come from: a folder of radiographs, a table of labels, a folder of outlines, or phantoms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boneage_cli.errors import CallError, DataError
from boneage_cli.labels import Label, read_labels

if TYPE_CHECKING:
    from boneage_cli.config import Phantoms

__all__ = ["IMAGE_SUFFIXES", "Data", "image_files", "is_safe_id", "list_cases", "list_phantoms", "locate"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom")
_UNSAFE = re.compile(r"[\x00-\x1f/\\]")


@dataclass(frozen=True)
class Data:
    """The places of one data set; what is None is not there."""

    images: Path
    labels: Path | None = None
    outlines: Path | None = None
    masks: Path | None = None
    thumbnails: Path | None = None


def locate(data: Path, labels: Path | None = None, outlines: Path | None = None) -> Data:
    """Finds the parts of a data set.

    A data folder holds radiographs, or a folder `images` with them; beside them may lie `labels.csv`, a folder
    `outlines` or `polygons`, and `thumbs100.npz` (squashed thumbnails, for outlines whose radiographs are
    not there).

    Args:
        data: The data folder.
        labels: The label table, if it lies elsewhere.
        outlines: The folder of outlines, if it lies elsewhere.

    Raises:
        CallError: If a path that was given is not there.
    """
    for path, wanted in ((data, "a folder"), (labels, "a CSV table"), (outlines, "a folder")):
        good = path is None or (path.is_dir() if wanted == "a folder" else path.is_file())
        if not good:
            raise CallError(f"received {path}, which is not there or not {wanted}")
    images = data / "images" if (data / "images").is_dir() else data
    around = [images, images.parent] if images != data or data.name == "images" else [data]
    near_outlines = [outlines.parent] if outlines else []
    return Data(
        images,
        labels or _first(around, "labels.csv"),
        outlines or _first(around, "outlines") or _first(around, "polygons"),
        None,
        _first([*around, *near_outlines], "thumbs100.npz"),
    )


def _first(folders: list[Path], name: str) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).exists()), None)


def is_safe_id(case_id: str) -> bool:
    """Whether an id can be a file's name: no separator, no control character, not hidden, not too long.

    >>> is_safe_id("1378"), is_safe_id("../../x"), is_safe_id("")
    (True, False, False)
    """
    return (
        bool(case_id) and not _UNSAFE.search(case_id) and not case_id.startswith(".") and len(case_id) <= 120
    )


def image_files(folder: Path) -> list[Path]:
    """The image files of a folder, sorted by name; folders and hidden files are passed over.

    Raises:
        CallError: If the folder is not there.
    """
    if not folder.is_dir():
        raise CallError(f"received {folder}, which is not a folder that is there")
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def list_cases(data: Data) -> list[dict[str, Any]]:
    """Lists the cases of a data set as the records that `ingest` reads.

    A radiograph is a case by its file's stem. An outline whose radiograph is not there is matched to the
    thumbnails, if there are any: such a case trains and tests the segmentation only.

    Raises:
        DataError: If there is no radiograph, two files have one stem, or an id cannot be a file's name.
    """
    from boneage_segmentation.annotation import find_outlines

    files = image_files(data.images)
    if not files:
        raise DataError(
            f"{data.images} holds no radiograph; files ending in {', '.join(IMAGE_SUFFIXES)} would do"
        )
    labels = read_labels(data.labels) if data.labels else {}
    outlines = find_outlines(data.outlines) if data.outlines else {}
    masks = {p.stem: p for p in image_files(data.masks)} if data.masks else {}
    records: dict[str, dict[str, Any]] = {}
    for path in files:
        if path.stem in records:
            raise DataError(f"{data.images}: two files are named {path.stem!r}; one of them would do")
        if not is_safe_id(path.stem):
            raise DataError(f"{data.images}: the name {path.name!r} cannot be a case's id")
        records[path.stem] = _record(
            path.stem, "radiograph", labels.get(path.stem), path, outlines.get(path.stem)
        )
        if path.stem in masks:
            records[path.stem]["mask_uri"] = str(masks[path.stem])
    for record in _thumbnail_records(data, outlines, labels, set(records)):
        records[record["case_id"]] = record
    return list(records.values())


def list_phantoms(phantoms: Phantoms) -> list[dict[str, Any]]:
    """Lists phantoms as the records that `ingest` reads; ingest draws them."""
    return [
        _record(f"phantom-{index:05d}", "phantom", None, None, None)
        | {
            "phantom_seed": phantoms.seed,
            "phantom_index": index,
            "true_height": phantoms.height,
            "true_width": phantoms.width,
        }
        for index in range(phantoms.count)
    ]


def _record(
    case_id: str, kind: str, label: Label | None, path: Path | None, outline: Path | None
) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "kind": kind,
        "uri": str(path) if path else None,
        "outline_uri": str(outline) if outline else None,
        "mask_uri": None,
        "thumbnail": None,
        "true_height": None,
        "true_width": None,
        "phantom_seed": None,
        "phantom_index": None,
        "age_months": label.age_months if label else None,
        "male": label.male if label else None,
    }


def _thumbnail_records(
    data: Data, outlines: dict[str, Path], labels: dict[str, Label], taken: set[str]
) -> list[dict[str, Any]]:
    wanted = sorted(set(outlines) - taken)
    if not wanted or data.thumbnails is None:
        return []
    import numpy as np

    from boneage_imaging.codec import encode_png

    with np.load(data.thumbnails, allow_pickle=False) as archive:
        at = {str(case_id): index for index, case_id in enumerate(archive["id"])}
        images, sizes = archive["image"], archive["original_hw"]
    return [
        _record(case_id, "thumbnail", labels.get(case_id), None, outlines[case_id])
        | {
            "thumbnail": encode_png(images[at[case_id]]),
            "true_height": int(sizes[at[case_id]][0]),
            "true_width": int(sizes[at[case_id]][1]),
        }
        for case_id in wanted
        if case_id in at and is_safe_id(case_id)
    ]
