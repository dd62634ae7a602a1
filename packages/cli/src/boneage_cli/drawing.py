"""SVG text in the page's own colours and font, so that a plot reads in light, in dark and on paper."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BAD",
    "DASHED",
    "FEMALE",
    "GOOD",
    "GRID",
    "INK",
    "MALE",
    "MUTED",
    "PLACEHOLDERS",
    "YEAR",
    "legend",
    "month_ticks",
    "svg",
    "thinned",
    "whole_numbers",
    "whole_years",
]

# Matplotlib is given these as colours; in the finished SVG the page's CSS stands in their place.
PLACEHOLDERS = {
    "#010101": "currentColor",
    "#020202": "var(--muted)",
    "#030303": "var(--grid)",
    "#040404": "var(--female)",
    "#050505": "var(--male)",
    "#060606": "var(--good)",
    "#070707": "var(--bad)",
}
INK, MUTED, GRID, FEMALE, MALE, GOOD, BAD = PLACEHOLDERS
DASHED = (0, (4, 3))
YEAR = 12
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "path.simplify": True,
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


def whole_years(values: Sequence[float]) -> tuple[float, float]:
    """Whole years that hold all months."""
    return YEAR * float(np.floor(min(values) / YEAR)), YEAR * float(np.ceil(max(values) / YEAR))


def month_ticks(axis: Any, ends: tuple[float, float], years: int = 0) -> None:
    """Puts ticks at whole years: every so many, or as many as fit."""
    step = years * YEAR or (24 if ends[1] - ends[0] <= 168 else 48)
    axis.set_ticks(np.arange(step * np.ceil(ends[0] / step), ends[1] + 1, step))


def whole_numbers() -> Any:
    """A locator of ticks at whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)


def legend(axes: Axes) -> None:
    """Names what is drawn above the axes, if it is more than one thing."""
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


def thinned(items: Sequence[Any], most: int) -> Sequence[Any]:
    """At most so many items, evenly taken."""
    if len(items) <= most:
        return items
    return [items[round(index)] for index in np.linspace(0, len(items) - 1, most)]


def svg(draw: Callable[[Axes], None], label: str, *, height: float = 3.3) -> str:
    """Draws axes as SVG.

    Args:
        draw: Is given the axes.
        label: Says what is seen, for those who do not see it; no two plots of a page have the same.
        height: Inches; the width is 4.2.

    Returns:
        An `<svg>` element.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # The label salts the names inside the SVG: names on one page must differ.
    with rc_context({**_STYLE, "svg.hashsalt": label}):
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
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # the same in every plot, and nothing refers to them
    for color, css in PLACEHOLDERS.items():
        body = body.replace(color, css)
    body = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", body)
    body = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font: \1 var(--font)", body)
    opening = re.match(r"<svg[^>]*viewBox=\"([^\"]*)\"[^>]*>", body)
    if opening is None:  # pragma: no cover
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    head = f'<svg class="plot" viewBox="{opening[1]}" role="img" aria-label="{escape(label)}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    return head + body[opening.end() :]
