"""Where the cases come from: a folder of radiographs, a table of labels, outlines, or phantoms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boneage_cli.errors import CallError, DataError
from boneage_cli.files import MAX_BYTES, file_fault, shown
from boneage_cli.labels import Label, read_labels

if TYPE_CHECKING:
    from boneage_cli.config import Phantoms

__all__ = [
    "IMAGE_SUFFIXES",
    "Data",
    "case_record",
    "find_masks",
    "image_files",
    "is_safe_id",
    "list_cases",
    "list_phantoms",
    "locate",
    "name_faults",
    "phantom_id",
    "thumbnail_ids",
]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom")
_OTHER_SUFFIXES = (".gif", ".webp", ".jp2", ".j2k", ".heic", ".heif", ".avif", ".svg", ".pdf")  # never read
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


def name_faults(files: Iterable[Path]) -> dict[Path, str]:
    """The files of a folder that cannot be cases, by their names or since they are no files; and why."""
    files = list(files)
    faults = {path: fault for path in files if (fault := file_fault(path) or _suffix_fault(path))}
    counts = Counter(path.stem for path in files if path not in faults)
    for path in files:
        if path in faults:
            continue
        if not is_safe_id(path.stem):
            faults[path] = f"the name {path.name!a} cannot be a case's id; a plain, shorter one would do"
        elif counts[path.stem] > 1:
            faults[path] = f"{counts[path.stem]} files are named {path.stem!r}; one of them would do"
    return faults


def _suffix_fault(path: Path) -> str:
    suffix = path.suffix.lower()
    return f"a {suffix[1:].upper()} is not read; a PNG would do" if suffix in _OTHER_SUFFIXES else ""


def image_files(folder: Path) -> list[Path]:
    """All in a folder that is named as a picture, sorted by name; hidden files are passed over.

    What cannot be read (a GIF, a folder, a link that leads nowhere) is among them: somebody will miss it, so
    `name_faults` tells of it.

    Raises:
        CallError: If the folder is not there or cannot be looked into.
    """
    if not folder.is_dir():
        raise CallError(f"received {folder}, which is not a folder that is there")
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in IMAGE_SUFFIXES + _OTHER_SUFFIXES and not path.name.startswith(".")
        )
    except OSError as error:
        raise CallError(f"received {folder}, which cannot be looked into: {error.strerror}") from error


def list_cases(data: Data) -> list[dict[str, Any]]:
    """Lists the cases of a data set as the records that `ingest` reads.

    A radiograph is a case by its file's stem. An outline whose radiograph is not there is matched to the
    thumbnails, if there are any: such a case trains and tests the segmentation only. A file that cannot be a
    case is listed by its whole name with its `fault`, so that `ingest` sets it aside and it is counted.

    Raises:
        DataError: If there is no radiograph, or the table of labels cannot be read.
    """
    from boneage_segmentation.annotation import find_outlines

    files = image_files(data.images)
    if not files:
        raise DataError(
            f"{data.images} holds no radiograph; files ending in {', '.join(IMAGE_SUFFIXES)} would do"
        )
    labels = read_labels(data.labels) if data.labels else {}
    outlines = find_outlines(data.outlines) if data.outlines else {}
    masks, bad_masks = find_masks(data.masks) if data.masks else ({}, {})
    faults = name_faults(files)
    records: dict[str, dict[str, Any]] = {}
    for path in (path for path in files if path not in faults):
        case_id = path.stem
        record = case_record(case_id, "radiograph", labels.get(case_id), path, outlines.get(case_id))
        records[case_id] = record | {"mask_uri": masks.get(case_id), "fault": bad_masks.get(case_id)}
    for record in _thumbnail_records(data, outlines, labels, set(records)):
        records[record["case_id"]] = record
    for path, fault in faults.items():
        name = shown(path.name)
        while name in records:
            name += " (file)"
        records[name] = case_record(name, "radiograph") | {"fault": fault}
    return list(records.values())


def find_masks(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The masks of a folder by the ids of their cases, and why others cannot be used, by the same.

    Raises:
        CallError: If the folder is not there.
    """
    files = image_files(folder)
    faults = name_faults(files)
    bad = {path.stem: f"its mask {shown(path.name)}: {fault}" for path, fault in faults.items()}
    good = {path.stem: str(path.absolute()) for path in files if path not in faults}
    return good, {case_id: fault for case_id, fault in bad.items() if case_id not in good}


def phantom_id(index: int) -> str:
    """The id of the phantom that is drawn from this index.

    >>> phantom_id(7)
    'phantom-00007'
    """
    return f"phantom-{index:05d}"


def list_phantoms(phantoms: Phantoms) -> list[dict[str, Any]]:
    """Lists phantoms as the records that `ingest` reads; ingest draws them."""
    return [
        case_record(phantom_id(index), "phantom")
        | {
            "phantom_seed": phantoms.seed,
            "phantom_index": index,
            "true_height": phantoms.height,
            "true_width": phantoms.width,
        }
        for index in range(phantoms.count)
    ]


def case_record(
    case_id: str, kind: str, label: Label | None = None, path: Path | None = None, outline: Path | None = None
) -> dict[str, Any]:
    """A case as `ingest` reads it.

    Args:
        case_id: Its name.
        kind: radiograph, thumbnail or phantom.
        label: What is known of it.
        path: Where its radiograph is.
        outline: Where its outline is.
    """
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
        "fault": None,
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
    import numpy as np

    from boneage_imaging.codec import encode_png

    ids, images, sizes = _arrays(data.thumbnails, "id", "image", "original_hw")
    if images.ndim != 3 or images.dtype != np.uint8 or sizes.shape != (len(images), 2):
        raise DataError(
            f"{data.thumbnails}: received images {images.dtype} of shape {images.shape} and sizes of shape "
            f"{sizes.shape}; uint8 (count, height, width) and (count, 2) would do"
        )
    at = {str(case_id): index for index, case_id in enumerate(ids)}
    return [
        case_record(case_id, "thumbnail", labels.get(case_id), None, outlines[case_id])
        | {
            "thumbnail": encode_png(images[at[case_id]]),
            "true_height": int(sizes[at[case_id]][0]),
            "true_width": int(sizes[at[case_id]][1]),
            "fault": None
            if (sizes[at[case_id]] > 0).all()
            else "the true size of its thumbnail is not known",
        }
        for case_id in wanted
        if case_id in at and is_safe_id(case_id)
    ]


def _arrays(archive: Path, *names: str) -> list[Any]:
    import numpy as np

    try:
        _check_unpacked(archive)
        with np.load(archive, allow_pickle=False) as arrays:
            loaded = [arrays[name] for name in names]
    except Exception as error:  # a damaged archive fails in zipfile, zlib or numpy, each in its own way
        raise DataError(f"{archive} is no archive of thumbnails with {', '.join(names)}: {error}") from error
    if len({len(array) if array.ndim else -1 for array in loaded}) != 1:
        raise DataError(f"{archive}: {', '.join(names)} are not of one length")
    return loaded


def _check_unpacked(archive: Path) -> None:
    """Raises DataError if the archive holds much more than thumbnails of every radiograph there is would be."""
    import zipfile

    with zipfile.ZipFile(archive) as packed:
        size = sum(entry.file_size for entry in packed.infolist())
    if size > MAX_BYTES:
        raise DataError(f"it holds {size} bytes; at most {MAX_BYTES} are read")
