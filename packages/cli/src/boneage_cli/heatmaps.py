"""What an answer rests on, to look at: a map in months laid over the hand that the age network saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from boneage_cli.batch import make_folder
from boneage_cli.errors import CallError
from boneage_cli.labels import write_table
from boneage_cli.sources import is_safe_id
from boneage_imaging.codec import encode_colours
from boneage_imaging.geometry import resize
from boneage_sparkrun.place import Place

if TYPE_CHECKING:
    from boneage_cli.predictor import Examination

__all__ = ["MEANING", "check_folder", "draw_bar", "lay_over", "scale_months", "write_heatmaps"]

MEANING = (
    "How many months older (orange) or younger (blue) the answer would be if a part of the hand were covered by a "
    "blur: what this network's answer rests on, not where the hand is mature or ill, nor whether the answer is right."
)
LONG_SIDE = 512
"""Of the pictures in a folder, pixels, about: whole times the network's input."""
_OLDER, _YOUNGER = (
    (230, 159, 0),
    (86, 180, 233),
)  # red, green, blue: Okabe and Ito's, for all eyes to tell apart
_STRENGTH = 0.85  # how far the colour hides the hand where the map is strongest
_TABLE, _COLUMNS = "saliency.csv", ("id", "age_months", "scale_months")


def scale_months(months: np.ndarray) -> float:
    """The end of a map's scale: the least of 0.1, 0.2, 0.5, 1, 2, 5, 10, ... months that no value exceeds."""
    steps = (step * 10.0**power for power in range(-1, 9) for step in (1, 2, 5))
    return next(step for step in steps if step >= np.abs(months).max(initial=0))


def lay_over(image: np.ndarray, months: np.ndarray, scale: float) -> np.ndarray:
    """Colours a hand by what its age rests on: the stronger, the more colour.

    Args:
        image: uint8 (height, width).
        months: Of the same size, how far the age moves when a place is covered: orange above 0, blue below.
        scale: Where the colour is strongest, months.

    Returns:
        uint8 (height, width, 3), red first.
    """
    strength = _STRENGTH * np.clip(np.abs(months) / scale, 0, 1)[..., None]
    colour = np.where((months > 0)[..., None], _OLDER, _YOUNGER)
    return np.rint(image[..., None] * (1 - strength) + colour * strength).astype(np.uint8)


def draw_bar() -> np.ndarray:
    """The colours of a scale from its negative to its positive end, over a middle gray; one pixel high."""
    months = np.linspace(-1, 1, 65)[None]
    return lay_over(np.full(months.shape, 96, np.uint8), months, 1.0)


def check_folder(folder: Path, files: Iterable[Path]) -> None:
    """Makes sure that no radiograph can be overwritten.

    Raises:
        CallError: If one lies in the folder.
    """
    if any(path.parent.resolve() == folder.resolve() for path in files):
        raise CallError(f"received {folder} to read from and for --saliency; another folder would do")


def write_heatmaps(
    folder: Path, examined: Iterable[Examination], case_ids: Iterable[str]
) -> Iterator[Examination]:
    """Writes a picture of each map on its way, each whole or not at all, and at last a table of their scales.

    Args:
        folder: Gets ID.png for each examination with a map, and saliency.csv with the columns
            id,age_months,scale_months: where the colour is strongest.
        examined: Each goes on as it came.
        case_ids: Of all files; an older picture of one that has no map now must not pass for its result, so it is
            removed.
    """
    make_folder(folder)
    rows: list[tuple[object, ...]] = []
    for examination in examined:
        answer = examination.answer
        if examination.months is not None and examination.prepared is not None:
            scale = scale_months(examination.months)
            picture = lay_over(*_enlarged(examination.prepared, examination.months), scale)
            Place(folder / f"{answer.id}.png").write_bytes(encode_colours(picture))
            rows.append((answer.id, answer.age_months, scale))
        yield examination
    for case_id in filter(is_safe_id, {*case_ids} - {row[0] for row in rows}):
        (folder / f"{case_id}.png").unlink(missing_ok=True)
    write_table(folder / _TABLE, _COLUMNS, rows)


def _enlarged(image: np.ndarray, months: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as large as is good to look at."""
    times = max(1, round(LONG_SIDE / max(image.shape)))
    size = (times * image.shape[0], times * image.shape[1])
    return resize(image, size), resize(months, size)
