"""The report's plots: SVG text whose colours are the page's own, so that they read in light and in dark."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Interval",
    "Point",
    "agreement",
    "curves",
    "differences",
    "error_by_age",
    "histogram",
    "intervals",
]

Point = tuple[float, float, bool | None]
"""Reference and estimate in months, and whether the child is male (None: unknown)."""
Interval = tuple[float, float, float, float]
"""Reference, estimate, lower and upper end, months."""

# Matplotlib is given these as colours; in the finished SVG the page's CSS stands in their place.
_CSS = {
    "#010101": "currentColor",
    "#020202": "var(--muted)",
    "#030303": "var(--grid)",
    "#040404": "var(--female)",
    "#050505": "var(--male)",
    "#060606": "var(--good)",
    "#070707": "var(--bad)",
}
_INK, _MUTED, _GRID, _FEMALE, _MALE, _GOOD, _BAD = _CSS
_SEXES = ((False, "girls", _FEMALE, "o"), (True, "boys", _MALE, "^"), (None, "sex unknown", _MUTED, "s"))
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "boneage",
    "path.simplify": True,
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "axes.titlesize": 10,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
_MOST_POINTS = 1500
_MOST_INTERVALS = 90
_YEAR = 12


def agreement(points: Sequence[Point], *, label: str) -> str:
    """Draws estimates against the reference, with the 45 degree line.

    Args:
        points: Of each case.
        label: Says what is seen, for those who do not see it.

    Returns:
        An `<svg>` element.
    """

    def draw(axes: Axes) -> None:
        ends = _ends([0, 19 * _YEAR, *(value for truth, answer, _ in points for value in (truth, answer))])
        axes.plot(ends, ends, color=_MUTED, linewidth=1, linestyle=(0, (4, 3)))
        _scatter(axes, [(truth, answer, male) for truth, answer, male in points])
        axes.set(
            xlim=ends, ylim=ends, aspect="equal", xlabel="reference age (months)", ylabel="estimate (months)"
        )
        _month_ticks(axes.xaxis, ends)
        _month_ticks(axes.yaxis, ends)

    return _svg(draw, label, height=4.2)


def differences(points: Sequence[Point], *, label: str) -> str:
    """Draws the difference of estimate and reference over their mean (Bland and Altman, 1986)."""

    def draw(axes: Axes) -> None:
        found = [((truth + answer) / 2, answer - truth, male) for truth, answer, male in points]
        errors = np.array([error for _, error, _ in found])
        mean, sd = float(errors.mean()), float(errors.std(ddof=1)) if len(errors) > 1 else 0.0
        axes.axhline(0, color=_MUTED, linewidth=0.8)
        for offset, style in ((0.0, "-"), (1.96 * sd, (0, (4, 3))), (-1.96 * sd, (0, (4, 3)))):
            axes.axhline(mean + offset, color=_BAD, linewidth=1, linestyle=style)
            axes.annotate(
                f"{mean + offset:+.0f}",
                (1, mean + offset),
                xycoords=("axes fraction", "data"),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
            )
        _scatter(axes, found)
        ends = _ends([middle for middle, _, _ in found])
        axes.set(xlim=ends, xlabel="mean of both (months)", ylabel="estimate less reference")
        _month_ticks(axes.xaxis, ends)

    return _svg(draw, label)


def error_by_age(points: Sequence[Point], *, label: str, years: int = 2) -> str:
    """Draws the MAD of each group of ages as a bar, with the number of cases on it."""

    def draw(axes: Axes) -> None:
        step = years * _YEAR
        groups: dict[int, list[float]] = {}
        for truth, answer, _ in points:
            groups.setdefault(int(truth // step), []).append(abs(answer - truth))
        for index, errors in sorted(groups.items()):
            height = float(np.mean(errors))
            axes.bar((index + 0.5) * step, height, width=0.82 * step, color=_MALE, alpha=0.75)
            axes.annotate(
                str(len(errors)),
                ((index + 0.5) * step, height),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=9,
            )
        ends = (min(groups) * step, (max(groups) + 1) * step)
        axes.set(xlim=ends, xlabel="reference age (months)", ylabel="MAD (months)")
        axes.margins(y=0.12)
        _month_ticks(axes.xaxis, ends)

    return _svg(draw, label)


def intervals(rows: Sequence[Interval], *, label: str) -> str:
    """Draws the interval of each case in the order of the estimates, and whether the reference lies in it."""

    def draw(axes: Axes) -> None:
        shown = _thinned(sorted(rows, key=lambda row: (row[1], row[0])), _MOST_INTERVALS)
        for name, color, wanted in (("inside", _GOOD, True), ("outside", _BAD, False)):
            at = [(x, row) for x, row in enumerate(shown) if bool(row[2] <= row[0] <= row[3]) == wanted]
            if not at:
                continue
            places = [x for x, _ in at]
            axes.vlines(
                places, [r[2] for _, r in at], [r[3] for _, r in at], color=color, alpha=0.45, linewidth=2
            )
            axes.scatter(
                places,
                [r[0] for _, r in at],
                s=12,
                color=color,
                marker="o" if wanted else "D",
                linewidths=0,
                label=f"reference {name}",
            )
        axes.set(xlabel="cases in the order of their estimates", ylabel="months", xticks=[])
        _legend(axes)

    return _svg(draw, label)


def histogram(values: Sequence[float], *, label: str, wanted: float | None = None) -> str:
    """Draws how many masks reach which Jaccard index; a line where it should be at least."""

    def draw(axes: Axes) -> None:
        least = max(0.0, min([*values, wanted or 1.0]) - 0.02)
        step = next(step for step in (0.005, 0.01, 0.02, 0.05) if (1 - least) / step <= 30 or step == 0.05)
        edges = 1 - step * np.arange(int(np.ceil((1 - least) / step)) + 1)[::-1]
        axes.hist(values, bins=edges.tolist(), color=_MALE, alpha=0.75, rwidth=0.9)
        if wanted is not None:
            axes.axvline(wanted, color=_BAD, linewidth=1, linestyle=(0, (4, 3)))
        axes.set(xlim=(edges[0], 1), xlabel="Jaccard index", ylabel="masks")
        axes.yaxis.set_major_locator(_whole_numbers())

    return _svg(draw, label)


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
                        color=_MUTED if faint else _MALE,
                        alpha=0.7,
                        linewidth=1 if faint else 1.5,
                        marker="" if len(entries) > 1 else "o",
                        label=None if index else ("training" if faint else "validation"),
                    )
        values = [v for line in axes.get_lines() for v in np.asarray(line.get_ydata(), float) if v > 0]
        if values and max(values) > 15 * min(values):
            axes.set_yscale("log")
        axes.set(xlabel="epoch", ylabel=ylabel)
        axes.xaxis.set_major_locator(_whole_numbers())
        _legend(axes)

    return _svg(draw, label)


def _scatter(axes: Axes, points: Sequence[Point]) -> None:
    thin = _thinned(points, _MOST_POINTS)
    size = 22 if len(thin) < 300 else 12
    for male, name, color, marker in _SEXES:
        xy = [(x, y) for x, y, sex in thin if sex is male]
        if xy:
            x, y = np.array(xy, float).T
            axes.scatter(
                x, y, s=size, color=color, marker=marker, alpha=0.65, linewidths=0, label=name, clip_on=False
            )
    _legend(axes)


def _legend(axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    if len(names) > 1:
        axes.legend(
            handles,
            names,
            loc="lower left",
            bbox_to_anchor=(-0.02, 1),
            ncols=3,
            handletextpad=0.3,
            columnspacing=1,
        )


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Whole years that hold all months."""
    return _YEAR * float(np.floor(min(values) / _YEAR)), _YEAR * float(np.ceil(max(values) / _YEAR))


def _month_ticks(axis: Any, ends: tuple[float, float]) -> None:
    step = 24 if ends[1] - ends[0] <= 168 else 48
    axis.set_ticks(np.arange(step * np.ceil(ends[0] / step), ends[1] + 1, step))


def _whole_numbers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)


def _thinned(items: Sequence[Any], most: int) -> Sequence[Any]:
    """At most so many items, evenly taken."""
    if len(items) <= most:
        return items
    return [items[round(index)] for index in np.linspace(0, len(items) - 1, most)]


def _svg(draw: Any, label: str, *, height: float = 3.3) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure: Figure = Figure(figsize=(4.2, height), layout="constrained", facecolor="none")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot(facecolor="none")
        axes.grid(visible=True)
        draw(axes)
        text = io.StringIO()
        figure.savefig(
            text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return _for_page(text.getvalue(), label)


def _for_page(text: str, label: str) -> str:
    """Leaves the `<svg>` element alone, in the page's colours and font, with a label for screen readers."""
    from html import escape

    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    for color, css in _CSS.items():
        body = body.replace(color, css)
    body = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", body)
    body = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font: \1 var(--font)", body)
    opening = re.match(r"<svg[^>]*viewBox=\"([^\"]*)\"[^>]*>", body)
    if opening is None:  # pragma: no cover
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    head = f'<svg viewBox="{opening[1]}" role="img" aria-label="{escape(label)}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    return head + body[opening.end() :]
