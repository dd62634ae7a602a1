"""The page of a prediction needs no extra: jinja2 and the shipped models make it."""

import re
from pathlib import Path

import numpy as np
import pytest

from boneage_cli.model_cards import model_card
from boneage_cli.prediction_page import write_page
from boneage_cli.predictor import Predictor, predict_files
from boneage_imaging.codec import encode_png
from boneage_imaging.phantom import draw_case


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two hands, a blank picture, and something that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(2):
        image = draw_case(3, index, size=(200, 160)).image
        (folder / f"hand-{index}.png").write_bytes(encode_png(image))
    (folder / "blank.png").write_bytes(encode_png(np.full((200, 160), 9, np.uint8)))
    (folder / "<i>cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def written(folder, page):
    answers = predict_files([folder], model=None, sex=None, cases=None, report=page)
    return {answer.id: answer for answer in answers}, page.read_text(encoding="utf-8")


def articles(text):
    return text.split('<article class="answer"')[1:]


def test_each_radiograph_shows_as_much_as_there_is(folder, tmp_path):
    answers, text = written(folder, tmp_path / "page.html")
    assert list(answers) == ["<i>cut", "blank", "hand-0", "hand-1"]
    cut, blank, hand, _ = articles(text)
    assert "<img" not in cut
    assert "no age" in cut
    assert "&lt;i&gt;cut" in cut
    assert blank.count("<img") == 1
    assert "orange" not in blank
    assert "refused because" in blank
    assert hand.count("<img") == 4  # radiograph, prepared hand, what the answer rests on, the colours of that
    assert "what the answer rests on</figcaption>" in hand
    assert "not where the hand is mature or ill" in hand
    assert re.search(r"<span>\N{MINUS SIGN}([\d.]+)</span><span>0</span><span>\+\1 months</span>", hand)
    assert 'class="found"' in hand
    assert f"{answers['hand-0'].age_months:.1f} <small>months" in hand
    assert "not given; none was assumed" in hand
    assert 'class="axis"' in hand


def test_the_page_needs_nothing_beside_it(folder, tmp_path):
    _, text = written(folder, tmp_path / "page.html")
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert text.count("Not a medical device") >= 2


def test_the_models_are_told_in_short(folder, tmp_path):
    _, text = written(folder, tmp_path / "page.html")
    predictor = Predictor()
    for place in (predictor.folder, predictor.segmentation_folder):
        card = model_card(place)
        assert card["digest"][:16] in text
        assert card["facts"]["input"] in text
        assert card["remarks"]
        assert "CC BY-NC" in card["licence"]


def test_of_very_many_the_first_have_pictures(folder, tmp_path):
    predictor, page = Predictor(), tmp_path / "page.html"
    examined = (predictor.examine(path.read_bytes(), case_id=path.stem) for path in sorted(folder.iterdir()))
    answers = write_page(page, predictor, examined, most_shown=3)
    text = page.read_text(encoding="utf-8")
    assert len(articles(text)) == 3
    assert "what the answer rests on" not in text  # nobody asked for it
    assert "The first 3 are shown" in text
    assert f"{answers[-1].age_months:.1f}</td>" in text


def test_without_a_report_nothing_is_written(folder, tmp_path):
    before = sorted(folder.iterdir())
    predict_files([folder], model=None, sex="F", cases=None)
    assert sorted(folder.iterdir()) == before
    assert not list(tmp_path.iterdir())
