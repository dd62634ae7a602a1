import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boneage_regression.errors import ModelError, RecipeError, RegressionError
from boneage_regression.exporting import export, initial_weights
from boneage_regression.inference import NEAR_MATURITY, TOO_YOUNG, Regressor
from boneage_regression.training import predict_ages

from ..strategies import seeds
from .conftest import SIZE

sexes = st.sampled_from(["F", "M", None])


@pytest.fixture(scope="module")
def regressor(model_folder):
    return Regressor.load(model_folder, threads=1)


def _image(seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, rng.integers(2, 80), SIZE).astype(np.uint8)


def _copy(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "copy")


def test_the_graph_tells_the_mean_of_the_networks(regressor, networks, recipes):
    sexes = [(None, "M", "F")[seed % 3] for seed in range(30)]
    rows = [
        {"case_id": str(seed), "input": _image(seed), "male": None if sex is None else sex == "M"}
        for seed, sex in enumerate(sexes)
    ]
    expected = np.mean(
        [predict_ages(network, recipe, rows) for network, recipe in zip(networks, recipes, strict=True)],
        axis=0,
    )
    told = [regressor.predict(row["input"], sex).age_months for row, sex in zip(rows, sexes, strict=True)]
    assert np.mean((expected > 0) & (expected < 228)) > 0.5
    assert told == pytest.approx(np.clip(expected, 0, 228), abs=0.01)


@given(seeds, sexes)
def test_the_interval_holds_the_age_and_the_side_of_the_hand_does_not_matter(regressor, seed, sex):
    said = regressor.predict(_image(seed), sex)
    assert 0 <= said.lower <= said.age_months <= said.upper <= 228
    mirrored = regressor.predict(np.ascontiguousarray(_image(seed)[:, ::-1]), sex)
    assert mirrored.age_months == pytest.approx(said.age_months, abs=1e-3)


def test_without_the_sex_it_answers_wider_and_says_so(regressor):
    known, unknown = regressor.predict(_image(0), "F"), regressor.predict(_image(0), None)
    assert (known.status, known.reason) == ("ok", "")
    assert (unknown.status, unknown.reason) == ("warning", "sex not given")
    assert unknown.upper - unknown.lower > known.upper - known.lower


@pytest.mark.parametrize(
    ("told_months", "reason"),
    [(23.9, TOO_YOUNG), (24.1, ""), (203.9, ""), (204.1, NEAR_MATURITY), (300.0, NEAR_MATURITY)],
)
def test_ages_at_the_ends_of_what_was_tested_come_with_a_warning(
    tmp_path, recipes, calibration, told_months, reason
):
    zero = dataclasses.replace(recipes[0]).build_model()
    zero.set_weights([0 * weight for weight in zero.get_weights()])
    recipe = dataclasses.replace(recipes[0], mean_months=told_months)
    export([zero], recipe, tmp_path / "m", preprocessing={}, calibration=calibration, summary={})
    model = Regressor.load(tmp_path / "m")
    said = model.predict(_image(0), "F")
    assert said.age_months == pytest.approx(min(told_months, 228), abs=0.01)
    assert (said.status, said.reason) == ("warning" if reason else "ok", reason)
    assert model.predict(_image(0), None).reason == "; ".join(filter(None, ("sex not given", reason)))


@pytest.mark.parametrize("image", [np.zeros((8, 8), np.uint8), np.zeros(SIZE, np.float32), "hand.png"])
def test_another_image_is_refused(regressor, image):
    with pytest.raises(RegressionError, match=r"uint8 of shape \(48, 32\)"):
        regressor.predict(image, "F")


def test_another_sex_is_refused(regressor):
    with pytest.raises(RegressionError, match="Received: 'female'"):
        regressor.predict(_image(0), "female")


def test_the_folder_describes_itself(regressor, model_folder):
    said = regressor.metadata
    assert said["preprocessing"] == {"prepare": {"clahe": True, "tiles": [8, 8]}}
    assert said["target_scaling"] == [
        {"mean_months": 100.0, "spread_months": 40.0},
        {"mean_months": 120.0, "spread_months": 30.0},
    ]
    assert (said["input_size"], said["architecture"], said["networks"]) == ([48, 32], "report", 2)
    assert (said["summary"], said["licence"]) == ({"cases": 12}, "CC BY-NC 4.0")
    assert said["reference_standard"] == "Greulich-Pyle readings, one reader"
    assert said["calibration"]["level"] == 0.9
    assert {"keras", "tensorflow", "boneage-regression"} <= set(said["versions"])
    written = {
        path.relative_to(model_folder).as_posix() for path in model_folder.rglob("*") if path.is_file()
    }
    assert written == {"model.json", "model.onnx", "weights/0.weights.h5", "weights/1.weights.h5"}
    assert [path.name for path in model_folder.parent.iterdir()] == ["model"]


def test_prediction_needs_no_tensorflow(model_folder):
    code = (
        "import sys, numpy as np; from boneage_regression import Regressor; "
        f"print(Regressor.load({str(model_folder)!r}).predict(np.zeros({SIZE}, np.uint8), 'M').status); "
        "print(*sorted({'tensorflow', 'keras', 'onnx', 'tf2onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ok"]


@pytest.mark.parametrize("name", ["model.onnx", "model.json"])
def test_a_changed_file_is_not_believed(model_folder, tmp_path, name):
    folder = _copy(model_folder, tmp_path)
    content = bytearray((folder / name).read_bytes())
    if name == "model.json":
        content = content.replace(b"100.0", b"101.0", 1)
    else:
        content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match="digest"):
        Regressor.load(folder)


@pytest.mark.parametrize("name", ["model.onnx", "model.json"])
def test_a_missing_file_is_named(model_folder, tmp_path, name):
    folder = _copy(model_folder, tmp_path)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name) as caught:
        Regressor.load(folder)
    assert caught.value.folder == str(folder)


def test_a_failed_export_leaves_the_old_model_in_place(
    model_folder, tmp_path, networks, recipes, calibration
):
    folder = _copy(model_folder, tmp_path)
    before = (folder / "model.json").read_bytes()
    not_json = {"size": object()}
    with pytest.raises(TypeError):
        export(networks, recipes, folder, preprocessing=not_json, calibration=calibration, summary={})
    assert (folder / "model.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    Regressor.load(folder)


def test_an_export_takes_the_place_of_an_older_one(model_folder, tmp_path, networks, recipes, calibration):
    folder = _copy(model_folder, tmp_path)
    export(networks[:1], recipes[0], folder, preprocessing={}, calibration=calibration, summary={"cases": 3})
    assert Regressor.load(folder).metadata["summary"] == {"cases": 3}
    assert [path.name for path in (folder / "weights").iterdir()] == ["0.weights.h5"]


def test_export_refuses_what_does_not_fit_together(tmp_path, networks, recipes, calibration):
    other = dataclasses.replace(recipes[1], size=(64, 64))
    for models, received in (([], recipes), (networks, recipes[:1]), (networks, [recipes[0], other])):
        with pytest.raises(RecipeError, match="Received"):
            export(models, received, tmp_path / "m", preprocessing={}, calibration=calibration, summary={})
    assert list(tmp_path.iterdir()) == []


def test_training_can_start_from_a_model_folder(model_folder, networks, recipes):
    fresh = dataclasses.replace(recipes[0], seed=9).build_model()
    fresh.load_weights(initial_weights(model_folder, recipes[0], index=1))
    assert all(
        np.array_equal(a, b) for a, b in zip(fresh.get_weights(), networks[1].get_weights(), strict=True)
    )
    assert initial_weights(model_folder, recipes[0], index=2).name == "0.weights.h5"


@pytest.mark.parametrize("change", [{"architecture": "boneage"}, {"size": (64, 64)}, {"dense_width": 16}])
def test_training_cannot_start_from_another_network(model_folder, recipes, change):
    with pytest.raises(ModelError, match=next(iter(change))):
        initial_weights(model_folder, dataclasses.replace(recipes[0], **change))


def test_finished_networks_take_half_the_space_and_answer_the_same(tmp_path, recipes, calibration):
    recipe = dataclasses.replace(recipes[0], architecture="boneage", precision="mixed_bfloat16")
    trained = recipe.build_model()
    finished = recipe.finished(trained)
    sizes = {}
    for name, model in (("trained", trained), ("finished", finished)):
        plain = dataclasses.replace(recipe, precision="float32")
        same = plain.build_model()
        same.set_weights(model.get_weights())
        export([same], plain, tmp_path / name, preprocessing={}, calibration=calibration, summary={})
        sizes[name] = (tmp_path / name / "model.onnx").stat().st_size
    assert sizes["finished"] < 0.6 * sizes["trained"]
    row = {"case_id": "7", "input": _image(3), "male": True}
    told = Regressor.load(tmp_path / "finished").predict(row["input"], "M").age_months
    assert told == pytest.approx(predict_ages(finished, recipe, [row])[0], abs=0.01)


def _trained_for_a_while(recipe, seed):
    """A network whose normalisation has seen something, as after a training."""
    rng = np.random.default_rng(seed)
    model = recipe.build_model()
    for variable in model.weights:
        shape, name = tuple(variable.shape), variable.name
        if name == "moving_variance":
            variable.assign(rng.uniform(0.05, 4, shape))
        elif name in ("gamma", "beta", "bias", "moving_mean"):
            variable.assign(variable.numpy() + rng.normal(0, 0.3, shape))
    return model


@given(seeds)
@settings(max_examples=5, deadline=None)
def test_finishing_changes_what_a_network_answers_by_rounding_alone(recipes, seed):
    recipe = dataclasses.replace(recipes[0], architecture="boneage")
    trained = _trained_for_a_while(recipe, seed)
    before = trained.get_weights()
    finished = recipe.finished(trained)
    assert all(np.array_equal(a, b) for a, b in zip(before, trained.get_weights(), strict=True))
    rows = [{"case_id": str(i), "input": _image(seed + i), "male": bool(i % 2)} for i in range(4)]
    told, rounded = (predict_ages(model, recipe, rows) for model in (trained, finished))
    assert rounded == pytest.approx(told, rel=0.02, abs=0.5)
    for variable in finished.weights:
        if variable.name != "moving_variance":
            value = variable.numpy()
            assert np.array_equal(value, value.astype(np.float16).astype(np.float32))
    for layer in finished.layers:
        if (
            type(layer).__name__ == "BatchNormalization"
            and "conv" in layer.input._keras_history.operation.name
        ):
            factor = np.abs(layer.gamma.numpy()) / np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
            assert np.log2(factor) == pytest.approx(np.round(np.log2(factor)), abs=1e-5)


def test_finishing_leaves_a_channel_that_hardly_varies_as_it_is(recipes):
    recipe = dataclasses.replace(recipes[0], architecture="boneage")
    trained = _trained_for_a_while(recipe, 0)
    for variable in trained.weights:
        if variable.name == "moving_variance":
            variable.assign(np.where(np.arange(variable.shape[0]) % 2, variable.numpy(), 1e-7))
        elif variable.name == "gamma":
            variable.assign(0.75 * np.ones(variable.shape))
    rows = [{"case_id": "7", "input": _image(5), "male": True}]
    told, rounded = (predict_ages(model, recipe, rows) for model in (trained, recipe.finished(trained)))
    assert rounded == pytest.approx(told, rel=0.02, abs=0.5)


def test_a_written_digest_is_of_everything_else(model_folder):
    metadata = json.loads((model_folder / "model.json").read_text())
    assert set(metadata["files"]) == {"model.onnx", "weights/0.weights.h5", "weights/1.weights.h5"}
    assert len(metadata["digest"]) == 64
