"""Counts, ranges and lists of names in words."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from boneage_cli.files import shown

__all__ = ["age_histogram", "counts", "first_lines", "histogram", "named", "spread"]

_NAMED = 5
_LINES = 20
_YEARS_IN_BIN = 2


def named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are.

    >>> named(["a", "b"]), named(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(shown(name) for name in names[:_NAMED]) + more


def first_lines(lines: Sequence[str]) -> list[str]:
    """The first twenty lines, and how many more there are.

    >>> first_lines(["a", "b"]), first_lines(["a"] * 30)[-1]
    (['a', 'b'], '... and 10 more; --json tells all')
    """
    more = len(lines) - _LINES
    return [*lines[:_LINES], *([f"... and {more} more; --json tells all"] if more > 0 else [])]


def spread(values: Sequence[float]) -> str:
    """Least, greatest and median of at least one value.

    >>> spread([3, 1, 2.5])
    '1 to 3, median 2.5'
    """
    return f"{min(values):g} to {max(values):g}, median {statistics.median(values):g}"


def counts(tally: Mapping[str, int]) -> str:
    """How many there are of each.

    >>> counts({"PNG": 3, "JPEG": 1})
    'PNG: 3, JPEG: 1'
    """
    return ", ".join(f"{name}: {count}" for name, count in tally.items())


def histogram(values: Iterable[float], edges: Sequence[int]) -> dict[str, int]:
    """Counts below the first edge, between neighbours, and from the last edge on.

    >>> histogram([5, 10, 19, 20], (10, 20))
    {'below 10': 1, '10 to 19': 2, 'from 20': 1}
    """
    names = [f"below {edges[0]}", *(f"{a} to {b - 1}" for a, b in itertools.pairwise(edges))]
    tally = dict.fromkeys([*names, f"from {edges[-1]}"], 0)
    for value in values:
        tally[list(tally)[sum(value >= edge for edge in edges)]] += 1
    return tally


def age_histogram(ages_months: Iterable[float]) -> dict[str, int]:
    """Counts of ages in steps of two years; empty steps are left out.

    >>> age_histogram([12.0, 23.9, 24.0, 130.0])
    {'0 to 2 years': 2, '2 to 4 years': 1, '10 to 12 years': 1}
    """
    years = Counter(int(age // (12 * _YEARS_IN_BIN)) * _YEARS_IN_BIN for age in ages_months)
    return {f"{year} to {year + _YEARS_IN_BIN} years": years[year] for year in sorted(years)}
