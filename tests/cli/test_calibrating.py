"""The shipped model fitted to drawn hands whose labels are what it tells itself, distorted."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from boneage_cli.calibrating import calibrate_model
from boneage_cli.errors import CallError, DataError
from boneage_cli.labels import write_table
from boneage_cli.model_cards import model_card
from boneage_cli.models import find_regression, find_shipped_segmentation
from boneage_cli.predictor import Predictor
from boneage_imaging.codec import encode_png
from boneage_regression.errors import ModelError

from .picture_folders import contents, draw

COUNT = 22


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("clinic") / "phantoms"
    assert draw(out, COUNT).done == COUNT
    return out / "images"


@pytest.fixture(scope="module")
def told(images) -> dict[str, dict[str | None, float]]:
    """What the shipped model tells of each hand: as a girl's, as a boy's, and without the sex."""
    predictor = Predictor()
    return {
        path.stem: {sex: predictor.predict(path.read_bytes(), sex=sex).age_months for sex in ("F", "M", None)}
        for path in sorted(images.iterdir())
    }


def truth_of(age: float, sex: str) -> float:
    return 0.8 * age + (40 if sex == "M" else 10)


@pytest.fixture
def labels(told, tmp_path) -> Path:
    """Every other hand is a boy's."""
    noise = np.random.default_rng(0).normal(0, 3, COUNT)
    rows = [
        (case_id, round(truth_of(ages["FM"[index % 2]], "FM"[index % 2]) + noise[index], 1), "FM"[index % 2])
        for index, (case_id, ages) in enumerate(told.items())
    ]
    write_table(tmp_path / "labels.csv", ("id", "boneage", "sex"), rows)
    return tmp_path / "labels.csv"


def calibrate(images: Path, labels: Path, out: Path, model: Path | None = None):
    return calibrate_model(images, labels, out, model=model, quiet=True)


def test_the_new_model_tells_what_the_clinic_reads(images, told, labels, tmp_path):
    found, lines = calibrate(images, labels, tmp_path / "model")
    with_sex = found["recalibration"]["with_sex"]
    assert (found["cases"], with_sex["used"]) == (COUNT, "per sex")
    assert with_sex["mad_used_months"] < 0.5 * with_sex["mad_months"]
    predictor, off = Predictor(tmp_path / "model"), []
    for index, path in enumerate(sorted(images.iterdir())):
        sex = "FM"[index % 2]
        answer = predictor.predict(path.read_bytes(), sex=sex)
        off.append(answer.age_months - truth_of(told[path.stem][sex], sex))
    assert np.mean(np.abs(off)) < 5
    facts = model_card(tmp_path / "model")["facts"]
    assert facts["calibrated"].startswith(f"on {COUNT} cases of a clinic; correction with the sex: per sex, ")
    text = "\n".join(lines)
    assert f"{COUNT} cases used, 0 left out\n" in text
    assert f"{with_sex['mad_used_months']:.1f} corrected (cross-validated)" in text
    assert "  sex F: 0." in text
    assert "  sex M: 0." in text
    assert "the model's own are kept" in text
    assert "90 % intervals without the sex: mean width " in text
    assert lines[-1] == "Not a medical device."
    json.dumps(found, allow_nan=False)


def test_where_the_model_is_right_no_correction_is_used(images, told, tmp_path):
    noise = np.random.default_rng(1).normal(0, 12, COUNT)
    rows = [(case_id, max(ages["F"] + noise[i], 0), "F") for i, (case_id, ages) in enumerate(told.items())]
    write_table(tmp_path / "labels.csv", ("id", "boneage", "sex"), rows)
    found, lines = calibrate(images, tmp_path / "labels.csv", tmp_path / "model")
    assert found["recalibration"]["with_sex"]["used"] == "none"
    assert "no correction: the best that was tried gives" in "\n".join(lines)
    path = min(images.iterdir())
    answer = Predictor(tmp_path / "model").predict(path.read_bytes(), sex="F")
    assert answer.age_months == told[path.stem]["F"]


def test_an_earlier_calibration_is_not_built_upon(images, labels, tmp_path):
    model = tmp_path / "model"
    first, _ = calibrate(images, labels, model)
    again, _ = calibrate(images, labels, model, model)
    assert again["recalibration"] == first["recalibration"]
    assert again["width_months"] == first["width_months"]


def test_without_any_sex_the_answers_with_it_stay(images, labels, tmp_path):
    labels.write_text(labels.read_text().replace(",F\n", ",\n").replace(",M\n", ",\n"))
    found, lines = calibrate(images, labels, tmp_path / "model")
    assert found["recalibration"]["female"] == {"offset_months": 0.0, "slope": 1.0}
    assert found["width_months"]["with_sex"] == {"before": None, "after": None}
    assert "with the sex: no case, so no correction" in lines


def test_what_has_no_answer_or_no_label_is_counted_with_its_reason(images, labels, tmp_path):
    folder = shutil.copytree(images, tmp_path / "images")
    (folder / "blank.png").write_bytes(encode_png(np.full((200, 160), 9, np.uint8)))
    (folder / "text.png").write_bytes(b"no picture")
    (folder / "twin.png").write_bytes(min(images.iterdir()).read_bytes())
    (folder / "twin.jpg").write_bytes(b"")
    (folder / "unlabelled.png").write_bytes(b"")
    with labels.open("a") as table:
        table.write("blank,100,F\ntext,100,\ntwin,100,M\nabsent,100,M\nunlabelled,,M\n")
    found, lines = calibrate(folder, labels, tmp_path / "model")
    assert (found["cases"], found["without_label"], found["without_radiograph"]) == (COUNT, 1, 1)
    reasons = {row["name"]: row["reason"] for row in found["left_out"]}
    assert list(reasons) == ["blank.png", "text.png", "twin.jpg", "twin.png"]
    assert reasons["twin.png"] == "2 files are named 'twin'; one of them would do"
    assert all(f"left out {name}: {reason}" in lines for name, reason in reasons.items())
    assert lines[0] == f"{COUNT} cases used, 4 left out, 1 without an age, 1 without a radiograph"


def test_the_segmentation_of_a_model_comes_along(images, labels, tmp_path):
    model = shutil.copytree(find_regression(None), tmp_path / "own")
    shutil.copytree(find_shipped_segmentation(), model / "segmentation")
    calibrate(images, labels, tmp_path / "model", model)
    predictor = Predictor(tmp_path / "model")
    assert predictor.segmentation_folder == tmp_path / "model" / "segmentation"
    assert contents(predictor.segmentation_folder) == contents(find_shipped_segmentation())


def test_too_few_cases_are_told_with_a_reason(images, labels, tmp_path):
    few, rows = tmp_path / "few.csv", labels.read_text().splitlines(keepends=True)
    few.write_text("".join(rows[:20]))
    with pytest.raises(DataError, match=r"received 19 radiographs .* 20 at least would do$"):
        calibrate(images, few, tmp_path / "model")
    few.write_text("".join([*rows[:20], "text,100,F\n"]))
    folder = shutil.copytree(images, tmp_path / "images")
    (folder / "text.png").write_bytes(b"no picture")
    with pytest.raises(
        DataError, match=r"received 19 labelled radiographs .* left out text\.png: this is no"
    ):
        calibrate(folder, few, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_nothing_is_written_over_what_is_no_model_nor_from_a_damaged_one(images, labels, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(CallError, match="is no model folder"):
        calibrate(images, labels, tmp_path / "mine")
    damaged = shutil.copytree(find_regression(None), tmp_path / "damaged")
    (damaged / "model.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match="digest"):
        calibrate(images, labels, tmp_path / "model", damaged)
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "damaged", "labels.csv"}
