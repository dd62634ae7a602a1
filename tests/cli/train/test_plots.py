"""Plots are SVG in the page's own colours, also of very few and of very many cases."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from boneage_cli import plots
from boneage_cli.drawing import PLACEHOLDERS
from boneage_cli.training_plots import curves

POINTS = [(12.0, 30.0, True), (100.0, 90.0, False), (200.0, 210.0, None)]
MANY = [(float(i % 228), float(i * 7 % 228), i % 2 == 0) for i in range(9000)]
HISTORY = [{"epoch": 1, "loss": 2.0, "val_loss": 2.5}, {"epoch": 2, "loss": 0.01, "val_loss": None}]
DRAWN = {
    "agreement": lambda points: plots.agreement(points, label='a "label" & <more>'),
    "differences": lambda points: plots.differences(points, label="d"),
    "error_by_age": lambda points: plots.error_by_age(points, label="e"),
    "cumulative": lambda points: plots.cumulative(
        {"this run": [abs(t - a) for t, a, _ in points], "guess": [abs(t - 100) for t, *_ in points]},
        label="k",
    ),
    "coverage": lambda points: plots.coverage(
        [(t, a, a - 20, a + 20) for t, a, _ in points], label="v", level=0.9
    ),
    "intervals": lambda points: plots.intervals([(t, a, a - 20, a + 20) for t, a, _ in points], label="i"),
    "histogram": lambda points: plots.histogram([t / 228 for t, _, _ in points], label="h", wanted=0.9),
    "curves": lambda _: curves({"loss": [HISTORY], "val_loss": [HISTORY]}, label="c", ylabel="loss"),
}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("points", [POINTS[:1], POINTS, MANY], ids=["one", "three", "many"])
def test_a_plot_is_one_svg_element_in_the_colours_of_the_page(name, points):
    text = DRAWN[name](points)
    element = ElementTree.fromstring(text)  # noqa: S314
    assert element.tag.endswith("svg")
    assert element.get("role") == "img"
    assert element.get("aria-label")
    assert "var(--" in text
    assert not any(color in text for color in PLACEHOLDERS)
    assert "DejaVu" not in text
    assert len(text) < 400_000


def test_the_same_cases_give_the_same_plot():
    assert DRAWN["agreement"](POINTS) == DRAWN["agreement"](POINTS)


def test_names_inside_two_plots_of_one_page_differ():
    one, other = (plots.agreement(POINTS, label=label) for label in ("test", "training"))
    names = [set(re.findall(r'id="([^"]+)"', text)) for text in (one, other)]
    assert names[0]
    assert names[0].isdisjoint(names[1])


def test_a_perfect_histogram_can_be_drawn():
    assert "<svg" in plots.histogram([1.0, 1.0, 1.0], label="h")
