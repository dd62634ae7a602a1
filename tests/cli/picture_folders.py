"""Small folders of drawn radiographs, and what the commands make of them."""

from pathlib import Path

import numpy as np

from boneage_cli.folders import FolderResult, align_folder, phantom_folder
from boneage_imaging.codec import decode

SIZE = (160, 128)
COUNT = 18  # more than are done in one process


def draw(out: Path, count: int, *, seed: int = 3, workers: int = 1) -> FolderResult:
    return phantom_folder(out, count=count, seed=seed, size=SIZE, workers=workers, quiet=True)


def align(images: Path, out: Path, masks: Path, *, workers: int = 1) -> FolderResult:
    return align_folder(images, out, masks=masks, model=None, workers=workers, quiet=True)


def load(path: Path) -> np.ndarray:
    return decode(path.read_bytes())


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
