"""The stage `report`: one page that a person can look at, and a manifest for machines."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from boneage_cli import montage
from boneage_cli.anchors import LEADERBOARD_2019, LEADERS, REPORT_2019
from boneage_cli.config import to_toml
from boneage_cli.figures import outcome_plots
from boneage_cli.markers import MARKER
from boneage_cli.outcomes import TEST, MaskOutcome, Outcome, read_mask_outcomes, read_outcomes
from boneage_cli.page import render
from boneage_cli.provenance import describe_run
from boneage_cli.training_plots import training_plots
from boneage_sparkrun.place import Place

if TYPE_CHECKING:
    from boneage_cli.pipeline import Run
    from boneage_segmentation.inference import Segmenter

__all__ = ["write"]

_SHOWN_WORST = 8
_SHOWN_MASKS = 6
_MOST_LISTED = 50
Facts = dict[str, Any]


def write(run: Run) -> Facts:
    """Writes `report.html`, one page that needs nothing beside it, and `manifest.json`.

    Returns:
        The size of the page and how many pictures it holds.
    """
    folder = run.output
    evaluated = run.workspace.stage("evaluate")
    metrics = json.loads((evaluated / "metrics.json").read_bytes())
    manifest = describe_run(run, metrics)
    outcomes = read_outcomes(evaluated / "predictions.csv")
    masks = read_mask_outcomes(evaluated / "masks.csv")
    wanted = run.config.acceptance.jaccard if run.phantoms else None
    page = render(
        "report.html",
        {
            "manifest": manifest,
            "metrics": metrics,
            "test": metrics["test"],
            "floor": metrics["floors"]["median_guess"],
            "masks": metrics["segmentation"]["test"],
            "kinds": metrics["data"]["kinds"],
            "things": "phantoms" if run.phantoms else "radiographs",
            "evaluated_on": _date(evaluated / MARKER),
            "settings": to_toml(run.config),
            "most_listed": _MOST_LISTED,
            "leaders": LEADERS,
            "report_2019": REPORT_2019,
            "leaderboard": LEADERBOARD_2019,
            "curves": training_plots(run.workspace.folder),
            "plots": outcome_plots(outcomes, masks, metrics, wanted=wanted),
            **_cases_shown(run, outcomes, masks),
        },
    )
    (folder / "report.html").write_bytes(page.encode())
    (folder / "manifest.json").write_bytes(json.dumps(manifest, indent=1, allow_nan=False).encode())
    return {
        "bytes": len(page.encode()),
        "pictures": page.count("data:image/"),
        "plots": page.count('<svg class="plot"'),
    }


def _date(place: Place) -> str:
    """When the results came out; the same page is written however often it is written."""
    if not place.exists():
        return "unknown day"
    return time.strftime("%Y-%m-%d", time.gmtime(place.storage.status(place).modified_s))


def _cases_shown(run: Run, outcomes: Sequence[Outcome], masks: Sequence[MaskOutcome]) -> Facts:
    """The cases that the page shows with their pictures, and those that were refused."""
    test = [row for row in outcomes if row.part == TEST]
    worst = sorted((row for row in test if row.error_months is not None), key=_badness)[:_SHOWN_WORST]
    shown = _choose(test)
    judged = [row for row in masks if row.part == TEST]
    least = sorted(judged, key=lambda row: (row.jaccard, row.case_id))[:_SHOWN_MASKS]
    wanted = {row.case_id for rows in (worst, least, [row for _, row in shown]) for row in rows}
    cases = _cases(run, wanted)
    segmenter = _segmenter(run)
    return {
        "montages": [
            (why, row, montage.steps(cases[row.case_id], run.config.prepare, segmenter))
            for why, row in shown
            if row.case_id in cases
        ],
        "worst": [(row, montage.trio(cases[row.case_id])) for row in worst if row.case_id in cases],
        "least_masks": [
            (_judged(cases[row.case_id], row), row.case_id) for row in least if row.case_id in cases
        ],
        "refused": [row for row in outcomes if row.status == "refused"],
    }


def _judged(case: Facts, row: MaskOutcome) -> montage.Picture:
    return replace(montage.overlay(case), caption=f"{row.case_id}, Jaccard index {row.jaccard:.3f}")


def _badness(row: Outcome) -> tuple[float, str]:
    return -abs(row.error_months or 0.0), row.case_id


def _choose(test: Sequence[Outcome]) -> list[tuple[str, Outcome]]:
    """A handful of held-out cases: worst, median and best estimate, youngest and oldest child."""
    judged = sorted((row for row in test if row.error_months is not None), key=_badness)
    if not judged:
        return [("held out", row) for row in test if row.status != "refused"][:3]
    by_age = sorted(judged, key=lambda row: (row.truth_months or 0.0, row.case_id))
    picked = (
        ("the worst estimate", judged[0]),
        ("an average estimate", judged[len(judged) // 2]),
        ("the best estimate", judged[-1]),
        ("the youngest", by_age[0]),
        ("the oldest", by_age[-1]),
    )
    names: dict[str, tuple[str, Outcome]] = {}
    for why, row in picked:
        names[row.case_id] = (f"{names[row.case_id][0]}, {why}" if row.case_id in names else why, row)
    return list(names.values())


def _cases(run: Run, wanted: set[str]) -> dict[str, Facts]:
    """The pictures of the wanted cases, as the stages wrote them; a case that is set aside has fewer."""
    found: dict[str, Facts] = {}
    for stages, fields in (
        (("ingest", "segment"), ("image", "outline", "mask")),
        (("prepare",), ("input",)),
    ):
        for case in run.workspace.records(stages, fields):
            if case["case_id"] in wanted:
                found.setdefault(case["case_id"], {}).update(case)
    return {case_id: case for case_id, case in found.items() if "mask" in case}


def _segmenter(run: Run) -> Segmenter | None:
    """The network that found the hands, to show its mask before the clean-up; None where masks were given."""
    if run.masks_given:
        return None
    from boneage_segmentation.inference import Segmenter

    with run.workspace.segmentation_model.here() as folder:
        return Segmenter.load(folder)
