"""Tables of labels: who is how old, in any of the RSNA challenge's headers."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from boneage_cli.errors import DataError
from boneage_cli.files import plain, read_bounded
from boneage_sparkrun.place import Place
from boneage_sparkrun.storage import Uri

__all__ = [
    "Label",
    "parse_age",
    "parse_sex",
    "read_labels",
    "read_rows",
    "read_sexes",
    "scan_labels",
    "write_table",
]

_ID = ("id", "case_id", "image id", "case id", "imageid")
_AGE = ("boneage", "bone age (months)", "ground truth bone age (months)", "age_months", "bone age")
_MALE = ("male",)
_SEX = ("sex", "gender")
_WORDS: dict[str, dict[str, bool]] = {
    "sex": {"m": True, "male": True, "boy": True, "f": False, "female": False, "girl": False},
    "male": {"true": True, "t": True, "1": True, "yes": True, "false": False, "0": False, "no": False},
}
_WORDS["male"] |= _WORDS["sex"]  # also F, which says the same whether it means false or female
_NOTHING = {"", "na", "n/a", "nan", "none", "null", "unknown"}
_NUMBER = re.compile(r"[0-9]+([.,][0-9]*)?([eE][+-]?[0-9]+)?")
OLDEST_MONTHS = 300.0
_MAX_BYTES = 1 << 26
_NO_TABLES = (
    (b"PK\x03\x04", "an Excel or ZIP file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
    (b"%PDF", "a PDF"),
)


@dataclass(frozen=True)
class Label:
    """What a table says of one case; `age_months` and `male` are None where it says nothing."""

    case_id: str
    age_months: float | None
    male: bool | None


def read_labels(path: Path) -> dict[str, Label]:
    """Reads a label table: `id,boneage,male` or one of RSNA's other headers.

    Args:
        path: A CSV file, separated by commas, semicolons or tabs, in UTF-8, UTF-16 or Latin-1.

    Returns:
        The labels by case id, in the table's order.

    Raises:
        DataError: If the table cannot be read, has no column of ids or of ages, names a case twice, or has a
            value that is no age or no sex; the message names file and line.
    """
    return _sound(*scan_labels(path))


def read_sexes(path: Path) -> dict[str, bool | None]:
    """Reads a table `id,male` (or `id,sex`) of cases to be predicted.

    Raises:
        DataError: As `read_labels` does.
    """
    labels = _sound(*scan_labels(path, need_age=False))
    return {case_id: label.male for case_id, label in labels.items()}


def scan_labels(path: Path, *, need_age: bool = True) -> tuple[dict[str, Label], list[str]]:
    """Reads a label table as far as it can be read.

    Returns:
        The labels of all good lines, and what is wrong with the others: a sentence each, with file and line.

    Raises:
        DataError: If it is no table at all or lacks a column that it needs.
    """
    rows = read_rows(path)
    if not rows:
        raise DataError(f"{path}: the table is empty; a header such as id,boneage,male would do")
    columns = _columns(f"{path}, line {rows[0][0]}", rows[0][1], need_age=need_age)
    labels: dict[str, Label] = {}
    lines: dict[str, int] = {}
    problems = []
    for line, row in rows[1:]:
        try:
            label = columns.read(row)
            if label.case_id in labels:
                raise DataError(f"the case {label.case_id!r} stands in line {lines[label.case_id]} already")
        except DataError as error:
            problems.append(plain(f"{path}, line {line}: {error}"))
        else:
            labels[label.case_id], lines[label.case_id] = label, line
    return labels, problems


def parse_sex(text: str, *, column: str = "male") -> bool | None:
    """Reads one sex: True for male, False for female, None where nothing is said.

    In a column `sex`, `M` and `F` (or the words) are read and nothing else: what 0 and 1 mean there is
    anybody's guess. In a column `male`, `True` and `1`, `False` and `0` are read as well.

    Raises:
        ValueError: If the text is none of these.

    >>> parse_sex("M"), parse_sex("False"), parse_sex("")
    (True, False, None)
    >>> parse_sex("1", column="sex")
    Traceback (most recent call last):
    ValueError: received '1' for the sex, where M or F would do
    """
    word = text.strip().lower()
    if word in _NOTHING:
        return None
    words = _WORDS["sex" if column in _SEX else "male"]
    if word not in words:
        wanted = "M or F" if column in _SEX else "True or False (or M or F)"
        raise ValueError(f"received {text!r} for the sex, where {wanted} would do")
    return words[word]


def write_table(place: Uri, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Writes a CSV file, whole or not at all; None becomes an empty field."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    Place(place).write_bytes(text.getvalue().encode())


def _sound(labels: dict[str, Label], problems: list[str]) -> dict[str, Label]:
    if problems:
        more = f" (and {len(problems) - 1} more lines that cannot be read)" if len(problems) > 1 else ""
        raise DataError(problems[0] + more)
    return labels


@dataclass(frozen=True)
class _Columns:
    """Where in a row the id, the age and the sex stand; None where the table has no such column."""

    names: tuple[str, ...]
    id_at: int
    age_at: int | None
    sex_at: int | None

    def read(self, row: list[str]) -> Label:
        width = len(self.names)
        if len(row) < width or any(cell.strip() for cell in row[width:]):
            raise DataError(f"received {len(row)} fields, where the header has {width}")
        case_id = row[self.id_at].strip()
        if not case_id:
            raise DataError("the id is missing")
        age = None if self.age_at is None else parse_age(row[self.age_at])
        try:
            male = (
                None if self.sex_at is None else parse_sex(row[self.sex_at], column=self.names[self.sex_at])
            )
        except ValueError as error:
            raise DataError(str(error)) from error
        return Label(case_id, age, male)


def _columns(place: str, header: list[str], *, need_age: bool) -> _Columns:
    names = tuple(" ".join(name.lower().split()) for name in header)
    id_at, age_at, sex_at = (_column(place, names, known) for known in (_ID, _AGE, _MALE + _SEX))
    if id_at is None or (need_age and age_at is None):
        wanted = "id,boneage,male" if need_age else "id,male"
        raise DataError(plain(f"{place}: received the columns {','.join(header)}, where {wanted} would do"))
    return _Columns(names, id_at, age_at, sex_at)


def _column(place: str, header: tuple[str, ...], names: tuple[str, ...]) -> int | None:
    """Where the one column of these names is; which of two is meant would be a guess."""
    found = [index for index, name in enumerate(header) if name in names]
    if len(found) > 1:
        doubled = " and ".join(header[index] for index in found)
        raise DataError(f"{place}: received the columns {doubled}, where one of them would do")
    return found[0] if found else None


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Reads any table of text, separated by commas, semicolons or tabs, in UTF-8, UTF-16 or Latin-1.

    Returns:
        The rows that are not blank, each with the line it begins on, counted from 1.

    Raises:
        DataError: If the file cannot be read or is no such table; the message names it.
    """
    text = _text(path)
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    # Strict: otherwise a quotation mark that is never closed swallows all rows after it, without a word.
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    rows, line = [], 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: {_QUOTES.get(str(error), error)}") from error
    return rows


_QUOTES = {"unexpected end of data": 'a quotation mark (") is opened in this line and never closed'}


def _text(path: Path) -> str:
    try:
        data = read_bounded(path, _MAX_BYTES)
    except DataError as error:
        raise DataError(f"the table {path} cannot be read: {error}") from error
    if found := next((name for magic, name in _NO_TABLES if data.startswith(magic)), ""):
        raise DataError(f"{path}: this is {found}; the table saved as CSV would do")
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise DataError(
            f"{path}: this is no CSV table, it holds NUL bytes; one saved as CSV (UTF-8) would do"
        )
    return text


def parse_age(text: str) -> float | None:
    """Reads one age in months; None where nothing is said.

    Raises:
        DataError: If it is no plain number, or beyond any child's age.

    >>> parse_age("94.5"), parse_age("n/a")
    (94.5, None)
    """
    text = text.strip()
    if text.lower() in _NOTHING:
        return None
    # Only plain numbers: float() also takes 1_000, digits of other scripts, and infinity.
    age = float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else -1.0
    if not 0 <= age <= OLDEST_MONTHS:
        raise DataError(f"received {text!r} for the age, where 0 to {OLDEST_MONTHS:g} months would do")
    return age
