"""The training part of a folder of radiographs, prepared in four ways. The held-out part is not read.

The radiographs are decoded and their hands found once, by the shipped network. Where it finds none, the case is left
out of all four. Each preparation lies in a file of its own, and is made only if that is not there.
"""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

from boneage_cli.config import Ingest, Prepare
from boneage_cli.labels import Label, read_labels
from boneage_cli.models import find_shipped_segmentation
from boneage_cli.stages import find_hand, ingest_image, prepare_image
from boneage_regression.folds import assign_folds, in_test
from boneage_segmentation.inference import Segmenter
from boneage_sparkrun.place import Place

FOLDS = 5
# Each adds one thing to the one before. All turn inverted radiographs positive and take their gray range from the hand.
PREPARATIONS = {
    "raw": Prepare(clahe=False, mask=False, align=False),
    "CLAHE": Prepare(clahe=True, mask=False, align=False),
    "mask": Prepare(clahe=True, mask=True, align=False),
    "align": Prepare(clahe=True, mask=True, align=True),
}
_FACTS = ("case_id", "fold", "age_months", "male")
Row = dict[str, Any]
Size = tuple[int, int]


def prepare_cases(data: Path, folder: Path, size: Size) -> None:
    """Prepares the training part, unless it is prepared.

    Args:
        data: Holds images/ID.png and labels.csv.
        folder: Keeps what is prepared.
        size: (height, width) of the inputs, pixels.
    """
    if all(_path(folder, name, size).exists() for name in PREPARATIONS):
        return
    height, width = size
    settings = {
        name: dataclasses.replace(one, height=height, width=width) for name, one in PREPARATIONS.items()
    }
    rows, refused = prepare_part(data, settings)
    facts = {name: [row[name] for row in rows] for name in _FACTS} | {"refused": np.array(refused, str)}
    for name in PREPARATIONS:
        file = io.BytesIO()
        np.savez(file, input=np.stack([row["inputs"][name] for row in rows]), **facts)
        Place(_path(folder, name, size)).write_bytes(file.getvalue())
    print(f"{len(rows)} of {len(rows) + len(refused)} radiographs prepared", file=sys.stderr)


def prepare_part(data: Path, settings: dict[str, Prepare]) -> tuple[list[Row], list[str]]:
    """The cases of the training part, and those of it in which no hand was found.

    Args:
        data: Holds images/ID.png and labels.csv.
        settings: How each is prepared, by name.

    Returns:
        Rows of case_id, fold, age_months, male and inputs (uint8, by name of the preparation); and the other ids.
    """
    labels = _read_training_part(data)
    ids, ages, males = zip(*[(one.case_id, one.age_months, one.male) for one in labels], strict=True)
    folds = assign_folds(ids, ages, males, FOLDS)
    segmenter = Segmenter.load(find_shipped_segmentation(), threads=1)
    hands = {one.case_id: _prepare_radiograph(data, one.case_id, segmenter, settings) for one in labels}
    rows = [
        {
            "case_id": one.case_id,
            "fold": folds[one.case_id],
            "age_months": one.age_months,
            "male": one.male,
            "inputs": hands[one.case_id],
        }
        for one in labels
        if hands[one.case_id]
    ]
    return rows, [one.case_id for one in labels if not hands[one.case_id]]


def read_rows(folder: Path, preparation: str, size: Size) -> list[Row]:
    """The prepared cases: case_id, fold, age_months, male, input (uint8 of that size)."""
    with np.load(_path(folder, preparation, size)) as archive:
        facts, images = [archive[name].tolist() for name in _FACTS], archive["input"]
    return [
        dict(zip(_FACTS, values, strict=True)) | {"input": image}
        for *values, image in zip(*facts, images, strict=True)
    ]


def read_refused(folder: Path, size: Size) -> list[str]:
    """The cases of the training part in which no hand was found."""
    with np.load(_path(folder, "raw", size)) as archive:
        return archive["refused"].tolist()


def guess_medians(rows: list[Row]) -> np.ndarray:
    """What is told of each case by who knows no more than the median age of the other folds, months."""
    ages, folds = (np.array([row[name] for row in rows]) for name in ("age_months", "fold"))
    return np.array([np.median(ages[folds != fold]) for fold in folds])


def _path(folder: Path, preparation: str, size: Size) -> Path:
    return folder / f"{preparation}-{size[0]}x{size[1]}.npz"


def _read_training_part(data: Path) -> list[Label]:
    """The cases that have a radiograph, an age and a sex, and are not held out."""
    there = {path.stem for path in (data / "images").glob("*.png")}
    return [
        label
        for case_id, label in read_labels(data / "labels.csv").items()
        if case_id in there and not in_test(case_id) and None not in (label.age_months, label.male)
    ]


def _prepare_radiograph(
    data: Path, case_id: str, segmenter: Segmenter, settings: dict[str, Prepare]
) -> dict[str, np.ndarray]:
    """A radiograph in each preparation; nothing where no hand is found."""
    image, _ = ingest_image((data / "images" / f"{case_id}.png").read_bytes(), Ingest())
    mask, verdict = find_hand(image, segmenter)
    if verdict.status == "refused":
        return {}
    return {name: prepare_image(image, mask, one).image for name, one in settings.items()}
