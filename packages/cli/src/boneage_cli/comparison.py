"""Any table of ages, or any folder of masks, compared with the truth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from boneage_cli.errors import CallError, DataError
from boneage_cli.files import plain, read_bounded, shown
from boneage_cli.labels import read_labels, read_rows
from boneage_cli.outcomes import TEST, MaskOutcome, parsed
from boneage_cli.scores import finite, mask_figures, overlap, score
from boneage_cli.sources import find_masks
from boneage_imaging.codec import decode_mask
from boneage_imaging.errors import DecodeError

__all__ = ["evaluate_mask_folders", "evaluate_tables"]

_FEW = 5
Summary = dict[str, Any]


def evaluate_tables(predictions: Path, labels: Path) -> tuple[Summary, list[str]]:
    """Compares a table of predicted ages with a table of labels.

    Args:
        predictions: A table with the columns `id` and `age_months`, as `predict --out` writes it; a row
            without an age counts as unanswered.
        labels: A table `id,boneage,male`, or with one of RSNA's other headers.

    Returns:
        The figures, and the same in plain lines.

    Raises:
        DataError: If a table cannot be read or the two have no case in common.
    """
    said = _read_predictions(predictions)
    table = read_labels(labels)
    truth = {case_id: label.age_months for case_id, label in table.items() if label.age_months is not None}
    both = [case_id for case_id in said if case_id in truth]
    if not both:
        raise DataError(f"{predictions} and {labels} have no case in common, by their ids")
    pairs = [
        (truth[case_id], age, table[case_id].male)
        for case_id in both
        for age in [said[case_id]]
        if age is not None
    ]
    median = float(np.median([truth[case_id] for case_id in both]))
    guess = float(np.mean([abs(age - median) for age, *_ in pairs])) if pairs else None
    summary = {
        **score(pairs, groups=True),
        "unanswered": len(both) - len(pairs),
        "without_label": len(said) - len(both),
        "without_prediction": len(truth) - len(both),
        "median_guess": {"age_months": median, "mad": guess},
    }
    summary = finite(summary)
    return summary, _table_lines(summary)


def _table_lines(found: Summary) -> list[str]:
    lines = [f"{found['count']} cases compared, {found['unanswered']} unanswered"]
    if found["without_label"]:
        lines.append(f"{found['without_label']} predictions have no label")
    if found["without_prediction"]:
        lines.append(f"{found['without_prediction']} labels have no prediction")
    if not found["count"]:
        return lines
    spread = found["mean_absolute_deviation"]
    return [
        *lines,
        f"MAD (mean absolute difference) {found['mad']:.2f} months{_between(found['mad_interval'])}",
        f"RMSE {found['rmse']:.2f} months{_between(found['rmse_interval'])}",
        f"bias {found['bias']:+.2f} months",
        f"guessing the labels' median ({found['median_guess']['age_months']:g}) gives "
        f"MAD {found['median_guess']['mad']:.2f} months",
        f"mean absolute deviation from the mean, another figure: labels {spread['truth']:.2f}, "
        f"predictions {spread['answers']:.2f} months",
    ]


def _between(interval: list[float] | None) -> str:
    return f" (95 % interval {interval[0]:.2f} to {interval[1]:.2f})" if interval else ""


def _read_predictions(path: Path) -> dict[str, float | None]:
    rows = read_rows(path)
    header = [name.strip() for name in rows[0][1]] if rows else []
    if header.count("id") != 1 or header.count("age_months") != 1:
        raise DataError(
            plain(f"{path}: received the columns {','.join(header)}, where id,age_months would do")
        )
    ages: dict[str, float | None] = {}
    for line, row in rows[1:]:
        place = f"{path}, line {line}"
        if len(row) != len(header):
            raise DataError(f"{place}: received {len(row)} fields, where the header has {len(header)}")
        fields = dict(zip(header, row, strict=True))
        case_id = fields["id"].strip()
        if case_id in ages:
            raise DataError(f"{place}: the case {case_id!r} stands in the table twice")
        ages[case_id] = _age(fields["age_months"], place)
    return ages


def _age(text: str, place: str) -> float | None:
    try:
        age = parsed(text.strip())
    except ValueError:
        age = math.nan
    if age is not None and not math.isfinite(age):
        raise DataError(f"{place}: received {text!r} for age_months, where a number of months would do")
    return age


def evaluate_mask_folders(predicted: Path, truth: Path) -> tuple[Summary, list[str]]:
    """Compares a folder of masks with a folder of outlines, case by case.

    Args:
        predicted: Masks `<id>.png`, or a folder that holds them in `masks/`, as `segment` writes it.
        truth: Masks by id, PixelAnnotationTool's files or polygons; brought to the size of the mask.

    Returns:
        The figures, and the same in plain lines.

    Raises:
        CallError: If a folder is not there.
        DataError: If the two have no case in common of which both files can be read. Others are set aside.
    """
    from boneage_segmentation.annotation import find_outlines, read_outline
    from boneage_segmentation.errors import AnnotationError

    for folder in (predicted, truth):
        if not folder.is_dir():
            raise CallError(f"received {folder}, which is not a folder that is there")
    masks, set_aside = find_masks(predicted / "masks" if (predicted / "masks").is_dir() else predicted)
    outlines = find_outlines(truth)
    both = [case_id for case_id in masks if case_id in outlines]
    if not both:
        raise DataError(f"{predicted} and {truth} have no case in common, by their file names")
    found = []
    for case_id in both:
        path = outlines[case_id]
        try:
            mask = decode_mask(read_bounded(masks[case_id]))
        except (DataError, DecodeError, MemoryError) as error:
            set_aside[case_id] = f"its mask {Path(masks[case_id]).name}: {error}"
            continue
        try:
            outline = read_outline(read_bounded(path), path.name, mask.shape)
        except (DataError, AnnotationError, MemoryError) as error:
            set_aside[case_id] = str(error) if isinstance(error, AnnotationError) else f"{path.name}: {error}"
            continue
        found.append(MaskOutcome(case_id, TEST, *overlap(mask, outline)))
    told = [f"set aside {shown(case_id)}: {plain(reason)}" for case_id, reason in set_aside.items()]
    if not found:
        raise DataError(f"not one case could be compared; {told[0]}")
    summary = finite(
        {
            **mask_figures(found)["test"],
            "set_aside": [{"id": shown(case_id), "reason": plain(why)} for case_id, why in set_aside.items()],
            "without_truth": len(masks) - len(both),
            "without_mask": len(outlines) - len(both),
            "cases": {row.case_id: {"jaccard": row.jaccard, "dice": row.dice} for row in found},
        }
    )
    return summary, [*_mask_lines(summary), *told]


def _mask_lines(found: Summary) -> list[str]:
    worst = sorted(found["cases"].items(), key=lambda item: item[1]["jaccard"])[:_FEW]
    lines = [f"{found['count']} masks compared"]
    if found["without_truth"]:
        lines.append(f"{found['without_truth']} masks have no outline")
    if found["without_mask"]:
        lines.append(f"{found['without_mask']} outlines have no mask")
    interval = found["jaccard_interval"]
    between = f" (95 % interval {interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
    return [
        *lines,
        f"Jaccard mean {found['jaccard_mean']:.4f}{between}, median {found['jaccard_median']:.4f}, "
        f"least {found['jaccard_least']:.4f}",
        f"Dice mean {found['dice_mean']:.4f}, median {found['dice_median']:.4f}",
        "least: " + ", ".join(f"{case_id} {row['jaccard']:.4f}" for case_id, row in worst),
    ]
