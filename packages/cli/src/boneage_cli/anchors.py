"""Published figures that stand beside a run's own, each with the set and the labels it is on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LEADERBOARD_2019", "LEADERS", "REPORT_2019", "Anchor"]


@dataclass(frozen=True)
class Anchor:
    """A published figure.

    Attributes:
        who: Whose.
        mad_months: Mean absolute difference, months, as published.
        data: On which radiographs.
        labels: Compared with which labels.
        rmse_months: Root mean square error, months, where it was published too.
    """

    who: str
    mad_months: float
    data: str
    labels: str
    rmse_months: float | None = None


REPORT_2019 = Anchor(
    "Memon and Cuomo, 2019",
    45.97,
    "a test part of the challenge's training set, their own",
    "one reading each",
    rmse_months=56.78,
)
"""The report that this project re-does: its Table 1."""

LEADERS = (
    *(
        Anchor(
            f"RSNA challenge 2017, place {place}",
            mad,
            "200 test radiographs of the challenge",
            "mean of six readings",
        )
        for place, mad in enumerate((4.2, 4.4, 4.4, 4.5, 4.5), start=1)
    ),
    Anchor(
        "RSNA challenge 2017, the winner",
        6.8,
        "1,425 validation radiographs of the challenge",
        "one reading each",
    ),
    REPORT_2019,
)
"""Halabi et al., Radiology 2019;290(2):498-503, and the report that this project re-does."""

LEADERBOARD_2019 = (0.000, 7.634, 7.968, 8.723, 43.300, 62.091, 62.091)
"""Table 2 of the 2019 report: entries of the challenge's leaderboard, months. Nobody has verified them."""
