"""The stage `report`: one page that a person can look at, and a manifest for machines."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boneage_cli import montage, plots
from boneage_cli.anchors import LEADERBOARD_2019, LEADERS
from boneage_cli.config import to_toml
from boneage_cli.markers import MARKER, write_whole
from boneage_cli.outcomes import (
    TEST,
    TRAIN,
    MaskOutcome,
    Outcome,
    read_mask_outcomes,
    read_outcomes,
)
from boneage_cli.provenance import describe_run, set_aside
from boneage_cli.scores import remarks

if TYPE_CHECKING:
    from boneage_cli.pipeline import Run
    from boneage_segmentation.inference import Segmenter

__all__ = ["write"]

_SHOWN_WORST = 9
_SHOWN_MASKS = 6
_SHOWN_SET_ASIDE = 50
_MEASURES = {"mad": "MAD (months)", "jaccard": "Jaccard index"}
_NONE, _MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
Facts = dict[str, Any]


def write(run: Run) -> Facts:
    """Writes `report.html`, one page that needs nothing beside it, and `manifest.json`.

    Returns:
        The size of the page and how many pictures it holds.
    """
    folder = run.output
    evaluated = run.workspace.stage("evaluate")
    metrics = json.loads((evaluated / "metrics.json").read_bytes())
    manifest = {**describe_run(run), "metrics": metrics}
    page = _render(
        {
            "metrics": metrics,
            "remarks": remarks(metrics),
            "manifest": manifest,
            "evaluated_on": _date(evaluated / MARKER),
            "settings": to_toml(run.config),
            "set_aside": set_aside(run),
            "set_aside_shown": _SHOWN_SET_ASIDE,
            "leaders": [(place, list(group)) for place, group in groupby(LEADERS, key=lambda a: a.place)],
            "leaderboard": LEADERBOARD_2019,
            "curves": _curves(run),
            **_results(
                run, read_outcomes(evaluated / "predictions.csv"), read_mask_outcomes(evaluated / "masks.csv")
            ),
        }
    )
    write_whole(folder / "report.html", page.encode())
    write_whole(folder / "manifest.json", json.dumps(manifest, indent=1, allow_nan=False).encode())
    return {"bytes": len(page.encode()), "pictures": page.count("data:image/"), "plots": page.count("<svg ")}


def _date(path: Path) -> str:
    """When the results came out; the same page is written however often it is written."""
    return time.strftime("%Y-%m-%d", time.gmtime(path.stat().st_mtime)) if path.is_file() else "unknown day"


def _render(facts: Facts) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Ids, reasons and paths come from outside: everything is escaped but our own SVG.
    page = Environment(
        loader=PackageLoader("boneage_cli", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {"months": _months, "signed": _signed, "share": _share, "index": _index, "sex": _sex}
    return page.get_template("report.html").render(facts)


def _months(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f}"


def _signed(value: float | None) -> str:
    return _NONE if value is None else f"{value:+.1f}".replace("-", _MINUS)


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.0f} %"


def _index(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"


def _sex(male: bool | None) -> str:
    return {True: "boy", False: "girl", None: "sex unknown"}[male]


def _results(run: Run, outcomes: Sequence[Outcome], masks: Sequence[MaskOutcome]) -> Facts:
    """Plots and pictures of what came out."""
    test = [row for row in outcomes if row.part == TEST]
    worst = sorted((row for row in test if row.error_months is not None), key=_badness)[:_SHOWN_WORST]
    shown = _choose(test)
    judged = [row for row in masks if row.part == TEST]
    least = sorted(judged, key=lambda row: (row.jaccard, row.case_id))[:_SHOWN_MASKS]
    wanted = {row.case_id for rows in (worst, least, [row for _, row in shown]) for row in rows}
    cases = _cases(run, wanted)
    segmenter = _segmenter(run)
    return {
        "plots": _plots(outcomes, masks, run),
        "montages": [
            (why, row, montage.steps(cases[row.case_id], run.config.prepare, segmenter))
            for why, row in shown
            if "mask" in cases.get(row.case_id, {})
        ],
        "worst": [(row, _pair(cases[row.case_id])) for row in worst if row.case_id in cases],
        "least_masks": [(row, montage.overlay(cases[row.case_id])) for row in least if row.case_id in cases],
        "refused": [row for row in outcomes if row.status == "refused"],
    }


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

    return Segmenter.load(run.workspace.segmentation_model)


def _pair(case: Facts) -> list[montage.Picture]:
    turned = montage.network_input(case)
    return [montage.overlay(case), *([turned] if turned else [])]


def _plots(outcomes: Sequence[Outcome], masks: Sequence[MaskOutcome], run: Run) -> dict[str, str]:
    """The plots by name; one that has nothing to show is not there."""
    test = _points(row for row in outcomes if row.part == TEST)
    training = _points(row for row in outcomes if row.part == TRAIN)
    unseen = [
        (row.truth_months, row.out_of_fold_months, row.male)
        for row in outcomes
        if row.truth_months is not None and row.out_of_fold_months is not None
    ]
    widths = [
        (row.truth_months, row.age_months, row.lower, row.upper)
        for row in outcomes
        if row.part == TEST
        and row.truth_months is not None
        and row.age_months is not None
        and row.lower is not None
        and row.upper is not None
    ]
    jaccards = [row.jaccard for row in masks if row.part == TEST]
    wanted = run.config.acceptance.jaccard if run.phantoms else None
    drawn = {}
    if test:
        drawn["test"] = plots.agreement(test, label="Estimates against the reference, test part")
        drawn["differences"] = plots.differences(test, label="Differences over means, test part")
        drawn["error_by_age"] = plots.error_by_age(test, label="Mean absolute difference by age, test part")
    if training:
        drawn["training"] = plots.agreement(training, label="Estimates against the reference, in-sample")
    if unseen:
        drawn["out_of_fold"] = plots.agreement(unseen, label="Out-of-fold estimates against the reference")
    if widths:
        drawn["intervals"] = plots.intervals(widths, label="Intervals and reference, test part")
    if jaccards:
        drawn["jaccard"] = plots.histogram(jaccards, label="Jaccard index of held-out masks", wanted=wanted)
    return drawn


def _points(rows: Iterable[Outcome]) -> list[plots.Point]:
    return [
        (row.truth_months, row.age_months, row.male)
        for row in rows
        if row.truth_months is not None and row.age_months is not None
    ]


def _curves(run: Run) -> list[tuple[str, str]]:
    """Titles and plots of the trainings of this run."""
    found = []
    for stage, title in (("train-segmentation", "segmentation"), ("train-regression", "regression")):
        path = run.workspace.stage(stage) / "history.json"
        if not path.is_file():
            continue
        histories = _histories(json.loads(path.read_bytes()))
        names = sorted({name for history in histories for entry in history for name in entry})
        others = [name for name in names if name.startswith("val_") and name != "val_loss"]
        for measure, lines in (("loss", ["loss", "val_loss"]), *((name[4:], [name]) for name in others[:1])):
            shown = {name: histories for name in lines if name in names}
            if shown:
                name = _MEASURES.get(measure, measure)
                drawn = plots.curves(shown, label=f"{title}: {name} by epoch", ylabel=name)
                found.append((f"{title}: {name}", drawn))
    return found


def _histories(stored: list[Facts]) -> list[list[Facts]]:
    """One training's history, or those of all folds."""
    return [fold["history"] for fold in stored] if stored and "history" in stored[0] else [stored]
