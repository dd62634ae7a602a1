"""Masks of a folder by a model, here one whose graph is written by hand."""

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boneage_cli.errors import CallError
from boneage_cli.folders import FolderResult, align_folder, segment_folder
from boneage_imaging.codec import encode_png
from boneage_segmentation.model_folder import write_model_folder
from boneage_segmentation.preprocessing import Preprocessing

from ..picture_folders import align, contents, load

NETWORK_SIZE = (96, 96)
OF_HAND = {f"hand{index}": f"phantom-{index:05d}" for index in range(2, 6)}
HANDS = (*OF_HAND, "deep")
NO_HANDS = ("blank", "specks")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose graph takes what is light, after some smoothing, for the hand."""
    from onnx import TensorProto, helper, save_model

    shape = ["batch", *NETWORK_SIZE, 1]
    graph = helper.make_graph(
        [
            helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("AveragePool", ["planes"], ["mean"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("Add", ["mean", "shift"], ["light"]),
            helper.make_node("Mul", ["light", "steepness"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["sigmoid"]),
            helper.make_node("Transpose", ["sigmoid"], ["probability"], perm=[0, 2, 3, 1]),
        ],
        "light",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor("shift", TensorProto.FLOAT, [], [1.4]),
            helper.make_tensor("steepness", TensorProto.FLOAT, [], [8.0]),
        ],
    )

    def fill(folder: Path) -> dict[str, Any]:
        opset = helper.make_opsetid("", 13)
        save_model(helper.make_model(graph, opset_imports=[opset], ir_version=8), folder / "model.onnx")
        preprocessing = Preprocessing(size=NETWORK_SIZE).to_json()
        return {"kind": "segmentation", "preprocessing": preprocessing, "threshold": 0.5, "least_sure": 0.0}

    target = tmp_path_factory.mktemp("models") / "light"
    write_model_folder(target, fill)
    return target


@pytest.fixture(scope="module")
def pictures(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hands of two depths, what is no hand, and a file that cannot be read."""
    folder = tmp_path_factory.mktemp("pictures")
    for hand, case_id in OF_HAND.items():
        shutil.copy(phantoms / "images" / f"{case_id}.png", folder / f"{hand}.png")
    deep = load(folder / "hand2.png").astype(np.uint16) * 257
    (folder / "deep.png").write_bytes(encode_png(deep))
    (folder / "blank.png").write_bytes(encode_png(np.full((90, 120), 7, np.uint8)))
    specks = np.random.default_rng(0).integers(0, 20, (90, 120), np.uint8)
    specks[10:20, 15:25] = specks[60:72, 80:90] = 250
    (folder / "specks.png").write_bytes(encode_png(specks))
    (folder / "broken.png").write_bytes(b"broken")
    return folder


def segment(images: Path, out: Path, model: Path, *, workers: int = 1) -> FolderResult:
    return segment_folder(images, out, model=model, workers=workers, quiet=True)


@pytest.fixture(scope="module")
def segmented(
    pictures: Path, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, FolderResult]:
    out = tmp_path_factory.mktemp("segmented") / "out"
    return out, segment(pictures, out, model)


def test_masks_have_the_pictures_own_size_and_two_values(
    pictures: Path, segmented: tuple[Path, FolderResult]
):
    out, result = segmented
    names = [f"{stem}.png" for stem in (*HANDS, *NO_HANDS)]
    assert result.done == len(names)
    assert [name for name, _ in result.failed] == ["broken.png"]
    expected = ["segment.csv", *(f"{kind}/{name}" for kind in ("masks", "masked") for name in names)]
    assert sorted(contents(out)) == sorted(expected)
    for name in names:
        source, mask, masked = (load(folder / name) for folder in (pictures, out / "masks", out / "masked"))
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 255}
        assert masked.dtype == source.dtype
        assert np.array_equal(masked, np.where(mask > 0, source, 0))


def test_hands_are_found_at_either_depth(phantoms: Path, segmented: tuple[Path, FolderResult]):
    out, _ = segmented
    for hand, case_id in OF_HAND.items():
        mask = load(out / "masks" / f"{hand}.png") > 0
        truth = load(phantoms / "outlines" / f"{case_id}.png") > 0
        assert (mask & truth).sum() / (mask | truth).sum() > 0.8
    deep, shallow = (load(out / "masks" / name) > 0 for name in ("deep.png", "hand2.png"))
    np.testing.assert_array_equal(deep, shallow)


def test_what_is_no_hand_gets_an_empty_mask_and_is_told_of(segmented: tuple[Path, FolderResult]):
    out, result = segmented
    with (out / "segment.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "status", "reason", "mask_share"]
    table = {row["id"]: row for row in rows}
    assert sorted(table) == sorted([*HANDS, *NO_HANDS, "broken"])
    for name in NO_HANDS:
        assert not load(out / "masks" / f"{name}.png").any()
        assert (table[name]["status"], float(table[name]["mask_share"])) == ("refused", 0.0)
    assert table["blank"]["reason"] == "the picture is blank"
    assert table["specks"]["reason"] == "no hand was found"
    assert (table["broken"]["status"], table["broken"]["mask_share"]) == ("failed", "")
    assert table["broken"]["reason"]
    for name in HANDS:
        share = (load(out / "masks" / f"{name}.png") > 0).mean()
        assert float(table[name]["mask_share"]) == pytest.approx(share)
        assert table[name]["status"] in ("ok", "warning")
    cases = {case["id"]: case for case in result.summary["cases"]}
    assert cases["blank"]["status"] == "refused"
    assert sum(result.summary["hands"].values()) == result.done
    assert result.summary["hands"]["refused"] == len(NO_HANDS)
    assert any("specks" in line and "no hand was found" in line for line in result.lines)


def test_what_may_be_a_second_hand_is_a_warning(phantoms: Path, model: Path, tmp_path: Path):
    first, second = (load(phantoms / "images" / f"{case_id}.png") for case_id in list(OF_HAND.values())[:2])
    height, width = min(first.shape[0], second.shape[0]), second.shape[1] * 3 // 4
    (tmp_path / "in").mkdir()
    both = np.hstack([first[:height], second[:height, :width]])
    (tmp_path / "in" / "both.png").write_bytes(encode_png(both))
    segment(tmp_path / "in", tmp_path / "out", model)
    with (tmp_path / "out" / "segment.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["status"] == "warning"
    assert "there may be more than one hand" in row["reason"]
    # One of the two, not both.
    columns = np.flatnonzero((load(tmp_path / "out" / "masks" / "both.png") > 0).any(axis=0))
    assert columns[0] >= first.shape[1] or columns[-1] < first.shape[1]


def test_segmenting_does_not_depend_on_the_workers(phantoms: Path, model: Path, tmp_path: Path):
    for workers in (1, 2):
        segment(phantoms / "images", tmp_path / str(workers), model, workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_aligning_by_the_model_is_aligning_by_its_masks(
    pictures: Path, model: Path, segmented: tuple[Path, FolderResult], tmp_path: Path
):
    out, _ = segmented
    by_model = align_folder(pictures, tmp_path / "model", masks=None, model=model, workers=1, quiet=True)
    by_masks = align(pictures, tmp_path / "masks", out / "masks")
    assert sorted(contents(tmp_path / "model")) == sorted(f"{name}.png" for name in HANDS)
    assert contents(tmp_path / "model") == contents(tmp_path / "masks")
    assert by_model.summary["angle_deg"] == by_masks.summary["angle_deg"]
    assert dict(by_model.failed)["blank.png"] == "the picture is blank"
    assert dict(by_model.failed)["specks.png"] == "no hand was found"


def test_a_folder_without_a_sound_model_is_refused(pictures: Path, model: Path, tmp_path: Path):
    with pytest.raises(CallError, match="no model"):
        segment(pictures, tmp_path / "out", tmp_path)
    damaged = Path(shutil.copytree(model, tmp_path / "damaged"))
    (damaged / "model.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match="digest"):
        segment(pictures, tmp_path / "out", damaged)
    assert not (tmp_path / "out").exists()
