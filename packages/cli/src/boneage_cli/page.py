"""How the pages are made: one template language, everything escaped, numbers in one form everywhere."""

from __future__ import annotations

from typing import Any

__all__ = ["render"]

_NONE, _MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
_YEAR = 12
AXIS_END_MONTHS = 228
"""Where the axis of ages ends: no estimate is above."""


def render(template: str, facts: dict[str, Any]) -> str:
    """Fills a template of this package.

    What comes from outside (ids, reasons, paths) is escaped; our own SVG is marked as safe in the templates.

    Args:
        template: Its name.
        facts: What it shows; a fact that is not there is an error.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    page = Environment(
        loader=PackageLoader("boneage_cli", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {
        "months": _months,
        "years": _years,
        "signed": _signed,
        "scale": _scale,
        "share": _share,
        "index": _index,
        "sex": _sex,
        "duration": _duration,
        "on_axis": _on_axis,
        "capital": _capital,
    }
    return page.get_template(template).render(facts)


def _months(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f}"


def _years(value: float | None) -> str:
    """An age in whole years and months, as atlases write it."""
    if value is None:
        return _NONE
    years, months = divmod(round(value), _YEAR)
    return f"{years} y {months} mo"


def _signed(value: float | None) -> str:
    return _NONE if value is None else f"{value:+.1f}".replace("-", _MINUS)


def _scale(months: float) -> str:
    """The end of a scale, which is a plain number."""
    return f"{months:+g}".replace("-", _MINUS)


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.0f}\N{NO-BREAK SPACE}%"


def _index(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"


def _sex(male: bool | None) -> str:
    return {True: "boy", False: "girl", None: "sex unknown"}[male]


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return _NONE
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _on_axis(months: float) -> str:
    """Where an age lies on the axis of the template `macros.html`, which is 300 wide."""
    return f"{300 * min(max(months, 0.0), AXIS_END_MONTHS) / AXIS_END_MONTHS:.1f}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
