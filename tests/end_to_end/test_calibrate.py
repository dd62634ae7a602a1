"""From a clinic's folder to a model of its own, by the command."""

import json

from .conftest import boneage


def test_a_calibrated_model_predicts(phantoms, tmp_path):
    call = ("calibrate", phantoms / "images", phantoms / "labels.csv", "--out", tmp_path / "model")
    done = boneage(*call, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["cases"] + len(found["left_out"]) == 24
    assert found["recalibration"]["with_sex"]["cases"] == found["cases"]
    answers = [
        json.loads(boneage("predict", phantoms / "images", "--sex", "F", "--json", *model).out)["answers"]
        for model in ((), ("--model", tmp_path / "model"))
    ]
    for plain, fitted in zip(*answers, strict=True):
        assert (plain["id"], plain["status"]) == (fitted["id"], fitted["status"])
        if fitted["age_months"] is not None:
            assert 0 <= fitted["lower"] <= fitted["age_months"] <= fitted["upper"] <= 228


def test_too_few_cases_are_exit_code_1(phantoms, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("".join((phantoms / "labels.csv").read_text().splitlines(keepends=True)[:6]))
    done = boneage("calibrate", phantoms / "images", labels, "--out", tmp_path / "model")
    assert (done.code, done.out) == (1, "")
    assert "received 5 radiographs" in done.err
    assert not (tmp_path / "model").exists()
