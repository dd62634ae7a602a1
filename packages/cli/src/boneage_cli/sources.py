"""Where the cases come from: a folder of radiographs, a table of labels, outlines, or phantoms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boneage_cli.errors import CallError, DataError
from boneage_cli.labels import Label, read_labels

if TYPE_CHECKING:
    from boneage_cli.config import Phantoms

__all__ = [
    "IMAGE_SUFFIXES",
    "Data",
    "image_files",
    "is_safe_id",
    "list_cases",
    "list_phantoms",
    "locate",
    "name_faults",
    "phantom_id",
    "shown",
    "thumbnail_ids",
]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom")
_LONGEST_ID = 200  # bytes; file systems take 255, and suffixes come on top


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

    A data folder holds radiographs, or a folder `images` with them; beside them may lie `labels.csv`, a
    folder `outlines` or `polygons`, and `thumbs100.npz` (squashed thumbnails, for outlines whose radiographs
    are not there).

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
    named_images = data.absolute().name == "images"
    around = [images, images.absolute().parent] if images != data or named_images else [data]
    near_outlines = [outlines.parent] if outlines else []
    return Data(
        images,
        labels or _first_file(around, "labels.csv"),
        outlines or _first_folder(around, "outlines") or _first_folder(around, "polygons"),
        None,
        _first_file([*around, *near_outlines], "thumbs100.npz"),
    )


def _first_file(folders: list[Path], name: str) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _first_folder(folders: list[Path], name: str) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_dir()), None)


def is_safe_id(case_id: str) -> bool:
    """Whether an id can be a file's name: printable, no separator, not hidden, not too long.

    >>> is_safe_id("1378"), is_safe_id("../../x"), is_safe_id("")
    (True, False, False)
    """
    if not case_id or not case_id.isprintable() or case_id.startswith("."):
        return False
    return not set("/\\") & set(case_id) and len(case_id.encode()) <= _LONGEST_ID


def shown(name: str) -> str:
    r"""A name as it can be printed and written: as it is, or in quotes with what is not printable escaped.

    >>> shown("1378.png"), shown("a\nb.png")
    ('1378.png', "'a\\nb.png'")
    """
    return name if name.isprintable() else ascii(name)


def name_faults(files: Iterable[Path]) -> dict[Path, str]:
    """The files whose stem cannot be a case's id, since it is unsafe or others share it; and why."""
    files = list(files)
    counts = Counter(path.stem for path in files)
    faults = {}
    for path in files:
        if not is_safe_id(path.stem):
            faults[path] = f"the name {path.name!a} cannot be a case's id"
        elif counts[path.stem] > 1:
            faults[path] = f"{counts[path.stem]} files are named {path.stem!r}; one of them would do"
    return faults


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
    masks = _by_stem(data.masks, image_files(data.masks)) if data.masks else {}
    records: dict[str, dict[str, Any]] = {}
    for path in _by_stem(data.images, files).values():
        records[path.stem] = _record(
            path.stem, "radiograph", labels.get(path.stem), path, outlines.get(path.stem)
        )
        if path.stem in masks:
            records[path.stem]["mask_uri"] = str(masks[path.stem])
    for record in _thumbnail_records(data, outlines, labels, set(records)):
        records[record["case_id"]] = record
    return list(records.values())


def _by_stem(folder: Path, files: list[Path]) -> dict[str, Path]:
    for fault in name_faults(files).values():
        raise DataError(f"{folder}: {fault}")
    return {path.stem: path for path in files}


def phantom_id(index: int) -> str:
    """The id of the phantom that is drawn from this index.

    >>> phantom_id(7)
    'phantom-00007'
    """
    return f"phantom-{index:05d}"


def list_phantoms(phantoms: Phantoms) -> list[dict[str, Any]]:
    """Lists phantoms as the records that `ingest` reads; ingest draws them."""
    return [
        _record(phantom_id(index), "phantom", None, None, None)
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


def thumbnail_ids(archive: Path) -> set[str]:
    """The ids of the thumbnails in an archive, without reading their pictures.

    Raises:
        DataError: If it is no such archive.
    """
    return {str(case_id) for case_id in _arrays(archive, "id")[0]}


def _thumbnail_records(
    data: Data, outlines: dict[str, Path], labels: dict[str, Label], taken: set[str]
) -> list[dict[str, Any]]:
    wanted = sorted(set(outlines) - taken)
    if not wanted or data.thumbnails is None:
        return []
    from boneage_imaging.codec import encode_png

    ids, images, sizes = _arrays(data.thumbnails, "id", "image", "original_hw")
    at = {str(case_id): index for index, case_id in enumerate(ids)}
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


def _arrays(archive: Path, *names: str) -> list[Any]:
    import zipfile

    import numpy as np

    try:
        with np.load(archive, allow_pickle=False) as arrays:
            loaded = [arrays[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{archive} is no archive of thumbnails with {', '.join(names)}: {error}") from error
    if len({len(array) for array in loaded}) != 1:
        raise DataError(f"{archive}: {', '.join(names)} are not of one length")
    return loaded
