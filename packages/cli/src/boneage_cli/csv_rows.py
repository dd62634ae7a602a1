"""Radiographs as rows of a CSV file, as the 2019 report kept them in HDFS: one line each, pixel by pixel.

A line is `case_id,male,boneage,height,width` and then height x width gray values from 0 to 255, row by row. Files have
no header, so that any tool that takes a text file line by line can take them.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np

from boneage_cli.errors import DataError
from boneage_cli.labels import parse_age, parse_sex

__all__ = ["Row", "read_rows", "write_rows"]

_FIXED = 5


@dataclass(frozen=True)
class Row:
    """One radiograph.

    Attributes:
        case_id: Which one.
        male: None where it is unknown.
        age_months: None where there is no label.
        image: (height, width) uint8.
    """

    case_id: str
    male: bool | None
    age_months: float | None
    image: np.ndarray


def write_rows(rows: list[Row]) -> bytes:
    """Writes rows as the lines of a CSV file.

    Raises:
        DataError: If an image is not (height, width) uint8.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for row in rows:
        if row.image.ndim != 2 or row.image.dtype != np.uint8:
            raise DataError(
                f"{row.case_id}: received {row.image.dtype} of shape {row.image.shape}; (height, width) uint8 would do"
            )
        sex = "" if row.male is None else row.male
        age = "" if row.age_months is None else repr(float(row.age_months))
        writer.writerow((row.case_id, sex, age, *row.image.shape, *row.image.ravel().tolist()))
    return file.getvalue().encode()


def read_rows(data: bytes) -> tuple[list[Row], list[tuple[int, str]]]:
    """Reads the lines of a CSV file.

    Returns:
        The rows, and what is wrong with each other line, by its number.

    Raises:
        DataError: If it is no CSV file at all.
    """
    rows, faults = [], []
    try:
        lines = csv.reader(io.StringIO(data.decode(), newline=""))
        for number, line in enumerate(lines, 1):
            try:
                rows.append(_row(line))
            except ValueError as error:
                faults.append((number, f"line {number} is no radiograph: {error}"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"it is no CSV file of radiographs: {error}") from error
    return rows, faults


def _row(line: list[str]) -> Row:
    if len(line) < _FIXED:
        raise DataError(
            f"received {len(line)} values; case_id,male,boneage,height,width and the pixels would do"
        )
    case_id, sex, age = line[:3]
    height, width = (int(text) for text in line[3:_FIXED])
    try:
        values = np.array(line[_FIXED:], dtype=np.int64)
    except OverflowError as error:
        raise DataError(str(error)) from error
    if (
        height < 1
        or width < 1
        or values.size != height * width
        or not ((values >= 0) & (values <= 255)).all()
    ):
        raise DataError(f"received {values.size} values for {height} x {width} pixels of 0 to 255")
    return Row(case_id, parse_sex(sex), parse_age(age), values.astype(np.uint8).reshape(height, width))
