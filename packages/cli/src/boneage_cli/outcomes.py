"""What came out for each case: the rows of `predictions.csv` and `masks.csv`."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from boneage_cli.labels import write_table
from boneage_sparkrun.place import Place
from boneage_sparkrun.storage import Uri

__all__ = [
    "MaskOutcome",
    "Outcome",
    "parsed",
    "read_mask_outcomes",
    "read_outcomes",
    "read_table",
    "write_mask_outcomes",
    "write_outcomes",
]

TEST, TRAIN = "test", "train"
_COLUMNS = (
    "id",
    "part",
    "fold",
    "male",
    "truth_months",
    "age_months",
    "lower",
    "upper",
    "status",
    "reason",
    "out_of_fold_months",
)
_MASK_COLUMNS = ("id", "part", "jaccard", "dice")


@dataclass(frozen=True)
class Outcome:
    """What the final model said of one radiograph, beside the truth.

    Attributes:
        case_id: Which one.
        part: `train` or `test`.
        fold: The fold in which it was held out; -1 for the test part.
        male: The sex that was given to the model, None where it is unknown.
        truth_months: The label, None where there is none.
        age_months: The final model's answer, None where it gave none.
        lower: Lower end of the interval, months.
        upper: Upper end of the interval, months.
        status: `ok`, `warning` or `refused`.
        reason: Why it is not `ok`.
        out_of_fold_months: What the network that had not seen the case in training said; training part only.
    """

    case_id: str
    part: str
    fold: int
    male: bool | None
    truth_months: float | None
    age_months: float | None
    lower: float | None
    upper: float | None
    status: str
    reason: str
    out_of_fold_months: float | None

    @property
    def error_months(self) -> float | None:
        """How far the answer is above the truth, months; None where either is not there."""
        if self.truth_months is None or self.age_months is None:
            return None
        return self.age_months - self.truth_months


@dataclass(frozen=True)
class MaskOutcome:
    """How well one mask agrees with the outline that a person (or the phantom's drawing) gave."""

    case_id: str
    part: str
    jaccard: float
    dice: float


def write_outcomes(place: Uri, outcomes: list[Outcome]) -> None:
    """Writes `predictions.csv`, whole or not at all; None becomes an empty field."""
    write_table(
        place,
        _COLUMNS,
        [
            (
                row.case_id,
                row.part,
                row.fold,
                row.male,
                row.truth_months,
                row.age_months,
                row.lower,
                row.upper,
                row.status,
                row.reason,
                row.out_of_fold_months,
            )
            for row in outcomes
        ],
    )


def read_outcomes(place: Uri) -> list[Outcome]:
    """Reads what `write_outcomes` wrote."""
    return [
        Outcome(
            row["id"],
            row["part"],
            int(row["fold"]),
            {"True": True, "False": False}.get(row["male"]),
            parsed(row["truth_months"]),
            parsed(row["age_months"]),
            parsed(row["lower"]),
            parsed(row["upper"]),
            row["status"],
            row["reason"],
            parsed(row["out_of_fold_months"]),
        )
        for row in read_table(place)
    ]


def write_mask_outcomes(place: Uri, outcomes: list[MaskOutcome]) -> None:
    """Writes `masks.csv`, whole or not at all."""
    write_table(place, _MASK_COLUMNS, [(row.case_id, row.part, row.jaccard, row.dice) for row in outcomes])


def read_mask_outcomes(place: Uri) -> list[MaskOutcome]:
    """Reads what `write_mask_outcomes` wrote."""
    return [
        MaskOutcome(row["id"], row["part"], float(row["jaccard"]), float(row["dice"]))
        for row in read_table(place)
    ]


def parsed(text: str) -> float | None:
    """A number of a table, None for an empty field.

    >>> parsed("12.5"), parsed("")
    (12.5, None)
    """
    return float(text) if text else None


def read_table(place: Uri) -> list[dict[str, str]]:
    """The rows of a table that the run itself wrote, by column."""
    return list(csv.DictReader(io.StringIO(Place(place).read_text(), newline="")))
