"""The pages as a reader has them: in a browser, on a desk and on a phone, in light and in dark."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..servers.browser import open_browser
from .conftest import boneage

PHONE, DESK = 390, 1280
LEAST_CONTRAST = 4.5  # WCAG 2.2, level AA
LEAST_FONT = 12.0  # CSS pixels
LEAST_FONT_IN_PLOTS = 9.0

BROKEN = """[...document.images].filter(image => !(image.complete && image.naturalWidth > 0)).map(image => image.alt)"""
# Every text that can be seen, with its colour, the colour behind it, and its size on the screen.
TEXTS = """(() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const box = range.getBoundingClientRect();
    if (!walker.currentNode.data.trim() || !box.width || element.closest('style')) continue;
    const style = getComputedStyle(element), drawing = element.closest('svg');
    const scale = drawing ? element.getScreenCTM().a : 1;
    const turned = drawing ? Math.hypot(element.getScreenCTM().a, element.getScreenCTM().b) : scale;
    found.push({
      text: walker.currentNode.data.trim().slice(0, 40),
      ink: parse(drawing ? style.fill : style.color),
      paper: behind(element),
      size: parseFloat(style.fontSize) * turned,
      drawn: Boolean(drawing),
      right: box.right,
    });
  }
  return found;
})()"""


@pytest.fixture(scope="module")
def browser():
    with open_browser() as page:
        yield page


@pytest.fixture(scope="module")
def prediction_page(run_folder, phantoms, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prediction")
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    page = folder / "answers.html"
    done = boneage(
        "predict", phantoms / "images", folder / "bad.png", "--model", run_folder, "--report", page
    )
    assert done.code == 0, done.err
    return page


@pytest.fixture(scope="module", params=["report", "prediction"])
def page_file(request, run_folder) -> Path:
    if request.param == "report":
        return run_folder / "report" / "report.html"
    return request.getfixturevalue("prediction_page")


def luminance(color):
    shares = [value / 255 for value in color[:3]]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def pale(texts):
    return [text for text in texts if contrast(text["ink"], text["paper"]) < LEAST_CONTRAST]


def small(texts):
    return [text for text in texts if text["size"] < (LEAST_FONT_IN_PLOTS if text["drawn"] else LEAST_FONT)]


def foreign(requests, path):
    return [url for url in requests if url != path.resolve().as_uri() and not url.startswith("data:")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_page_is_whole_and_can_be_read(browser, page_file, width, scheme):
    browser.open(page_file, width=width, scheme=scheme)
    assert browser.complaints() == []
    assert foreign(browser.requests(), page_file) == []
    assert browser.evaluate("document.images.length") > 20
    assert browser.evaluate(BROKEN) == []
    browser.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    texts = browser.evaluate(TEXTS)
    assert len(texts) > 100
    assert pale(texts) == []
    assert small(texts) == []
    assert browser.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_paper_follows_what_the_reader_prefers(browser, page_file, scheme):
    browser.open(page_file, width=DESK, scheme=scheme)
    papers = [luminance(text["paper"]) for text in browser.evaluate(TEXTS)]
    assert max(papers) < 0.1 if scheme == "dark" else min(papers) > 0.7


def test_what_came_out_stands_first(browser, run_folder):
    browser.open(run_folder / "report" / "report.html", width=PHONE)
    first = browser.evaluate("document.querySelector('.lede').getBoundingClientRect().bottom")
    assert first < 844  # the height of such a phone
    assert "months" in browser.evaluate("document.querySelector('.lede').innerText")


LARGEST = "Math.max(...[...document.images].map(image => image.getBoundingClientRect().height))"


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_picture_that_is_selected_is_shown_large_and_small_again(browser, page_file, width):
    browser.open(page_file, width=width)
    small, length = browser.evaluate(LARGEST), browser.evaluate("document.body.scrollHeight")
    browser.evaluate("document.querySelector('.picture').scrollIntoView({block: 'center'})")
    x, y = browser.evaluate(
        "(box => [box.x + box.width / 2, box.y + box.height / 2])"
        "(document.querySelector('.picture').getBoundingClientRect())"
    )
    browser.click(x, y)
    assert browser.evaluate(LARGEST) > 2 * small
    assert browser.evaluate("document.body.scrollHeight") == length
    browser.click(x, y)
    assert browser.evaluate(LARGEST) == small


BAD = """<!DOCTYPE html><meta name="viewport" content="width=device-width"><body style="background: #fff">
<p style="color: #aaa">pale</p><p style="font-size: 9px">small</p><div style="width: 900px">wide</div>
<img alt="gone" src="data:image/png;base64,AAAA"><img src="http://localhost:9/x.png">
<svg viewBox="0 0 100 20" width="100"><text y="9" style="font-size: 5px; fill: #ffff00">drawn</text></svg>
<script>console.error("wrong")</script>"""


def test_a_bad_page_is_seen_to_be_bad(browser, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(BAD)
    browser.open(path, width=PHONE)
    texts = browser.evaluate(TEXTS)
    assert any("wrong" in complaint for complaint in browser.complaints())
    assert foreign(browser.requests(), path) == ["http://localhost:9/x.png"]
    assert "gone" in browser.evaluate(BROKEN)
    assert browser.evaluate("document.documentElement.scrollWidth") > PHONE
    assert [text["text"] for text in pale(texts)] == ["pale", "drawn"]
    assert [text["text"] for text in small(texts)] == ["small", "drawn"]


def descendants(process_id):
    children = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _parent(entry) == process_id
    ]
    return [*children, *(below for child in children for below in descendants(child))]


def _parent(entry):
    facts = _facts(entry)
    return int(facts[1]) if facts else None


def _facts(entry):
    """What the system tells of a process after its name: its state, its parent; nothing where it is gone."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def runs(number):
    facts = _facts(Path(f"/proc/{number}"))
    return bool(facts) and facts[0] not in "ZX"  # what has ended may wait for its parent to ask


def gone(numbers):
    until = time.monotonic() + 10
    while any(map(runs, numbers)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(runs, numbers))


def test_no_browser_is_left_over():
    before = set(descendants(os.getpid()))
    with open_browser() as page:
        page.evaluate("1 + 1")
        started = set(descendants(os.getpid())) - before
        assert any(map(runs, started))  # not each: a browser starts helpers that end by themselves
    assert gone(started)


HOLD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from tests.servers.browser import open_browser
with open_browser() as page:
    page.evaluate("1 + 1")
    print("open", flush=True)
    time.sleep(600)
"""


def test_no_browser_outlives_its_starter(tmp_path):
    command = (sys.executable, "-c", HOLD, str(Path(__file__).parents[2]))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # where the profile is left
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as starter:
        assert starter.stdout.readline() == "open\n"
        started = descendants(starter.pid)
        assert started
        starter.kill()
    assert gone(started)
