"""A look at every file of a data set: can it be read, what is in it, is it there twice."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from boneage_cli.errors import CallError, DataError
from boneage_cli.files import file_fault, plain, read_bounded, shown
from boneage_cli.sources import IMAGE_SUFFIXES, image_files
from boneage_imaging.codec import decode
from boneage_imaging.errors import DecodeError
from boneage_imaging.header import read_header
from boneage_imaging.quality import assess
from boneage_segmentation.annotation import read_outline

__all__ = [
    "Outline",
    "Picture",
    "look_at_outlines",
    "look_at_pictures",
    "pictures_in_subfolders",
    "pictures_passed_over",
]

T = TypeVar("T")
Count = Callable[[int, int], None]
_FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "DICOM": (".dcm", ".dicom"),
}
_SKETCH = (256, 256)
_MAGICS = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM")


@dataclass(frozen=True)
class Picture:
    """What one image file holds.

    Attributes:
        path: The file.
        problem: Why it cannot be read; "" if it can.
        size: (height, width) in pixels; (0, 0) if it cannot be read.
        bits: 8 or 16; 0 if it cannot be read.
        format: By its content; "" if it is none that is known.
        digest: Of the pixels: equal for equal pictures, whatever their names and formats.
        doubt: Why it is hardly a radiograph, "" if nothing speaks against it.
    """

    path: Path
    problem: str
    size: tuple[int, int] = (0, 0)
    bits: int = 0
    format: str = ""
    digest: str = ""
    doubt: str = ""

    @property
    def misnamed(self) -> bool:
        """Whether the file's extension promises another format than there is."""
        return bool(self.format) and self.path.suffix.lower() not in _FORMATS[self.format]


@dataclass(frozen=True)
class Outline:
    """What one outline file holds: why it cannot be used ("" if it can), and its own size (height, width)."""

    path: Path
    problem: str
    size: tuple[int, int] = (0, 0)


def look_at_pictures(paths: Sequence[Path], count: Count | None = None) -> list[Picture]:
    """Reads every picture, in as many threads as there are cores; never more than one each in memory."""
    return _in_threads(_look_at_picture, paths, count)


def look_at_outlines(paths: Sequence[Path], count: Count | None = None) -> list[Outline]:
    """Reads every outline."""
    return _in_threads(_look_at_outline, paths, count)


def _in_threads(look: Callable[[Path], T], paths: Sequence[Path], count: Count | None) -> list[T]:
    seen: list[T] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for one in pool.map(look, paths):
            seen.append(one)
            if count:
                count(len(seen), len(paths))
    return seen


def _look_at_picture(path: Path) -> Picture:
    try:
        data = read_bounded(str(path))
        image = decode(data)
    except (ValueError, OSError, MemoryError) as error:
        return Picture(path, plain(str(error)) or type(error).__name__)
    kind = "DICOM" if data[128:132] == b"DICM" else read_header(data).kind
    del data
    facts = f"{image.shape} {image.dtype}".encode()
    digest = hashlib.blake2b(facts + np.ascontiguousarray(image).tobytes(), digest_size=16).hexdigest()
    verdict = assess(image)
    doubt = verdict.reasons[0] if verdict.status == "refused" else ""
    size = (int(image.shape[0]), int(image.shape[1]))
    return Picture(path, "", size, image.dtype.itemsize * 8, kind, digest, doubt)


def _look_at_outline(path: Path) -> Outline:
    try:
        data = read_bounded(str(path))
        if path.suffix.lower() == ".json":
            # Drawn small: at a radiograph's full size each would take a quarter of a second.
            mask = read_outline(data, path.name, _SKETCH)
            size = json.loads(data)["size"]
            own = (int(size["height"]), int(size["width"]))
        else:
            mask = read_outline(data, path.name)
            own = (int(mask.shape[0]), int(mask.shape[1]))
    except DataError as error:
        return Outline(path, f"outline {shown(path.name)}: {error}")
    except (ValueError, OSError, MemoryError) as error:
        return Outline(path, plain(str(error)) or type(error).__name__)
    if not mask.any() or mask.all():
        return Outline(path, f"outline {path.name} encloses {'everything' if mask.all() else 'nothing'}", own)
    return Outline(path, "", own)


def pictures_passed_over(folder: Path) -> list[Path]:
    """Files that are pictures by their content, but not by their extension, so that no command reads them."""
    others = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() not in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and not file_fault(path)
    ]
    return [path for path in others if _is_picture(path)]


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(132)
        if head[128:] == b"DICM":
            return True
        return head.startswith(_MAGICS) and bool(read_header(read_bounded(str(path))).kind)
    except (DecodeError, ValueError, OSError):
        return False


def pictures_in_subfolders(folder: Path, known: Sequence[Path | None]) -> dict[str, int]:
    """How many pictures lie in each subfolder of a folder, where no command looks for radiographs.

    Args:
        folder: The folder.
        known: Folders that hold something else, such as outlines.
    """
    apart = {path.resolve() for path in known if path is not None}
    counts = {
        path.name: _count_pictures(path)
        for path in sorted(folder.iterdir())
        # Not Path's own is_dir: it raises where it may not look.
        if os.path.isdir(path) and not path.name.startswith(".") and path.resolve() not in apart  # noqa: PTH112
    }
    return {name: count for name, count in counts.items() if count}


def _count_pictures(folder: Path) -> int:
    try:
        return sum(not file_fault(path) for path in image_files(folder))
    except CallError:
        return 0
