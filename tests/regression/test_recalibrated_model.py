"""A recalibrated model folder is a model folder like any other, and answers by its recalibration."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from boneage_regression.calibration import Calibration
from boneage_regression.correction import Correction
from boneage_regression.errors import ModelError
from boneage_regression.inference import NEAR_MATURITY, SEX_NOT_GIVEN, TOO_YOUNG, Regressor, default_model
from boneage_regression.model_folder import copy_model_folder, read_metadata
from boneage_regression.recalibration import Recalibration, Verdict

from .strategies import seeds

_SAID = Verdict(30, 12.0, "per sex", 10.0, ())
FITTED = Recalibration(
    Correction(5.0, 1.1),
    Correction(-40.0, 1.0),
    Correction(0.0, 1.9),
    _SAID,
    _SAID,
    Calibration(0.9, (), (11.0,), (17.0,), 30),
    False,
)
sexes = st.sampled_from(["F", "M", None])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "fitted"
    copy_model_folder(default_model(), folder, {"recalibration": FITTED.to_json()})
    return folder


@pytest.fixture(scope="module")
def shipped():
    return Regressor.load(default_model(), threads=1)


@pytest.fixture(scope="module")
def fitted(folder):
    return Regressor.load(folder, threads=1)


def _image(seed, size):
    rng = np.random.default_rng(seed)
    return rng.integers(0, rng.integers(2, 256), size).astype(np.uint8)


@given(seeds, sexes)
def test_ages_are_corrected_then_cut_and_have_the_new_interval(shipped, fitted, seed, sex):
    image = _image(seed, shipped.size)
    plain, found = shipped.predict(image, sex), fitted.predict(image, sex)
    assume(0 < plain.age_months < 228)  # not cut itself
    corrected = min(max(FITTED.correct(plain.age_months, sex), 0), 228)
    assert found.age_months == pytest.approx(corrected, abs=1e-3)
    assert (found.lower, found.upper) == FITTED.calibration.interval(
        found.age_months, sex_known=sex is not None
    )
    assert (SEX_NOT_GIVEN in found.reason) == (sex is None)
    assert (TOO_YOUNG in found.reason) == (found.age_months < 24)  # what is doubted is the corrected age
    assert (NEAR_MATURITY in found.reason) == (found.age_months >= 204)
    assert found.status == ("warning" if found.reason else "ok")
    assert fitted.uncorrected().predict(image, sex) == plain


def test_the_copy_differs_in_what_was_changed_alone(folder):
    before, after = read_metadata(default_model()), read_metadata(folder)
    assert after.pop("recalibration") == json.loads(json.dumps(FITTED.to_json()))
    assert after["files"]["model.onnx"] == before["files"]["model.onnx"]
    assert {**after, "files": 0, "digest": 0} == {**before, "files": 0, "digest": 0}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_all_that_lies_in_a_folder_comes_along_but_what_was_there(folder, tmp_path):
    source, target = shutil.copytree(folder, tmp_path / "source"), tmp_path / "target"
    for place in (source, target):
        (place / "segmentation").mkdir(parents=True)
    (source / "segmentation" / "model.json").write_text("{}")
    (target / "segmentation" / "old").write_text("")
    copy_model_folder(source, target, {})
    assert {path.relative_to(target).as_posix() for path in target.rglob("*")} == {
        path.relative_to(source).as_posix() for path in source.rglob("*")
    }
    assert (target / "segmentation" / "model.json").read_text() == "{}"


def test_a_folder_can_take_its_own_place(folder, tmp_path):
    own = shutil.copytree(folder, tmp_path / "own")
    copy_model_folder(own, own, {"note": "new"})
    assert Regressor.load(own).metadata["note"] == "new"


@pytest.mark.parametrize("harm", ["changed", "missing"])
def test_a_damaged_folder_is_not_copied_and_nothing_is_left(folder, tmp_path, harm):
    source = shutil.copytree(folder, tmp_path / "source")
    if harm == "missing":
        (source / "model.onnx").unlink()
    else:
        (source / "model.onnx").write_bytes(b"another")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        copy_model_folder(source, tmp_path / "target", {})
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_recalibration_that_is_none_is_no_model(folder, tmp_path):
    copy_model_folder(folder, tmp_path / "bad", {"recalibration": {"female": 3}})
    with pytest.raises(ModelError, match="not a recalibration"):
        Regressor.load(tmp_path / "bad")
