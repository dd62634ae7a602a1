import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from boneage_imaging import encode_png, rotate
from boneage_segmentation import (
    ModelError,
    Segmenter,
    export,
    initial_weights,
    jaccard,
)
from boneage_segmentation.closer import look_closer
from boneage_segmentation.inference import open_session, run_graph
from boneage_segmentation.training import predict_probabilities

from ..conftest import TINY


@pytest.fixture(scope="module")
def segmenter(model_folder):
    return Segmenter.load(model_folder, threads=1)


@pytest.fixture
def copied(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "copy")


def test_the_folder_describes_itself(model_folder, segmenter):
    names = {path.name for path in model_folder.iterdir()}
    assert names == {"model.onnx", "model.weights.h5", "model.json"}
    facts = segmenter.metadata
    assert facts["kind"] == "segmentation"
    assert facts["architecture"] == "boneage"
    assert facts["input_size"] == [64, 64]
    assert facts["threshold"] == 0.5
    assert facts["least_sure"] == 0
    assert facts["summary"] == {"train": 16}
    assert facts["recipe"]["variation"]["mirror"] is True
    assert {"boneage-segmentation", "keras", "tensorflow"} <= set(facts["versions"])
    assert "medical device" in facts["notice"]
    assert segmenter.preprocessing == TINY.preprocessing


def test_the_graph_answers_as_the_network_does(trained, segmenter, unseen_rows):
    wanted, _ = predict_probabilities(trained, TINY, unseen_rows)
    for row, probability in zip(unseen_rows, wanted, strict=True):
        assert np.allclose(segmenter.probability(row["image"]), probability, atol=1e-4)


def test_the_graph_takes_any_batch(segmenter, unseen_rows):
    images = np.stack([TINY.prepare(row, 0, None)[0]["image"] for row in unseen_rows[:5]])
    together = run_graph(segmenter._session, images)
    assert together.shape == (5, 64, 64, 1)
    assert np.allclose(together[3], run_graph(segmenter._session, images[3:4])[0], atol=1e-5)


def test_a_new_export_replaces_the_old_one_whole(trained, copied):
    (copied / "stray.txt").write_text("old")
    export(trained, TINY, copied, threshold=0.4, summary={}, licence="CC BY-NC 4.0")
    assert Segmenter.load(copied).threshold == 0.4
    assert Segmenter.load(copied).metadata["licence"] == "CC BY-NC 4.0"
    assert not (copied / "stray.txt").exists()


def test_a_failed_export_leaves_the_old_one_and_no_traces(trained, copied):
    before = {path.name: path.read_bytes() for path in copied.iterdir()}
    with pytest.raises(TypeError):
        export(trained, TINY, copied, threshold=0.5, summary={"not for JSON": object()})
    with pytest.raises(ModelError, match=r"received 1\.5"):
        export(trained, TINY, copied, threshold=1.5, summary={})
    with pytest.raises(ModelError, match="least_sure"):
        export(trained, TINY, copied, threshold=0.5, least_sure=-0.1, summary={})
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == before
    assert [path.name for path in copied.parent.iterdir()] == ["copy"]


def test_a_network_that_was_never_used_can_be_exported(tmp_path):
    export(TINY.build_model(), TINY, tmp_path / "new", threshold=0.5, summary={})
    assert Segmenter.load(tmp_path / "new").probability(np.eye(9, dtype=np.uint8)).shape == (9, 9)


def test_damage_is_noticed(copied):
    graph = copied / "model.onnx"
    content = graph.read_bytes()
    graph.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelError, match="does not match its digest"):
        Segmenter.load(copied)
    graph.unlink()
    with pytest.raises(ModelError, match=r"no model\.onnx"):
        Segmenter.load(copied)


def test_a_changed_description_is_noticed(copied):
    path = copied / "model.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"threshold": 0.1}))
    with pytest.raises(ModelError, match="its own digest"):
        Segmenter.load(copied)
    path.write_text(json.dumps(facts | {"format": "boneage-regression/1"}))
    with pytest.raises(ModelError, match="boneage-regression/1"):
        Segmenter.load(copied)
    path.write_text("{")
    with pytest.raises(ModelError, match="changed or damaged"):
        Segmenter.load(copied)
    path.unlink()
    with pytest.raises(ModelError, match=r"there is no model\.json"):
        Segmenter.load(copied)


def test_training_can_start_from_the_folder(trained, model_folder):
    from dataclasses import replace

    model = replace(TINY, seed=9).build_model()
    model.load_weights(initial_weights(model_folder, TINY))
    assert all((a == b).all() for a, b in zip(model.get_weights(), trained.get_weights(), strict=True))
    # The network is convolutional: another input size is no obstacle.
    assert initial_weights(model_folder, replace(TINY, size=(96, 96))).is_file()
    with pytest.raises(ModelError, match="its base is 8, wanted 16"):
        initial_weights(model_folder, replace(TINY, base=16))


def test_the_hand_is_found(segmenter, unseen_rows):
    scores = [jaccard(segmenter.mask(row["image"]), row["outline"]) for row in unseen_rows]
    assert np.mean(scores) >= 0.75


@pytest.fixture(scope="module")
def light_finder(segmenter, tmp_path_factory):
    """A model by which all that is light is hand."""
    from onnx import TensorProto, helper, save

    shape = ("batch", 64, 64, 1)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("image", "hand")]
    graph = helper.make_graph([helper.make_node("Sigmoid", ["image"], ["hand"])], "light", ends[:1], ends[1:])
    path = tmp_path_factory.mktemp("light") / "light.onnx"
    save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), path)
    return Segmenter(segmenter.metadata, open_session(path, 1))


def test_of_two_hands_the_main_one_is_found_and_the_other_told(light_finder):
    image = np.full((320, 320), 20, np.uint8)
    cv2.ellipse(image, (140, 160), (60, 120), 0, 0, 360, 200, -1)
    main = image > 100
    alone = light_finder.find(image)
    assert (alone.others, jaccard(alone.mask, main) > 0.95) == (0, True)
    cv2.ellipse(image, (310, 160), (50, 110), 0, 0, 360, 200, -1)
    both = light_finder.find(image)
    assert (both.others, jaccard(both.mask, main) > 0.95) == (1, True)
    assert light_finder.find(np.where(main, 20, image).astype(np.uint8)).others == 0


@pytest.mark.parametrize(("angle_deg", "wide"), [(0, 160), (90, 0), (140, 0), (250, 60)])
def test_what_is_looked_at_twice_comes_back_to_its_place(light_finder, angle_deg, wide):
    from boneage_imaging.phantom import draw_case

    mask = np.pad(rotate(draw_case(5, 3, size=(320, 256)).mask, angle_deg), wide)
    image = np.where(mask, np.uint8(200), np.uint8(20))
    found = light_finder.find(image)
    assert look_closer(image, mask, (64, 64), inverted=False) is not None
    assert found.others == 0
    assert jaccard(found.mask, mask) > 0.93


def test_a_second_look_that_shows_something_else_is_not_taken(light_finder):
    """A dark hand on light ground: of its inversion the light finder finds the hand, not the ground around it."""
    image = np.full((320, 320), 200, np.uint8)
    image[:, 200:] = 20
    cv2.ellipse(image, (100, 160), (40, 100), 0, 0, 360, 20, -1)
    probability = light_finder.probability(image)
    first = light_finder._regions(probability)[0]
    closer = look_closer(image, first, (64, 64), inverted=True)
    hand, told = light_finder._look_again(closer, first, probability)
    assert hand is first
    assert told is probability


def test_the_mask_has_the_radiograph_s_size_whatever_it_is(segmenter, unseen_rows):
    from boneage_imaging.geometry import resize

    image = unseen_rows[4]["image"]  # one that so short a training is sure of
    small = segmenter.mask(image)
    assert jaccard(small, unseen_rows[4]["outline"]) > 0.9
    for size in [(61, 50), (300, 244), (512, 416)]:
        mask = segmenter.mask(resize(image, size))
        assert mask.shape == size
        assert mask.dtype == bool
        assert jaccard(resize(mask, small.shape), small) > 0.9


def test_what_the_network_is_hardly_sure_of_is_no_hand(segmenter, unseen_rows):
    image = unseen_rows[4]["image"]
    strict = Segmenter({**segmenter.metadata, "least_sure": 0.999}, segmenter._session)
    assert segmenter.mask(image).any()
    assert not strict.mask(image).any()


def test_16_bit_radiographs_give_the_same_mask(segmenter, unseen_rows):
    for row in unseen_rows[:4]:
        deep = row["image"].astype(np.uint16) * 257
        np.testing.assert_array_equal(segmenter.mask(deep), segmenter.mask(row["image"]))


def test_a_blank_radiograph_has_no_hand(segmenter):
    for value in (0, 128, 255):
        mask = segmenter.mask(np.full((90, 70), value, np.uint8))
        assert mask.shape == (90, 70)
        assert not mask.any()


def test_inference_needs_no_tensorflow(model_folder, tmp_path, unseen_rows):
    (tmp_path / "hand.png").write_bytes(encode_png(unseen_rows[0]["image"]))
    script = (
        "import sys, pathlib; from boneage_imaging import decode; "
        "from boneage_segmentation import Segmenter; "
        "image = decode(pathlib.Path(sys.argv[2]).read_bytes()); "
        "mask = Segmenter.load(sys.argv[1], threads=1).mask(image); "
        "assert mask.shape == image.shape; "
        "print([m for m in ('tensorflow', 'keras', 'onnx', 'tf2onnx') if m in sys.modules])"
    )
    command = [sys.executable, "-c", script, model_folder, tmp_path / "hand.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
