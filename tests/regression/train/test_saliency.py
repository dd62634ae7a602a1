"""Graphs whose answer is known beforehand: the map must say what they rest on, by how much and in which direction."""

import numpy as np
import onnx
import pytest
from hypothesis import given

from boneage_regression.inference import Regressor, open_session
from boneage_regression.saliency import cover, divide, find_hand, saliency_map, strongest_part

from ..strategies import prepared_hands, seeds

SIZE = (52, 44)


def open_linear(path, weights, by_sex=False):
    """A model that tells 100 + sum(weights * image) months, or that sum times the sex."""
    image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["n", *weights.shape, 1])
    sex = onnx.helper.make_tensor_value_info("sex", onnx.TensorProto.FLOAT, ["n", 1])
    age = onnx.helper.make_tensor_value_info("age", onnx.TensorProto.FLOAT, ["n", 1])
    nodes = [
        onnx.helper.make_node("Reshape", ["image", "flat"], ["pixels"]),
        onnx.helper.make_node("MatMul", ["pixels", "weights"], ["months"]),
        onnx.helper.make_node("Mul" if by_sex else "Add", ["months", "sex" if by_sex else "mean"], ["age"]),
    ]
    constants = {
        "flat": np.array([-1, weights.size]),
        "weights": weights.reshape(-1, 1).astype(np.float32),
        "mean": np.float32([[100]]),
    }
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = onnx.helper.make_graph(nodes, "linear", [image, sex], [age], tensors)
    opset = onnx.helper.make_opsetid("", 13)
    onnx.save(onnx.helper.make_model(graph, ir_version=8, opset_imports=[opset]), path)
    interval = {"level": 0.9, "edges_months": [], "known": [10.0], "unknown": [15.0], "cases": 100}
    metadata = {"input_size": weights.shape, "mirror_averaging": False, "calibration": interval}
    return Regressor(metadata, open_session(path, threads=1))


def spot(centre, months):
    """Weights that look at one place of SIZE; months if it became brighter by 100 all over."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    near = np.hypot(y - centre[0], x - centre[1]) < 2.5
    return months / 100 * near / near.sum()


@pytest.fixture
def hand():
    """A hand of bright bones on dark flesh: covered bones are darker."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    image = np.where(np.hypot(y - 26, x - 22) < 21, 60, 0)
    for centre in ((16, 16), (36, 28)):
        image[np.hypot(y - centre[0], x - centre[1]) < 2.5] = 160
    return image.astype(np.uint8)


def test_the_map_says_where_a_model_looks_and_in_which_direction(tmp_path, hand):
    regressor = open_linear(tmp_path / "model.onnx", spot((16, 16), 40) + spot((36, 28), -20))
    months = saliency_map(regressor, hand, "F")
    lowest, highest = np.unravel_index((months.argmin(), months.argmax()), SIZE)
    assert np.hypot(lowest[0] - 16, highest[0] - 16) < 4
    assert np.hypot(lowest[1] - 36, highest[1] - 28) < 4
    assert months.min() < -4 < 2 < months.max()
    far = np.hypot(*(np.mgrid[: SIZE[0], : SIZE[1]] - np.reshape((16, 36), (2, 1, 1)))) < 6
    assert np.abs(months[far]).max() < 0.5
    part = strongest_part(months, find_hand(hand))
    assert part[16, 16]
    assert not part[36, 28]


@given(prepared_hands(), seeds)
def test_of_a_linear_model_all_parts_together_move_what_covering_the_hand_does(tmp_path_factory, image, seed):
    weights = np.random.default_rng(seed).normal(0, 1, image.shape) / 255
    regressor = open_linear(tmp_path_factory.mktemp("model") / "model.onnx", weights)
    hand = find_hand(image)
    parts = divide(hand, 5)
    plain, whole = regressor.ages(image[None], None), regressor.ages(cover(image, hand[None]), None)
    moves = regressor.ages(cover(image, parts), None) - plain
    rounding = 0.5 * (len(parts) + 1) * np.abs(weights[hand]).sum()
    assert moves.sum() == pytest.approx((whole - plain)[0], abs=rounding + 1e-3)


def test_a_map_is_told_for_the_sex_that_was_given(tmp_path, hand):
    regressor = open_linear(tmp_path / "model.onnx", spot((16, 16), 40), by_sex=True)
    boy, girl, neither = (saliency_map(regressor, hand, sex) for sex in ("M", "F", None))
    assert np.abs(boy).max() > 4
    assert (boy == -girl).all()
    assert not neither.any()
