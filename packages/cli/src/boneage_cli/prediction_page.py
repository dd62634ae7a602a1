"""The page of a prediction: the radiograph, its hand, what the answer rests on, its age on the line of all ages."""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boneage_cli import heatmaps, montage
from boneage_cli.model_cards import model_card
from boneage_cli.page import render
from boneage_sparkrun.place import Place

if TYPE_CHECKING:
    from boneage_cli.predictor import Answer, Examination, Predictor

__all__ = ["write_page"]

MOST_SHOWN = 200
"""Radiographs with pictures, about 100 kB each; those beyond stand in the table alone."""
_MALE = {"M": True, "F": False, None: None}


def write_page(
    path: Path, predictor: Predictor, examined: Iterable[Examination], *, most_shown: int = MOST_SHOWN
) -> list[Answer]:
    """Writes one self-contained page of all examinations, whole or not at all.

    Args:
        path: Of the HTML file.
        predictor: Whose examinations they are.
        examined: May be a generator: only the pictures of each are kept.
        most_shown: So many with their pictures.

    Returns:
        The answers, in order.
    """
    cases = [_case(examination, shown=index < most_shown) for index, examination in enumerate(examined)]
    page = render(
        "predictions.html",
        {
            "cases": cases,
            "most_shown": most_shown,
            "meaning": heatmaps.MEANING,
            "bar": montage.coloured("scale", heatmaps.draw_bar()),
            "level": (predictor.regressor.metadata.get("calibration") or {}).get("level"),
            "models": {
                "segmentation": model_card(predictor.segmentation_folder),
                "regression": model_card(predictor.folder),
            },
            "written_on": time.strftime("%Y-%m-%d"),
            "version": version("boneage-cli"),
        },
    )
    Place(path).write_bytes(page.encode())
    return [case["answer"] for case in cases]


def _case(examination: Examination, *, shown: bool) -> dict[str, Any]:
    return {
        "answer": examination.answer,
        "male": _MALE[examination.sex],
        "pictures": _pictures(examination) if shown else [],
        "scale": None if examination.months is None else heatmaps.scale_months(examination.months),
    }


def _pictures(examination: Examination) -> list[montage.Picture]:
    """What there is to see, in the order of the steps; what the answer rests on goes last."""
    pictures = []
    if examination.image is not None and examination.mask is not None:
        pictures.append(
            montage.outlined("radiograph, hand as found", examination.image, {"found": examination.mask})
        )
    if examination.prepared is not None:
        pictures.append(montage.gray("prepared hand, as the age network saw it", examination.prepared))
        if examination.months is not None:
            scale = heatmaps.scale_months(examination.months)
            coloured = heatmaps.lay_over(examination.prepared, examination.months, scale)
            pictures.append(montage.coloured("what the answer rests on", coloured))
    return pictures
