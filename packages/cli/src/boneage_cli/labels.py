"""Tables of labels: who is how old, in any of the RSNA challenge's headers."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

from boneage_cli.errors import DataError

__all__ = ["Label", "parse_sex", "read_labels", "read_sexes", "write_table"]

_ID = ("id", "case_id", "image id", "case id", "imageid")
_AGE = ("boneage", "bone age (months)", "ground truth bone age (months)", "age_months", "bone age")
_MALE = ("male",)
_SEX = ("sex", "gender")
_TRUE = {"true", "t", "1", "yes", "m", "male", "boy"}
_FALSE = {"false", "f", "0", "no", "female", "girl"}
OLDEST_MONTHS = 300.0


@dataclass(frozen=True)
class Label:
    """What a table says of one case; `age_months` and `male` are None where it says nothing."""

    case_id: str
    age_months: float | None
    male: bool | None


def read_labels(path: Path) -> dict[str, Label]:
    """Reads a label table: `id,boneage,male` or one of RSNA's other headers.

    Args:
        path: A CSV file, separated by commas, semicolons or tabs, in UTF-8 or Latin-1.

    Returns:
        The labels by case id, in the table's order.

    Raises:
        DataError: If the table cannot be read, has no column of ids or of ages, names a case twice, or has a
            value that is no age or no sex; the message names file and line.
    """
    return _read(path, need_age=True)


def read_sexes(path: Path) -> dict[str, bool | None]:
    """Reads a table `id,male` (or `id,sex`) of cases to be predicted.

    Raises:
        DataError: As `read_labels` does.
    """
    return {case_id: label.male for case_id, label in _read(path, need_age=False).items()}


def parse_sex(text: str) -> bool | None:
    """Reads one sex: True for male, False for female, None for an empty field.

    For a column `male`, `True` and `1` are male; for a column `sex`, `M` and `F`.

    Raises:
        ValueError: If the text is none of these.

    >>> parse_sex("M"), parse_sex("False"), parse_sex("")
    (True, False, None)
    """
    word = text.strip().lower()
    if not word:
        return None
    if word in _TRUE:
        return True
    if word == "f" or word in _FALSE:
        return False
    raise ValueError(
        f"received {text!r} for the sex, where M or F (or True or False in a column 'male') would do"
    )


def write_table(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Writes a CSV file, whole or not at all; None becomes an empty field."""
    beside = path.with_name(f".{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(["" if value is None else value for value in row] for row in rows)
    beside.replace(path)


def _read(path: Path, *, need_age: bool) -> dict[str, Label]:
    rows = _rows(path)
    if not rows:
        raise DataError(f"{path}: the table is empty; a header such as id,boneage,male would do")
    header = [name.strip().lower() for name in rows[0][1]]
    id_at, age_at = _column(header, _ID), _column(header, _AGE)
    sex_at = _column(header, _MALE + _SEX)
    if id_at is None or (need_age and age_at is None):
        wanted = "id,boneage,male" if need_age else "id,male"
        raise DataError(f"{path}: received the columns {','.join(rows[0][1])}, where {wanted} would do")
    labels: dict[str, Label] = {}
    for line, row in rows[1:]:
        label = _label(row, id_at, age_at, sex_at, header, place=f"{path}, line {line}")
        if label.case_id in labels:
            raise DataError(f"{path}, line {line}: the case {label.case_id!r} stands in the table twice")
        labels[label.case_id] = label
    return labels


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"the table {path} cannot be read: {error.strerror}") from error
    if b"\0" in data:
        raise DataError(f"{path}: this is no CSV table, it holds NUL bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from error


def _column(header: list[str], names: tuple[str, ...]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _label(
    row: list[str], id_at: int, age_at: int | None, sex_at: int | None, header: list[str], *, place: str
) -> Label:
    if len(row) != len(header):
        raise DataError(f"{place}: received {len(row)} fields, where the header has {len(header)}")
    case_id = row[id_at].strip()
    if not case_id:
        raise DataError(f"{place}: the id is missing")
    age = None if age_at is None else _age(row[age_at], place)
    try:
        male = None if sex_at is None else parse_sex(row[sex_at])
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error
    return Label(case_id, age, male)


def _age(text: str, place: str) -> float | None:
    if not text.strip():
        return None
    try:
        age = float(text)
    except ValueError:
        age = math.nan
    if not 0 <= age <= OLDEST_MONTHS:
        raise DataError(
            f"{place}: received {text!r} for the age, where 0 to {OLDEST_MONTHS:g} months would do"
        )
    return age
