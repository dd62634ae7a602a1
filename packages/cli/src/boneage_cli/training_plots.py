"""The learning curves of a run's trainings, from their histories."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from boneage_cli.drawing import MALE, MUTED, legend, svg, whole_numbers
from boneage_sparkrun.place import Place

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["curves", "training_plots"]

_MEASURES = {"mad": "MAD (months)", "jaccard": "Jaccard index"}
_TRAININGS = (("train-segmentation", "segmentation"), ("train-regression", "regression"))
Facts = dict[str, Any]


def training_plots(folder: Place) -> list[tuple[str, str]]:
    """Titles and plots of the trainings of a run.

    Args:
        folder: The run's.
    """
    found = []
    for stage, title in _TRAININGS:
        path = folder / stage / "history.json"
        if not path.exists():
            continue
        histories = _histories(json.loads(path.read_bytes()))
        names = sorted({name for history in histories for entry in history for name in entry})
        others = [name for name in names if name.startswith("val_") and name != "val_loss"]
        for measure, lines in (("loss", ["loss", "val_loss"]), *((name[4:], [name]) for name in others[:1])):
            shown = {name: histories for name in lines if name in names}
            if shown:
                name = _MEASURES.get(measure, measure)
                drawn = curves(shown, label=f"{title}: {name} by epoch", ylabel=name)
                found.append((f"{title}: {name}", drawn))
    return found


def _histories(stored: list[Facts]) -> list[list[Facts]]:
    """One training's history, or those of all folds."""
    return [fold["history"] for fold in stored] if stored and "history" in stored[0] else [stored]


def curves(lines: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]], *, label: str, ylabel: str) -> str:
    """Draws what was measured after each epoch.

    Args:
        lines: By the name of the measure (`loss` is training's, drawn faint): the history of each training.
        label: Says what is seen.
        ylabel: What is measured.
    """

    def draw(axes: Axes) -> None:
        for name, histories in lines.items():
            faint = not name.startswith("val_")
            for index, history in enumerate(histories):
                entries = [(entry["epoch"], entry[name]) for entry in history if entry.get(name) is not None]
                if entries:
                    axes.plot(
                        *np.array(entries, float).T,
                        color=MUTED if faint else MALE,
                        alpha=0.7,
                        linewidth=1 if faint else 1.5,
                        marker="" if len(entries) > 1 else "o",
                        label=None if index else ("training" if faint else "validation"),
                    )
        values = [v for line in axes.get_lines() for v in np.asarray(line.get_ydata(), float) if v > 0]
        if values and max(values) > 15 * min(values):
            _log_scale(axes)
        axes.set(xlabel="epoch", ylabel=ylabel)
        axes.xaxis.set_major_locator(whole_numbers())
        legend(axes)

    return svg(draw, label)


def _log_scale(axes: Axes) -> None:
    """Numbers as they are read, not as small powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
