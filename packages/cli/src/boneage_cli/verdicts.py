"""From the figures of a run to plain words: what came out, what falls short, what should not be overlooked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boneage_cli.config import Acceptance

__all__ = ["headline", "remarks", "shortfalls"]

_FLAT = 0.3  # estimates that vary by less than this share of the truth are all but constant


def shortfalls(metrics: Mapping[str, Any], acceptance: Acceptance) -> list[str]:
    """Says in plain sentences what a run on phantoms should have reached and did not."""
    found = []
    jaccard = metrics["segmentation"]["test"]["jaccard_mean"]
    if jaccard is None:
        found.append("no held-out mask could be compared with its outline")
    elif jaccard < acceptance.jaccard:
        found.append(
            f"the mean Jaccard index of the held-out masks is {jaccard:.3f}, "
            f"below the {acceptance.jaccard:.3f} wanted"
        )
    reached, floor = metrics["test"]["mad"], metrics["floors"]["median_guess"]["mad"]
    if reached is None or floor is None:
        found.append("no held-out age could be compared with the median guess")
    elif reached > acceptance.mad_share * floor:
        found.append(
            f"the MAD of the test part is {reached:.1f} months, above {acceptance.mad_share:g} of the median "
            f"guess's {floor:.1f} months ({acceptance.mad_share * floor:.1f})"
        )
    return found


def headline(metrics: Mapping[str, Any]) -> list[str]:
    """The main figures in plain lines."""
    test, floor, masks = metrics["test"], metrics["floors"]["median_guess"], metrics["segmentation"]["test"]
    lines = []
    if test["count"]:
        lines.append(
            f"ages: MAD {test['mad']:.1f} months{_between(test['mad_interval'], '.1f')}, "
            f"RMSE {test['rmse']:.1f}, on {test['count']} held-out cases ({test['unanswered']} unanswered)"
        )
    if floor["count"]:
        lines.append(f"guessing the training labels' median gives MAD {floor['mad']:.1f} months on the same")
    if metrics["intervals"]["count"]:
        lines.append(
            f"intervals: the truth lies in {100 * metrics['intervals']['coverage']:.0f} %, "
            f"mean width {metrics['intervals']['mean_width']:.1f} months"
        )
    if masks["count"]:
        lines.append(
            f"masks: Jaccard {masks['jaccard_mean']:.3f}{_between(masks['jaccard_interval'], '.3f')}, "
            f"least {masks['jaccard_least']:.3f}, on {masks['count']} held-out outlines"
        )
    return lines


def _between(interval: Sequence[float] | None, form: str) -> str:
    return f" (95 % interval {interval[0]:{form}} to {interval[1]:{form}})" if interval else ""


def remarks(metrics: Mapping[str, Any]) -> list[str]:
    """What a reader of the figures should not overlook, in plain sentences."""
    test, floor, found = metrics["test"], metrics["floors"]["median_guess"], metrics["intervals"]
    told = []
    if test["mad_interval"] and floor["mad"] is not None and test["mad_interval"][1] >= floor["mad"]:
        told.append("the estimates are not clearly better than always guessing the median")
    spread = test["mean_absolute_deviation"]
    if test["count"] > 1 and spread["answers"] < _FLAT * spread["truth"]:
        told.append("the estimates hardly differ from case to case")
    level = found.get("level")
    if level and found["count"] and _is_below(found["coverage"], level, found["count"]):
        told.append(
            f"the intervals hold the reference in {100 * found['coverage']:.0f} % of the held-out cases, "
            f"which is less than the {100 * level:.0f} % they are made for, by more than chance"
        )
    return told


def _is_below(share: float, wanted: float, count: int) -> bool:
    """Whether a share lies below the wanted one by more than two standard errors."""
    return share < wanted - 2 * math.sqrt(wanted * (1 - wanted) / count)
