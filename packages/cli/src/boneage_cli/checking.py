"""A look through a data set before hours are spent on it: what a run would trip over or silently lose."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boneage_cli import survey
from boneage_cli.errors import DataError
from boneage_cli.files import shown
from boneage_cli.labels import Label, scan_labels
from boneage_cli.progress import Progress
from boneage_cli.sources import Data, image_files, locate, name_faults, thumbnail_ids
from boneage_cli.survey import Outline, Picture
from boneage_cli.tallies import age_histogram, counts, first_lines, histogram, named, spread
from boneage_segmentation.annotation import find_outlines

__all__ = ["Findings", "check_data"]

NOTICE = "Not a medical device."
_MANY = 0.2  # the share of a data set that nobody wants to lose without being told
_MAX_STRETCH = 0.03  # how far an outline's aspect ratio may be from its radiograph's
_LONG_SIDES = (256, 512, 1024, 2048)
_OLDEST_IF_YEARS = 20.0
_ENOUGH_AGES = 20


@dataclass(frozen=True)
class Findings:
    """What a check found.

    Attributes:
        summary: For machines, JSON-able.
        lines: For people: what there is, and at the end plain sentences on what is wrong.
        wrong: Whether a run would fail or silently lose much of the data.
    """

    summary: dict[str, Any]
    lines: list[str]
    wrong: bool


@dataclass
class _Report:
    """What has been found so far."""

    summary: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def tell(self, text: str, *, wrong: bool) -> None:
        (self.wrong if wrong else self.notes).append(text)

    def tell_of(self, what: str, names: Sequence[str], total: float) -> None:
        """Tells of cases; that is wrong where they are many of the total."""
        if names:
            self.tell(f"{what}: {len(names)} ({named(names)})", wrong=len(names) > _MANY * total)


def check_data(data: Path, *, labels: Path | None, outlines: Path | None) -> Findings:
    """Looks through a data set: every file is read, nothing is changed.

    Args:
        data: The data folder, as `run --data` takes it.
        labels: The label table, if it lies elsewhere.
        outlines: The folder of outlines, if it lies elsewhere.

    Raises:
        CallError: If a path that was given is not there.
    """
    found = locate(data, labels, outlines)
    report = _Report()
    files = image_files(found.images)
    outline_files = find_outlines(found.outlines) if found.outlines else {}
    progress = Progress()
    with progress.stage("check"):
        pictures = survey.look_at_pictures(files, progress.count)
        drawn = survey.look_at_outlines(list(outline_files.values()), progress.count)
    _check_pictures(report, found, pictures)
    _check_lost(report, found, len(files))
    table = _check_table(report, found)
    sound = {picture.path.stem: picture for picture in pictures if not picture.problem}
    _check_labels(report, table, sound, {path.stem for path in files})
    _check_outlines(report, found, dict(zip(outline_files, drawn, strict=True)), sound)
    _check_split(report, [table[case_id] for case_id in sound if case_id in table])
    return _concluded(report, found)


def _check_pictures(report: _Report, found: Data, pictures: list[Picture]) -> None:
    good = [picture for picture in pictures if not picture.problem]
    bad = [picture for picture in pictures if picture.problem]
    faults = name_faults(picture.path for picture in pictures)
    unfit = [f"{shown(p.path.name)}: {faults[p.path]}" for p in good if p.path in faults]
    same = _identical(good)
    report.summary["images"] = {
        "folder": str(found.images),
        "files": len(pictures),
        "readable": len(good),
        "unreadable": [{"name": shown(p.path.name), "reason": p.problem} for p in bad],
        "names": unfit,
        "identical": same,
        "doubtful": [{"name": shown(p.path.name), "reason": p.doubt} for p in good if p.doubt],
        "wrong_extension": [shown(p.path.name) for p in good if p.misnamed],
        "formats": dict(Counter(p.format for p in good)),
        "bits": {str(bits): count for bits, count in sorted(Counter(p.bits for p in good).items())},
        "long_side": histogram([max(p.size) for p in good], _LONG_SIDES),
    }
    report.lines += _picture_lines(found, pictures, good, report.summary["images"])
    if not pictures:
        report.tell(f"{found.images} holds no radiograph", wrong=True)
    for picture in bad:
        report.tell(f"{shown(picture.path.name)} cannot be read: {picture.problem}", wrong=True)
    for fault in unfit:
        report.tell(fault, wrong=True)
    for names in same:
        report.tell(f"the very same picture is there as {named(names)}", wrong=True)
    doubtful = [picture.path.name for picture in good if picture.doubt]
    report.tell_of("radiographs that are blank or too small to be read", doubtful, len(good))
    misnamed = [picture.path.name for picture in good if picture.misnamed]
    report.tell_of("files with another format's extension", misnamed, math.inf)


def _picture_lines(
    found: Data, pictures: list[Picture], good: list[Picture], facts: dict[str, Any]
) -> list[str]:
    lines = [f"radiographs in {found.images}: {len(pictures)}, of them {len(good)} can be read"]
    if good:
        heights, widths = ([picture.size[axis] for picture in good] for axis in (0, 1))
        lines += [
            f"  height {spread(heights)}, width {spread(widths)} pixels",
            f"  long side in pixels: {counts(facts['long_side'])}",
            f"  bits: {counts(facts['bits'])}; formats: {counts(facts['formats'])}",
        ]
    return lines


def _identical(pictures: list[Picture]) -> list[list[str]]:
    groups = defaultdict(list)
    for picture in pictures:
        groups[picture.digest].append(shown(picture.path.name))
    return [names for names in groups.values() if len(names) > 1]


def _check_lost(report: _Report, found: Data, total: int) -> None:
    """Radiographs that lie where no command looks."""
    over = [path.name for path in survey.pictures_passed_over(found.images)]
    below = survey.pictures_in_subfolders(found.images, [found.outlines, found.masks])
    report.summary["passed_over"] = {"by_extension": [shown(name) for name in over], "in_folders": below}
    report.tell_of("pictures that are passed over for their extension", over, total)
    if below:
        lost = ", ".join(f"{shown(name)} ({count})" for name, count in below.items())
        text = f"folders below {found.images} hold pictures that are passed over: {lost}"
        report.tell(text, wrong=sum(below.values()) > _MANY * total)


def _check_table(report: _Report, found: Data) -> dict[str, Label]:
    if found.labels is None:
        report.tell("there is no table of labels, so no age can be learnt", wrong=True)
        return {}
    try:
        table, problems = scan_labels(found.labels)
    except DataError as error:
        table, problems = {}, [str(error)]
    report.summary["labels"] = {"table": str(found.labels), "cases": len(table), "problems": problems}
    for problem in problems:
        report.tell(problem, wrong=True)
    return table


def _check_labels(
    report: _Report, table: dict[str, Label], sound: dict[str, Picture], listed: set[str]
) -> None:
    if not table:
        return
    used = [label for case_id, label in table.items() if case_id in sound]
    ages = [label.age_months for label in used if label.age_months is not None]
    missing = [case_id for case_id in table if case_id not in listed]
    unlabelled = [case_id for case_id in sound if case_id not in table]
    no_age = [label.case_id for label in used if label.age_months is None]
    no_sex = [label.case_id for label in used if label.male is None]
    sexes = {
        "male": sum(label.male is True for label in used),
        "female": sum(label.male is False for label in used),
    }
    report.summary["labels"] |= {
        "matched": len(used),
        "without_radiograph": missing,
        "unlabelled": unlabelled,
        "without_age": no_age,
        "without_sex": no_sex,
        "sexes": {**sexes, "unknown": len(no_sex)},
        "ages": age_histogram(ages),
    }
    report.lines += [
        f"labels: {len(table)}, of them {len(used)} for radiographs that can be read",
        f"  sex: {counts({**sexes, 'unknown': len(no_sex)})}",
        *([f"  age in months: {spread(ages)}", f"  {counts(age_histogram(ages))}"] if ages else []),
    ]
    if sound and not used:
        report.tell(
            f"not one label belongs to a radiograph: the table's ids are like {named(list(table)[:2])}, "
            f"the files' like {named(list(sound)[:2])}",
            wrong=True,
        )
        return
    report.tell_of("labels without a radiograph", missing, len(table))
    report.tell_of("radiographs without a label", unlabelled, len(sound))
    report.tell_of("labels without an age", no_age, len(used))
    report.tell_of("labels without a sex, whose ages are told less exactly", no_sex, math.inf)
    if len(ages) >= _ENOUGH_AGES and max(ages) <= _OLDEST_IF_YEARS:
        report.tell(f"no age is above {max(ages):g}: these look like years, months are wanted", wrong=True)


def _check_outlines(
    report: _Report, found: Data, outlines: dict[str, Outline], sound: dict[str, Picture]
) -> None:
    if found.outlines is None:
        report.tell("there are no outlines, so the hand cannot be learnt from these data", wrong=False)
        return
    squashed = thumbnail_ids(found.thumbnails) if found.thumbnails else set()
    bad = {case_id: outline.problem for case_id, outline in outlines.items() if outline.problem}
    good = {case_id: outline for case_id, outline in outlines.items() if not outline.problem}
    alone = [case_id for case_id in good if case_id not in sound and case_id not in squashed]
    bent = [c for c, outline in good.items() if c in sound and _is_stretched(outline.size, sound[c].size)]
    on_thumbnails = sum(case_id in squashed and case_id not in sound for case_id in good)
    report.summary["outlines"] = {
        "folder": str(found.outlines),
        "files": len(outlines),
        "unreadable": [{"id": shown(case_id), "reason": problem} for case_id, problem in bad.items()],
        "without_radiograph": alone,
        "on_thumbnails": on_thumbnails,
        "of_another_shape": bent,
    }
    report.lines.append(
        f"outlines in {found.outlines}: {len(outlines)}, of them {len(good) - len(alone) - on_thumbnails} "
        f"for radiographs and {on_thumbnails} for thumbnails"
    )
    for problem in bad.values():
        report.tell(problem, wrong=True)
    if len(alone) == len(good):
        report.tell(f"not one outline in {found.outlines} belongs to a radiograph", wrong=True)
    else:
        report.tell_of("outlines without a radiograph", alone, len(good))
    report.tell_of("outlines that are not of their radiograph's shape", bent, 0)


def _is_stretched(size: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(size[0] * other[1] / (size[1] * other[0]) - 1) > _MAX_STRETCH


def _check_split(report: _Report, labels: list[Label]) -> None:
    from boneage_cli.config import Split
    from boneage_regression.folds import assign_folds, in_test

    aged = {label.case_id: label for label in labels if label.age_months is not None}
    train = [case_id for case_id in aged if not in_test(case_id)]
    tested, wanted = len(aged) - len(train), Split().folds
    if len(train) < 2 * wanted or not tested:
        text = f"with {len(train)} labelled radiographs to train on and {tested} to test on"
        report.tell(f"{text}, there are too few for {wanted} folds and a test part", wrong=True)
        return
    ages = [aged[case_id].age_months or 0.0 for case_id in train]
    folds = assign_folds(train, ages, [aged[case_id].male for case_id in train], k=wanted)
    sizes = Counter(folds.values())
    per_fold = [sizes[fold] for fold in range(wanted)]
    report.summary["split"] = {"train": len(train), "test": tested, "folds": per_fold}
    report.lines.append(
        f"split: {len(train)} to train on, in folds of {', '.join(map(str, per_fold))}; {tested} to test on"
    )


def _concluded(report: _Report, found: Data) -> Findings:
    wrong = bool(report.wrong)
    verdict = (
        "What is wrong above should be put right before a run."
        if wrong
        else "Nothing stands in the way of a run."
    )
    summary = {
        "data": str(found.images),
        **report.summary,
        "wrong": report.wrong,
        "notes": report.notes,
        "notice": NOTICE,
    }
    lines = [
        *report.lines,
        *first_lines([f"wrong: {text}" for text in report.wrong]),
        *first_lines([f"note: {text}" for text in report.notes]),
        verdict,
        NOTICE,
    ]
    return Findings(summary, lines, wrong)
