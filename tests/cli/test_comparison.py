"""Tables of ages and folders of masks, compared without a run."""

import json
import os

import numpy as np
import pytest

from boneage_cli.errors import CallError, DataError
from boneage_cli.evaluation import evaluate_mask_folders, evaluate_tables
from boneage_imaging.codec import encode_png
from boneage_segmentation.annotation import draw_annotation

LABELS = "id,boneage,male\n1,100,True\n2,60,False\n3,80,\n4,150,True\n"


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(LABELS)
    return path


def predictions(tmp_path, text):
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    return path


def test_a_table_is_scored_against_the_labels(tmp_path, labels):
    table = (
        "id,age_months,lower,upper,status,reason\n1,110,,,ok,\n2,40,,,ok,\n3,,,,refused,no hand\n9,70,,,ok,\n"
    )
    found, lines = evaluate_tables(predictions(tmp_path, table), labels)
    assert found["count"] == 2
    assert found["mad"] == 15.0
    assert found["rmse"] == pytest.approx(np.sqrt(250))
    assert found["bias"] == -5.0
    assert (found["unanswered"], found["without_label"], found["without_prediction"]) == (1, 1, 1)
    assert found["median_guess"] == {"age_months": 80.0, "mad": 20.0}
    assert found["mean_absolute_deviation"] == {"truth": 20.0, "answers": 35.0}
    json.dumps(found, allow_nan=False)
    told = "\n".join(lines)
    for text in (
        "2 cases compared, 1 unanswered",
        "1 predictions have no label",
        "1 labels have no prediction",
    ):
        assert text in told
    assert "MAD (mean absolute difference) 15.00 months" in told


def test_the_truth_is_never_taken_for_the_prediction(tmp_path, labels):
    table = "id,boneage,age_months\n1,100,130\n2,60,90\n"
    assert evaluate_tables(predictions(tmp_path, table), labels)[0]["mad"] == 30.0


def test_a_table_without_any_answer_says_so(tmp_path, labels):
    found, lines = evaluate_tables(predictions(tmp_path, "id,age_months\n1,\n2,\n"), labels)
    assert found["count"] == 0
    assert found["mad"] is None
    assert lines == ["0 cases compared, 2 unanswered", "2 labels have no prediction"]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("", "id,age_months would do"),
        ("case,age\n1,2\n", "case,age"),
        ("id,age_months\n1,10\n1,11\n", "line 3"),
        ("id,age_months\n1,ten\n", "'ten'"),
        ("id,age_months\n1,nan\n", "'nan'"),
        ("id,age_months\n1,10,3\n", "line 2"),
        ("id,age_months,age_months\n1,10,3\n", "id,age_months,age_months"),
        ('id,age_months\n"1,10\n', "never closed"),
        ("id,age_months\n77,10\n", "no case in common"),
    ],
)
def test_a_table_that_will_not_do_is_named(tmp_path, labels, table, told):
    path = predictions(tmp_path, table)
    with pytest.raises(DataError, match=r"predictions\.csv") as caught:
        evaluate_tables(path, labels)
    assert told in str(caught.value)


def test_a_table_that_is_not_there_is_named(tmp_path, labels):
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        evaluate_tables(tmp_path / "nowhere.csv", labels)


def square(top):
    mask = np.zeros((60, 50), bool)
    mask[top : top + 30, 10:40] = True
    return mask


@pytest.mark.parametrize("inner", ["", "masks"])
def test_folders_of_masks_are_compared_by_id(tmp_path, inner):
    predicted, truth = tmp_path / "predicted", tmp_path / "truth"
    (predicted / inner).mkdir(parents=True)
    truth.mkdir()
    for name, top in (("a", 10), ("b", 15), ("only-here", 10)):
        (predicted / inner / f"{name}.png").write_bytes(encode_png(square(top)))
    for name in ("a", "b", "only-there"):
        (truth / f"{name}.png").write_bytes(encode_png(square(10)))
    found, lines = evaluate_mask_folders(predicted, truth)
    assert found["cases"]["a"] == {"jaccard": 1.0, "dice": 1.0}
    assert found["cases"]["b"]["jaccard"] == pytest.approx(25 / 35, abs=1e-6)
    assert found["jaccard_mean"] == pytest.approx((1 + 25 / 35) / 2, abs=1e-6)
    assert (found["count"], found["without_truth"], found["without_mask"]) == (2, 1, 1)
    assert lines[-1].startswith("least: b 0.7143")
    json.dumps(found, allow_nan=False)


def test_the_tools_files_and_polygons_are_brought_to_the_masks_size(tmp_path):
    predicted, truth = tmp_path / "predicted", tmp_path / "truth"
    predicted.mkdir()
    image = np.where(square(10), 200, 20).astype(np.uint8)
    draw_annotation(truth, "tool", image, square(10))
    ring = [[19.5, 19.5], [79.5, 19.5], [79.5, 79.5], [19.5, 79.5]]
    polygon = {
        "size": {"height": 120, "width": 100},
        "objects": [{"points": {"exterior": ring, "interior": []}}],
    }
    (truth / "polygon.json").write_text(json.dumps(polygon))
    for name in ("tool", "polygon"):
        (predicted / f"{name}.png").write_bytes(encode_png(square(10)))
    found, _ = evaluate_mask_folders(predicted, truth)
    assert found["cases"]["polygon"]["jaccard"] == 1.0
    assert found["cases"]["tool"]["jaccard"] > 0.9


def test_what_cannot_be_read_is_set_aside_and_counted(tmp_path):
    predicted, truth = tmp_path / "predicted", tmp_path / "truth"
    predicted.mkdir()
    truth.mkdir()
    for name in ("good", "bad-mask", "bad-truth", "pipe"):
        (predicted / f"{name}.png").write_bytes(encode_png(square(10)))
        (truth / f"{name}.png").write_bytes(encode_png(square(10)))
    (predicted / "bad-mask.png").write_bytes(b"")
    (truth / "bad-truth.png").write_bytes(b"text")
    (predicted / "pipe.png").unlink()
    os.mkfifo(predicted / "pipe.png")
    found, lines = evaluate_mask_folders(predicted, truth)
    assert list(found["cases"]) == ["good"]
    reasons = {entry["id"]: entry["reason"] for entry in found["set_aside"]}
    assert reasons["bad-mask"] == "its mask bad-mask.png: the file is empty"
    assert "outline bad-truth.png: this is no picture file" in reasons["bad-truth"]
    assert reasons["pipe"] == "its mask pipe.png: it is a pipe, not a file"
    assert sum(line.startswith("set aside ") for line in lines) == 3
    (predicted / "good.png").write_bytes(b"")
    with pytest.raises(DataError, match="not one case could be compared; set aside"):
        evaluate_mask_folders(predicted, truth)


def test_folders_that_will_not_do_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CallError, match="nowhere"):
        evaluate_mask_folders(tmp_path / "nowhere", tmp_path / "empty")
    with pytest.raises(DataError, match="no case in common"):
        evaluate_mask_folders(tmp_path / "empty", tmp_path / "empty")
