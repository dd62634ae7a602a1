"""What an answer rests on, as pictures in a folder: made of the shipped models, by base installs."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_cli.errors import CallError
from boneage_cli.heatmaps import draw_bar, lay_over, scale_months
from boneage_cli.predictor import Predictor, predict_files
from boneage_imaging.codec import decode_colours, encode_png
from boneage_imaging.phantom import draw_case

# What eyes without one kind of cone make of linear red, green, blue (Machado, Oliveira and Fernandes 2009).
EYES = {
    "all cones": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def hand(index=0):
    return encode_png(draw_case(3, index, size=(200, 160)).image)


def predict(files, folder, **more):
    given = {"model": None, "sex": "F", "cases": None, **more}
    return {answer.id: answer for answer in predict_files(files, saliency=folder, **given)}


def table(folder):
    with (folder / "saliency.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def images(tmp_path):
    """Two hands and a blank picture."""
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(2):
        (folder / f"hand-{index}.png").write_bytes(hand(index))
    (folder / "blank.png").write_bytes(encode_png(np.full((200, 160), 9, np.uint8)))
    return folder


@given(st.floats(-300, 300).filter(lambda months: abs(months) > 0.05))
def test_a_scale_ends_at_a_plain_number_not_far_beyond_the_map(months):
    end = scale_months(np.array([[0.0, months / 2, months]]))
    assert abs(months) <= end <= 2.51 * abs(months)
    assert f"{end:g}".strip("0.") in ("1", "2", "5")


def test_a_map_of_nothing_has_a_scale():
    assert scale_months(np.zeros((2, 2))) == 0.1


@given(st.integers(0, 255), st.floats(-10, 10), st.floats(0, 10))
def test_older_is_orange_younger_blue_and_more_is_more(gray, months, more):
    image = np.full((1, 2), gray, np.uint8)
    less, stronger = lay_over(image, np.array([[months, months + np.copysign(more, months)]]), 10.0)[
        0
    ].astype(int)
    assert np.abs(stronger - gray).sum() >= np.abs(less - gray).sum() - 3  # rounded
    warmth = less[0] - less[2]
    assert warmth * months >= 0


def test_where_nothing_moves_the_hand_is_seen_as_it_is():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    coloured = lay_over(image, np.zeros(image.shape), 1.0)
    assert (coloured == image[..., None]).all()


@pytest.mark.parametrize("eyes", EYES)
def test_the_ends_of_the_scale_differ_for_colour_blind_eyes(eyes):
    bar = draw_bar()[0].astype(float)
    seen = (bar[[0, 32, 64]] / 255) ** 2.2 @ np.transpose(EYES[eyes])
    younger, nothing, older = np.clip(seen, 0, 1) ** (1 / 2.2) * 255
    assert np.linalg.norm(younger - older) > 80
    assert min(np.linalg.norm(younger - nothing), np.linalg.norm(older - nothing)) > 80


def test_each_answer_has_its_picture_and_its_scale(images, tmp_path):
    folder = tmp_path / "maps" / "deep"
    answers = predict([images], folder)
    assert {path.name for path in folder.iterdir()} == {"hand-0.png", "hand-1.png", "saliency.csv"}
    for name in ("hand-0.png", "hand-1.png"):
        picture = decode_colours((folder / name).read_bytes())
        height, width = Predictor().regressor.size
        times = 512 // max(height, width)
        assert picture.shape == (height * times, width * times, 3)
        assert (picture[0] == picture[0, :, :1]).all()  # nothing but the hand is coloured
        assert (picture[..., 0] != picture[..., 2]).mean() > 0.05
    rows = table(folder)
    assert [row["id"] for row in rows] == ["hand-0", "hand-1"]
    assert float(rows[0]["age_months"]) == answers["hand-0"].age_months
    assert 0.1 <= float(rows[0]["scale_months"]) <= 200


def test_an_older_picture_does_not_pass_for_the_result_of_a_bad_file(images, tmp_path):
    folder = tmp_path / "maps"
    predict([images / "hand-0.png"], folder)
    (images / "hand-0.png").write_bytes(b"")
    predict([images / "hand-0.png", images / "hand-1.png"], folder)
    assert {path.name for path in folder.iterdir()} == {"hand-1.png", "saliency.csv"}


def test_of_two_files_with_one_id_none_is_guessed(images, tmp_path):
    predict([images / "hand-0.png"], tmp_path / "maps")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "hand-0.png").write_bytes(hand(1))
    answers = predict([images, tmp_path / "more" / "hand-0.png"], tmp_path / "maps")
    assert "one of them would do" in answers["hand-0.png"].reason
    assert [row["id"] for row in table(tmp_path / "maps")] == ["hand-1"]
    assert not (tmp_path / "maps" / "hand-0.png").exists()  # which was there before


def test_a_name_that_can_be_no_id_leads_nowhere(images, tmp_path):
    for name in ("..png", ".hidden.png", "a\nb.png", "..\\up.png"):
        (images / name).write_bytes(hand())
    folder = tmp_path / "out" / "maps"
    answers = predict(sorted(images.glob("*.png")), folder)
    assert {path.name for path in folder.iterdir()} == {"hand-0.png", "hand-1.png", "saliency.csv"}
    assert [path.name for path in folder.parent.iterdir()] == ["maps"]
    assert sum(answer.answered for answer in answers.values()) == 2


def test_no_radiograph_can_be_overwritten(images):
    before = {path: path.read_bytes() for path in images.iterdir()}
    with pytest.raises(CallError, match="--saliency"):
        predict([images], images / ".." / "images")
    assert {path: path.read_bytes() for path in images.iterdir()} == before


def test_a_folder_that_is_a_file_is_a_wrong_call(images):
    with pytest.raises(CallError, match="no folder"):
        predict([images / "hand-0.png"], images / "blank.png" / "maps")


def test_what_is_not_asked_for_is_not_looked_for():
    assert Predictor().examine(hand()).months is None
