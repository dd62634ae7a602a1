"""The report's plots, each an `<svg>` element: pure functions of what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from boneage_cli.drawing import (
    BAD,
    DASHED,
    FEMALE,
    GOOD,
    MALE,
    MUTED,
    YEAR,
    legend,
    month_ticks,
    svg,
    thinned,
    whole_numbers,
    whole_years,
)
from boneage_cli.scores import share_interval
from boneage_regression.metrics import bootstrap_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Interval",
    "Point",
    "agreement",
    "coverage",
    "cumulative",
    "differences",
    "error_by_age",
    "histogram",
    "intervals",
]

Point = tuple[float, float, bool | None]
"""Reference and estimate in months, and whether the child is male (None: unknown)."""
Interval = tuple[float, float, float, float]
"""Reference, estimate, lower and upper end, months."""

_SEXES = ((False, "girls", FEMALE, "o"), (True, "boys", MALE, "^"), (None, "sex unknown", MUTED, "s"))
_MOST_POINTS = 1500
_MOST_INTERVALS = 90
_GROUP_MONTHS = 3 * YEAR
_FEWEST = 5  # cases of a group before an interval is drawn for it
_DRAWS = 500
_TOLD_MONTHS = 48  # how far the plot of errors reaches
_TALL = 3.8


def agreement(points: Sequence[Point], *, label: str) -> str:
    """Draws estimates against the reference, with the 45 degree line and a band of a year on either side.

    Args:
        points: Of each case.
        label: Says what is seen, for those who do not see it.
    """

    def draw(axes: Axes) -> None:
        ends = whole_years([0, 19 * YEAR, *(value for point in points for value in point[:2])])
        axes.fill_between(
            ends, np.subtract(ends, YEAR), np.add(ends, YEAR), color=MUTED, alpha=0.14, linewidth=0
        )
        axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle=DASHED)
        _scatter(axes, points)
        axes.set(
            xlim=ends, ylim=ends, aspect="equal", xlabel="reference age (months)", ylabel="estimate (months)"
        )
        month_ticks(axes.xaxis, ends)
        month_ticks(axes.yaxis, ends)

    return svg(draw, label, height=4.2)


def differences(points: Sequence[Point], *, label: str) -> str:
    """Draws the difference of estimate and reference over their mean (Bland and Altman, 1986)."""

    def draw(axes: Axes) -> None:
        found = [((truth + answer) / 2, answer - truth, male) for truth, answer, male in points]
        errors = np.array([error for _, error, _ in found])
        mean, sd = float(errors.mean()), float(errors.std(ddof=1)) if len(errors) > 1 else 0.0
        axes.axhline(0, color=MUTED, linewidth=0.8)
        for offset, style in ((0.0, "-"), (1.96 * sd, DASHED), (-1.96 * sd, DASHED)):
            axes.axhline(mean + offset, color=BAD, linewidth=1, linestyle=style)
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
        ends = whole_years([middle for middle, _, _ in found])
        axes.set(xlim=ends, xlabel="mean of both (months)", ylabel="estimate less reference (months)")
        month_ticks(axes.xaxis, ends)

    return svg(draw, label, height=_TALL)


def error_by_age(points: Sequence[Point], *, label: str) -> str:
    """Draws the MAD of each group of ages, girls and boys apart, with its interval and the number of cases."""

    def draw(axes: Axes) -> None:
        shown = [sex for sex in _SEXES if any(male is sex[0] for *_, male in points)]
        width = 0.84 * _GROUP_MONTHS / len(shown)
        for index, (sex, name, color, _) in enumerate(shown):
            groups = _by_age([point for point in points if point[2] is sex])
            for group, members in groups.items():
                place = (group + 0.08) * _GROUP_MONTHS + (index + 0.5) * width
                _bar(axes, place, 0.92 * width, members, color, name if group == min(groups) else "")
        _age_axis(axes, [truth for truth, *_ in points])
        axes.set(ylabel="MAD (months)")
        axes.margins(y=0.12)
        axes.grid(visible=False, axis="x")
        legend(axes)

    return svg(draw, label, height=_TALL)


def _by_age(rows: Sequence[Any]) -> dict[int, list[Any]]:
    """The rows by age group; the reference age stands first in each."""
    groups: dict[int, list[Any]] = {}
    for row in rows:
        groups.setdefault(int(row[0] // _GROUP_MONTHS), []).append(row)
    return dict(sorted(groups.items()))


def _age_axis(axes: Axes, ages: Sequence[float]) -> None:
    groups = [int(age // _GROUP_MONTHS) for age in ages]
    ends = (min(groups) * _GROUP_MONTHS, (max(groups) + 1) * _GROUP_MONTHS)
    axes.set(xlim=ends, xlabel="reference age (months)")
    month_ticks(axes.xaxis, ends, _GROUP_MONTHS // YEAR)


def _bar(axes: Axes, place: float, width: float, points: Sequence[Point], color: str, name: str) -> None:
    """One bar as high as the MAD, its interval if there are enough cases, and how many there are."""
    truth, told = (np.array(column, float) for column in zip(*[point[:2] for point in points], strict=True))
    top = height = float(np.mean(np.abs(told - truth)))
    axes.bar(place, height, width=width, color=color, alpha=0.75, label=name)
    if len(points) >= _FEWEST:
        low, top = bootstrap_interval(told, truth, samples=_DRAWS)
        axes.vlines(place, low, top, color=MUTED, linewidth=1.2)
    _count(axes, len(points), (place, top))


def _count(axes: Axes, count: int, place: tuple[float, float]) -> None:
    axes.annotate(str(count), place, xytext=(0, 3), textcoords="offset points", ha="center", fontsize=9)


def cumulative(errors: Mapping[str, Sequence[float]], *, label: str) -> str:
    """Draws in which share of the cases the error is at most so many months.

    Args:
        errors: Absolute errors in months, by whose they are: the estimates', then a guess's.
        label: Says what is seen.
    """

    def draw(axes: Axes) -> None:
        for (name, values), (color, style) in zip(
            errors.items(), ((MALE, "-"), (MUTED, DASHED)), strict=False
        ):
            ordered = np.sort(np.asarray(values, float))
            shares = 100 * np.arange(1, len(ordered) + 1) / len(ordered)
            axes.step([0, *ordered], [0, *shares], where="post", color=color, linestyle=style, label=name)
        ends = (0, _TOLD_MONTHS)
        axes.set(xlim=ends, ylim=(0, 100), xlabel="off by at most (months)", ylabel="cases (%)")
        month_ticks(axes.xaxis, ends, 1)
        legend(axes)

    return svg(draw, label, height=_TALL)


def intervals(rows: Sequence[Interval], *, label: str) -> str:
    """Draws the interval of each case in the order of the estimates, and whether the reference lies in it."""

    def draw(axes: Axes) -> None:
        shown = thinned(sorted(rows, key=lambda row: (row[1], row[0])), _MOST_INTERVALS)
        for name, color, wanted in (("inside", GOOD, True), ("outside", BAD, False)):
            at = [(x, row) for x, row in enumerate(shown) if _holds(row) == wanted]
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
        month_ticks(axes.yaxis, axes.get_ylim())
        legend(axes)

    return svg(draw, label, height=_TALL)


def coverage(rows: Sequence[Interval], *, label: str, level: float | None = None) -> str:
    """Draws the share of references that lie in their interval, by reference age, with the share's interval.

    Args:
        rows: Of each case.
        label: Says what is seen.
        level: The share that the intervals are made for.
    """

    def draw(axes: Axes) -> None:
        for group, members in _by_age(rows).items():
            held, count, place = sum(map(_holds, members)), len(members), (group + 0.5) * _GROUP_MONTHS
            low, high = share_interval(held, count)
            axes.vlines(place, 100 * low, 100 * high, color=MALE, linewidth=1.5)
            axes.plot(place, 100 * held / count, "o", color=MALE, markersize=6, clip_on=False)
            _count(axes, count, (place, 101))
        if level is not None:
            axes.axhline(100 * level, color=BAD, linewidth=1, linestyle=DASHED)
        _age_axis(axes, [row[0] for row in rows])
        axes.set(ylim=(0, 106), ylabel="reference in its interval (%)", yticks=range(0, 101, 20))

    return svg(draw, label, height=_TALL)


def _holds(row: Interval) -> bool:
    return bool(row[2] <= row[0] <= row[3])


def histogram(values: Sequence[float], *, label: str, wanted: float | None = None) -> str:
    """Draws how many masks reach which Jaccard index; a line where it should be at least."""

    def draw(axes: Axes) -> None:
        least = max(0.0, min([*values, wanted or 1.0]) - 0.02)
        step = next(step for step in (0.005, 0.01, 0.02, 0.05) if (1 - least) / step <= 30 or step == 0.05)
        edges = 1 - step * np.arange(int(np.ceil((1 - least) / step)) + 1)[::-1]
        axes.hist(values, bins=edges.tolist(), color=MALE, alpha=0.75, rwidth=0.9)
        if wanted is not None:
            axes.axvline(wanted, color=BAD, linewidth=1, linestyle=DASHED)
        axes.set(xlim=(edges[0], 1), xlabel="Jaccard index", ylabel="masks")
        axes.yaxis.set_major_locator(whole_numbers())

    return svg(draw, label)


def _scatter(axes: Axes, points: Sequence[Point]) -> None:
    thin = thinned(points, _MOST_POINTS)
    size = 22 if len(thin) < 300 else 12
    for male, name, color, marker in _SEXES:
        xy = [(x, y) for x, y, sex in thin if sex is male]
        if xy:
            x, y = np.array(xy, float).T
            axes.scatter(
                x, y, s=size, color=color, marker=marker, alpha=0.65, linewidths=0, label=name, clip_on=False
            )
    legend(axes)
