"""From a radiograph to an answer, with the model of the small run."""

import csv
import html
import json
import subprocess
import sys

import numpy as np
import pytest

from boneage_cli.errors import CallError
from boneage_cli.predictor import Predictor
from boneage_imaging.codec import decode, encode_png

from .conftest import boneage

COLUMNS = ["id", "age_months", "lower", "upper", "status", "reason"]


@pytest.fixture(scope="session")
def predictor(run_folder):
    return Predictor(run_folder)


@pytest.fixture(scope="session")
def hand(phantoms, predictor):
    """The bytes of a phantom that the small run's weak network finds a hand in."""
    for path in sorted((phantoms / "images").iterdir()):
        if predictor.predict(path.read_bytes(), sex="F").answered:
            return path.read_bytes()
    raise AssertionError("the small run's model finds no hand in any phantom")


def test_an_answer_lies_within_its_interval(predictor, hand):
    answer = predictor.predict(hand, sex="F", case_id="x")
    assert answer.id == "x"
    assert 0 <= answer.lower <= answer.age_months <= answer.upper <= 228


def test_a_sex_that_is_not_given_is_said_and_never_narrows_the_interval(predictor, hand):
    known, unknown = predictor.predict(hand, sex="F"), predictor.predict(hand)
    assert unknown.status == "warning"
    assert "sex not given" in unknown.reason
    assert "sex" not in known.reason
    cut = unknown.lower == 0 or unknown.upper == 228
    assert cut or unknown.upper - unknown.lower >= known.upper - known.lower


def test_the_depth_of_the_file_does_not_matter(predictor, hand):
    deep = encode_png(decode(hand).astype(np.uint16) * 257)
    assert predictor.predict(hand, sex="M") == predictor.predict(deep, sex="M")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        encode_png(np.zeros((200, 200), np.uint8)),
        encode_png(np.full((4, 4), 9, np.uint8)),
    ],
    ids=["empty", "text", "blank", "tiny"],
)
def test_what_is_no_hand_is_refused_with_a_reason(predictor, data):
    answer = predictor.predict(data, sex="F")
    assert (answer.age_months, answer.lower, answer.upper) == (None, None, None)
    assert answer.status == "refused"
    assert answer.reason


def test_a_sex_that_is_none_is_refused(predictor, hand):
    with pytest.raises(ValueError, match="'X'"):
        predictor.predict(hand, sex="X")


def test_a_folder_without_a_model_is_a_wrong_call(tmp_path):
    with pytest.raises(CallError, match="holds no model"):
        Predictor(tmp_path)


def test_the_command_answers_good_files_and_sets_bad_ones_aside(run_folder, phantoms, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    out = tmp_path / "ages.csv"
    done = boneage(
        "predict",
        phantoms / "images",
        tmp_path / "bad.png",
        tmp_path / "none.png",
        "--model",
        run_folder,
        "--out",
        out,
        "--json",
    )
    assert done.code == 0, done.err
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    assert len(rows) == 26
    assert [row["status"] for row in rows[-2:]] == ["refused", "refused"]
    told = json.loads(done.out)
    assert told["notice"] == "Not a medical device."
    assert [answer["id"] for answer in told["answers"]] == [row["id"] for row in rows]


def test_the_page_holds_every_case_with_its_pictures(run_folder, phantoms, tmp_path):
    (tmp_path / "<b>bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    page = tmp_path / "pages" / "answers.html"
    done = boneage(
        "predict",
        phantoms / "images",
        tmp_path / "<b>bad.png",
        "--model",
        run_folder,
        "--report",
        page,
        "--json",
    )
    assert done.code == 0, done.err
    assert str(page) in done.err
    text, answers = page.read_text(encoding="utf-8"), json.loads(done.out)["answers"]
    for answer in answers:
        assert html.escape(answer["id"]) in text
        if answer["age_months"] is not None:
            assert f"{answer['age_months']:.1f} <small>months" in text
            assert f"{answer['lower']:.1f} to {answer['upper']:.1f} months" in text
    assert "<b>bad" not in text
    assert text.count('class="answer"') == len(answers) == 25
    assert text.count("radiograph, hand as found</figcaption>") == 24
    assert "not given; none was assumed" in text
    assert "Not a medical device." in text
    digest = json.loads((run_folder / "train-regression" / "model" / "model.json").read_bytes())["digest"]
    assert digest[:16] in text


def test_the_page_tells_the_sex_that_was_given(run_folder, phantoms, tmp_path):
    image = min((phantoms / "images").iterdir())
    page = tmp_path / "one.html"
    boneage("predict", image, "--sex", "M", "--model", run_folder, "--report", page)
    text = page.read_text(encoding="utf-8")
    assert "<dt>sex used</dt><dd>boy</dd>" in text
    assert f"<h1>Bone age of {image.stem}</h1>" in text


def test_what_the_answers_rest_on_is_drawn_on_demand(run_folder, phantoms, tmp_path):
    maps, image = tmp_path / "maps", min((phantoms / "images").iterdir())
    done = boneage("predict", phantoms / "images", "--model", run_folder, "--saliency", maps, "--json")
    assert done.code == 0, done.err
    assert str(maps) in done.err
    answered = {a["id"] for a in json.loads(done.out)["answers"] if a["age_months"] is not None}
    assert {path.name for path in maps.iterdir()} == {f"{case_id}.png" for case_id in answered} | {
        "saliency.csv"
    }
    before = image.read_bytes()
    wrong = boneage("predict", image, "--model", run_folder, "--saliency", image.parent)
    assert wrong.code == 2
    assert "--saliency" in wrong.err
    assert image.read_bytes() == before


def test_a_page_that_is_no_html_file_is_a_wrong_call(phantoms):
    image = min((phantoms / "images").iterdir())
    before = image.read_bytes()
    done = boneage("predict", image, "--report", image)
    assert done.code == 2
    assert ".html" in done.err
    assert image.read_bytes() == before


def test_nothing_answered_is_exit_code_1(run_folder, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"nothing")
    assert boneage("predict", tmp_path / "bad.png", "--model", run_folder).code == 1


def test_predicting_imports_no_tensorflow(run_folder, phantoms):
    code = (
        "import sys; from boneage_cli.main import app\n"
        "try: app(sys.argv[1:])\n"
        "finally: print([m for m in ('tensorflow', 'keras', 'pyspark', 'matplotlib') if m in sys.modules])"
    )
    image = next(iter(sorted((phantoms / "images").iterdir())))
    command = [sys.executable, "-c", code, "predict", str(image), "--sex", "F", "--model", str(run_folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.rstrip().endswith("[]"), done.stdout + done.stderr


def test_the_shipped_models_answer_or_refuse_without_being_told_a_model(phantoms, tmp_path):
    done = boneage("predict", phantoms / "images", "--sex", "F", "--out", tmp_path / "ages.csv")
    assert done.code == 0, done.err
    segmented = boneage("segment", phantoms / "images", tmp_path / "segmented")
    assert segmented.code == 0, segmented.err
    assert len(list((tmp_path / "segmented" / "masks").iterdir())) == 24
