"""A model fitted to a clinic's own cases: the command `calibrate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from boneage_cli.batch import list_images
from boneage_cli.errors import DataError
from boneage_cli.files import read_bounded, shown
from boneage_cli.labels import read_labels
from boneage_cli.models import check_replaceable
from boneage_cli.predictor import Predictor
from boneage_cli.progress import Progress
from boneage_cli.sources import locate, name_faults
from boneage_cli.tallies import first_lines
from boneage_regression.calibration import MAX_AGE_MONTHS, Calibration
from boneage_regression.correction import Correction
from boneage_regression.model_folder import copy_model_folder
from boneage_regression.recalibration import ENOUGH_ERRORS, LEAST_CASES, Recalibration, Verdict, recalibrate

__all__ = ["calibrate_model"]

NOTICE = "Not a medical device."
_SEX = {True: "M", False: "F", None: None}
_KINDS = {"with_sex": "with the sex", "without_sex": "without the sex"}
Summary = dict[str, Any]
Failures = list[tuple[str, str]]  # (file name, reason)
Known = tuple[float, bool | None]  # age in months, and whether male


class _Case(NamedTuple):
    """What the model says of one radiograph with its sex (None where that is not known) and without, months."""

    truth: float
    male: bool | None
    known: float | None
    unknown: float


def calibrate_model(
    images: Path, labels: Path, out: Path, *, model: Path | None, quiet: bool
) -> tuple[Summary, list[str]]:
    """Corrects a model by a clinic's own cases, where that helps, and makes its intervals anew.

    An earlier calibration is not built upon: this one, too, begins with the ages that the networks tell.

    Args:
        images: The folder of radiographs.
        labels: Their table `id,boneage,male`.
        out: The model folder that is written; a model that is there is replaced.
        model: A run's folder or a model folder; None for the shipped model.
        quiet: Whether to show no progress.

    Returns:
        The figures, and the same in plain lines.

    Raises:
        CallError: If a path is not there, or something else than a model is at `out`.
        DataError: If the table cannot be read, or fewer than 20 labelled radiographs are answered.
        ModelError: If the model is damaged.
    """
    check_replaceable(out)
    files = list_images(locate(images, labels).images)
    table = {
        case_id: (label.age_months, label.male)
        for case_id, label in read_labels(labels).items()
        if label.age_months is not None
    }
    labelled = [path for path in files if path.stem in table]
    _check_enough(len(labelled), f"radiographs in {images} with an age in {labels}")
    predictor = Predictor(model)
    predictor.regressor = predictor.regressor.uncorrected()
    cases, left_out = _examine(predictor, labelled, table, Progress(quiet=quiet))
    _check_enough(len(cases), "labelled radiographs with an answer", left_out)
    own = Calibration.from_json(predictor.regressor.metadata["calibration"])
    found = _recalibrate(cases, own)
    changes = {
        "recalibration": found.to_json(),
        "recalibrated_from": predictor.regressor.metadata["digest"],
    }
    copy_model_folder(predictor.folder, out, changes)
    summary = {
        "model": str(out),
        "cases": len(cases),
        "left_out": [{"name": name, "reason": reason} for name, reason in left_out],
        "without_label": len(files) - len(labelled),
        "without_radiograph": len(table.keys() - {path.stem for path in labelled}),
        "width_months": _widths(cases, found, own),
        **changes,
        "notice": NOTICE,
    }
    return summary, _lines(summary, found)


def _check_enough(count: int, what: str, left_out: Sequence[tuple[str, str]] = ()) -> None:
    if count < LEAST_CASES:
        reasons = "".join(f"; left out {name}: {reason}" for name, reason in left_out[:1])
        raise DataError(f"received {count} {what}; {LEAST_CASES} at least would do{reasons}")


def _examine(
    predictor: Predictor, files: Sequence[Path], table: Mapping[str, Known], progress: Progress
) -> tuple[list[_Case], Failures]:
    """What the model says of every file, and why some have no answer."""
    faults = name_faults(files)
    cases, left_out = [], []
    with progress.stage("calibrate"):
        for done, path in enumerate(files, 1):
            found = faults.get(path) or _answer(predictor, path, *table[path.stem])
            if isinstance(found, str):
                left_out.append((shown(path.name), found))
            else:
                cases.append(found)
            progress.count(done, len(files))
    return cases, left_out


def _answer(predictor: Predictor, path: Path, truth: float, male: bool | None) -> _Case | str:
    """The answers for one radiograph, or why there is none."""
    try:
        examined = predictor.examine(read_bounded(path))
    except DataError as error:
        return str(error)
    if examined.prepared is None or examined.answer.age_months is None:
        return examined.answer.reason
    sex = _SEX[male]
    known = predictor.regressor.predict(examined.prepared, sex).age_months if sex else None
    return _Case(truth, male, known, examined.answer.age_months)


def _recalibrate(cases: Sequence[_Case], own: Calibration) -> Recalibration:
    truth, males, known, unknown = zip(*cases, strict=True)
    # As floats, for an answer that is not there becomes NaN.
    return recalibrate(truth, np.array(known, np.float64), unknown, males, calibration=own)


def _widths(cases: Sequence[_Case], found: Recalibration, own: Calibration) -> Summary:
    """Mean widths of the intervals around the cases' ages, months; None where no sex is known."""
    told: dict[str, list[tuple[float, str | None]]] = {
        "with_sex": [(case.known, _SEX[case.male]) for case in cases if case.known is not None],
        "without_sex": [(case.unknown, None) for case in cases],
    }
    return {
        kind: {
            "before": _mean_width(own, answers),
            "after": _mean_width(found.calibration, [(_corrected(found, *a), a[1]) for a in answers]),
        }
        for kind, answers in told.items()
    }


def _mean_width(calibration: Calibration, answers: Sequence[tuple[float, str | None]]) -> float | None:
    ends = [calibration.interval(age, sex_known=sex is not None) for age, sex in answers]
    return float(np.mean([upper - lower for lower, upper in ends])) if ends else None


def _corrected(found: Recalibration, age_months: float, sex: str | None) -> float:
    return min(max(found.correct(age_months, sex), 0.0), MAX_AGE_MONTHS)


def _lines(summary: Summary, found: Recalibration) -> list[str]:
    left_out = [f"left out {row['name']}: {row['reason']}" for row in summary["left_out"]]
    counts = [f"{summary['cases']} cases used", f"{len(left_out)} left out"]
    for name, text in (("without_label", "an age"), ("without_radiograph", "a radiograph")):
        counts += [f"{summary[name]} without {text}"] if summary[name] else []
    kept = "too few cases for new intervals: the model's own are kept, at least as wide as these cases say"
    return [
        ", ".join(counts),
        *first_lines(left_out),
        *_verdict_lines(_KINDS["with_sex"], found.with_sex, {"F": found.female, "M": found.male}),
        *_verdict_lines(_KINDS["without_sex"], found.without_sex, {"not given": found.unknown}),
        *([kept] if found.intervals_kept else []),
        *_width_lines(summary["width_months"], found.calibration.level),
        f"model written to {summary['model']}",
        NOTICE,
    ]


def _verdict_lines(kind: str, verdict: Verdict, corrections: Mapping[str, Correction]) -> list[str]:
    if verdict.mad_months is None:
        return [f"{kind}: no case, so no correction"]
    said = f"{kind}: MAD (mean absolute difference) {verdict.mad_months:.1f} months in {verdict.cases} cases"
    if verdict.used == "none":
        return [f"{said}; no correction: {_why_none(verdict)}"]
    return [
        f"{said}, {verdict.mad_used_months:.1f} corrected (cross-validated)",
        *(f"  sex {sex}: {_formula(correction)}" for sex, correction in corrections.items()),
    ]


def _why_none(verdict: Verdict) -> str:
    if not verdict.trials:
        return f"{LEAST_CASES} cases at least would do"
    best = min(verdict.trials, key=lambda trial: trial.mad_months)
    gain = f"better by {best.standard_errors:.1f} standard errors, where {ENOUGH_ERRORS:.1f} would do"
    if best.standard_errors < 0:
        gain = "which is worse"
    return f"the best that was tried gives {best.mad_months:.1f} (cross-validated), {gain}"


def _formula(correction: Correction) -> str:
    if not correction.used:
        return "no correction, for want of cases"
    sign = "-" if correction.offset_months < 0 else "+"
    return f"{correction.slope:.3f} x age told {sign} {abs(correction.offset_months):.1f} months"


def _width_lines(widths: Summary, level: float) -> list[str]:
    return [
        f"{100 * level:.0f} % intervals {_KINDS[kind]}: mean width {width['before']:.1f} months before, "
        f"{width['after']:.1f} now"
        for kind, width in widths.items()
        if width["before"] is not None
    ]
