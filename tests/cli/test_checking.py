"""The check of a data set finds what a run would trip over or silently lose, and says so in sentences."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from boneage_cli.checking import Findings, check_data
from boneage_cli.errors import CallError
from boneage_cli.folders import phantom_folder
from boneage_imaging.codec import decode, encode_png

COUNT = 24
IDS = [f"phantom-{index:05d}" for index in range(COUNT)]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sound")
    phantom_folder(out, count=COUNT, seed=1, size=(96, 80), workers=1, quiet=True)
    return out


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    """A data set of its own, to be spoilt."""
    return Path(shutil.copytree(sound, tmp_path / "data"))


def check(data: Path) -> Findings:
    found = check_data(data, labels=None, outlines=None)
    assert json.loads(json.dumps(found.summary)) == found.summary
    assert found.wrong == bool(found.summary["wrong"])
    for text in found.summary["wrong"][:20]:
        assert f"wrong: {text}" in found.lines
    more = len(found.summary["wrong"]) - 20
    assert (f"... and {more} more; --json tells all" in found.lines) == (more > 0)
    for text in found.summary["notes"]:
        assert f"note: {text}" in found.lines
    assert found.lines[-1] == "Not a medical device."
    return found


def wrongs(data: Path) -> str:
    found = check(data)
    assert found.wrong
    return "\n".join(found.summary["wrong"])


def notes(data: Path) -> str:
    found = check(data)
    assert not found.wrong, found.summary["wrong"]
    return "\n".join(found.summary["notes"])


def rewrite_labels(data: Path, change) -> None:
    path = data / "labels.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *change(rows)]) + "\n")


def test_a_sound_data_set_is_told_of_and_nothing_is_wrong(sound: Path):
    before = {path: path.stat().st_mtime_ns for path in sound.rglob("*")}
    found = check(sound)
    assert not found.wrong
    assert found.summary["notes"] == []
    assert "Nothing stands in the way of a run." in found.lines
    images, labels, split = (found.summary[name] for name in ("images", "labels", "split"))
    assert (images["files"], images["readable"]) == (COUNT, COUNT)
    assert images["bits"] == {"8": COUNT}
    assert images["formats"] == {"PNG": COUNT}
    assert images["long_side"]["below 256"] == COUNT
    assert (labels["cases"], labels["matched"]) == (COUNT, COUNT)
    assert sum(labels["sexes"].values()) == sum(labels["ages"].values()) == COUNT
    assert split["train"] + split["test"] == COUNT
    assert sum(split["folds"]) == split["train"]
    assert max(split["folds"]) - min(split["folds"]) <= 1
    assert found.summary["outlines"]["files"] == COUNT
    assert {path: path.stat().st_mtime_ns for path in sound.rglob("*")} == before


def test_unreadable_files_are_named(data: Path):
    whole = (data / "images" / f"{IDS[0]}.png").read_bytes()
    (data / "images" / f"{IDS[0]}.png").write_bytes(whole[:-100])
    (data / "images" / f"{IDS[1]}.png").write_bytes(b"")
    told = wrongs(data)
    assert f"{IDS[0]}.png cannot be read" in told
    assert f"{IDS[1]}.png cannot be read: the file is empty" in told
    assert check(data).summary["images"]["readable"] == COUNT - 2


def test_what_is_no_file_is_wrong_and_never_waited_for(data: Path):
    images = data / "images"
    os.mkfifo(images / "pipe.png")
    (images / "folder.tif").mkdir()
    (images / "film.gif").write_bytes(b"GIF89a")
    os.mkfifo(data / "outlines" / f"{IDS[0]}.json")
    os.mkfifo(data / "outlines" / "alone.json")
    told = wrongs(data)
    assert "pipe.png cannot be read: it is a pipe, not a file" in told
    assert "folder.tif cannot be read: it is a folder, not a file" in told
    assert "film.gif cannot be read: this is a GIF" in told
    assert "outline alone.json: it is a pipe, not a file" in told
    assert check(data).summary["images"]["files"] == COUNT + 3


def test_of_very_many_bad_files_the_first_are_told(data: Path):
    for index in range(40):
        (data / "images" / f"bad-{index}.png").write_bytes(b"")
    assert len(check(data).summary["images"]["unreadable"]) == 40


def test_doubled_and_unsafe_names_are_wrong(data: Path):
    image = decode((data / "images" / f"{IDS[0]}.png").read_bytes())
    (data / "images" / f"{IDS[0]}.bmp").write_bytes(cv2.imencode(".bmp", cv2.flip(image, 1))[1])
    (data / "images" / "a\nb.png").write_bytes(encode_png(cv2.flip(image, 0)))
    told = wrongs(data)
    assert f"2 files are named '{IDS[0]}'" in told
    assert "'a\\nb.png' cannot be a case's id" in told


def test_the_same_picture_under_two_names_is_wrong_in_any_format(data: Path):
    images = data / "images"
    image = decode((images / f"{IDS[3]}.png").read_bytes())
    (images / "copy.bmp").write_bytes(cv2.imencode(".bmp", image)[1])
    assert f"the very same picture is there as copy.bmp, {IDS[3]}.png" in wrongs(data)
    assert check(data).summary["images"]["identical"] == [["copy.bmp", f"{IDS[3]}.png"]]


def test_pictures_that_say_nothing_are_doubtful(data: Path):
    (data / "images" / f"{IDS[0]}.png").write_bytes(encode_png(np.zeros((96, 80), np.uint8)))
    assert f"blank or too small to be read: 1 ({IDS[0]}.png)" in notes(data)


def test_depths_and_formats_are_counted(data: Path):
    images = data / "images"
    image = decode((images / f"{IDS[0]}.png").read_bytes())
    (images / f"{IDS[0]}.png").write_bytes(encode_png(image.astype(np.uint16) * 257))
    (images / f"{IDS[1]}.png").write_bytes(cv2.imencode(".jpg", cv2.resize(image, (400, 480)))[1])
    found = check(data)
    assert found.summary["images"]["bits"] == {"8": COUNT - 1, "16": 1}
    assert found.summary["images"]["formats"] == {"PNG": COUNT - 1, "JPEG": 1}
    assert found.summary["images"]["wrong_extension"] == [f"{IDS[1]}.png"]
    assert found.summary["images"]["long_side"]["256 to 511"] == 1
    assert any("another format's extension" in text for text in found.summary["notes"])


def test_pictures_that_no_command_would_read_are_found(data: Path):
    images = data / "images"
    (images / f"{IDS[0]}.png").rename(images / f"{IDS[0]}.image")
    (images / "readme").write_text("BM is no bitmap")
    (images / "sub").mkdir()
    (images / "sub" / "1.png").write_bytes((images / f"{IDS[1]}.png").read_bytes())
    told = notes(data)
    assert f"pictures that are passed over for their extension: 1 ({IDS[0]}.image)" in told
    assert "passed over: sub (1)" in told
    for case_id in IDS[2:14]:
        (images / f"{case_id}.png").rename(images / "sub" / f"{case_id}.png")
    assert "passed over: sub (13)" in wrongs(data)


def test_a_folder_whose_pictures_lie_deeper_is_wrong(data: Path, tmp_path: Path):
    (tmp_path / "outer").mkdir()
    (data / "images").rename(tmp_path / "outer" / "boneage-training-dataset")
    told = wrongs(tmp_path / "outer")
    assert "holds no radiograph" in told
    assert f"boneage-training-dataset ({COUNT})" in told


def test_without_labels_no_age_can_be_learnt(data: Path):
    (data / "labels.csv").unlink()
    assert "there is no table of labels" in wrongs(data)


def test_every_bad_line_of_the_table_is_named(data: Path):
    rewrite_labels(
        data, lambda rows: [*rows, rows[0], "x,-1,True", "y,900,True", "z,12,perhaps", "../../x,1,True"]
    )
    told = wrongs(data)
    for line, said in ((26, "stands in line 2 already"), (27, "'-1'"), (28, "'900'"), (29, "'perhaps'")):
        assert any(f"line {line}: " in text and said in text for text in told.split("\n"))
    assert check(data).summary["labels"]["without_radiograph"] == ["../../x"]


def test_what_is_no_table_is_wrong(data: Path):
    (data / "labels.csv").write_text("case,months\n1,2\n")
    assert "where id,boneage,male would do" in wrongs(data)


def test_few_missing_radiographs_are_a_note_and_many_are_wrong(data: Path):
    for case_id in IDS[:2]:
        (data / "images" / f"{case_id}.png").unlink()
    assert f"labels without a radiograph: 2 ({IDS[0]}, {IDS[1]})" in notes(data)
    for case_id in IDS[2:6]:
        (data / "images" / f"{case_id}.png").unlink()
    assert "labels without a radiograph: 6 (" in wrongs(data)


def test_few_unlabelled_radiographs_are_a_note_and_many_are_wrong(data: Path):
    rewrite_labels(data, lambda rows: rows[2:])
    assert f"radiographs without a label: 2 ({IDS[0]}, {IDS[1]})" in notes(data)
    rewrite_labels(data, lambda rows: rows[6:])
    assert "radiographs without a label: 8 (" in wrongs(data)


def test_missing_ages_and_sexes_are_counted(data: Path):
    rewrite_labels(data, lambda rows: [f"{IDS[0]},,True", f"{IDS[1]},100,", *rows[2:]])
    told = notes(data)
    assert f"labels without an age: 1 ({IDS[0]})" in told
    assert f"labels without a sex, whose ages are told less exactly: 1 ({IDS[1]})" in told
    assert check(data).summary["labels"]["sexes"]["unknown"] == 1


def test_labels_of_other_radiographs_are_wrong(data: Path):
    rewrite_labels(data, lambda rows: [f"{row.split(',')[0]}.png,100,True" for row in rows])
    told = wrongs(data)
    assert "not one label belongs to a radiograph" in told
    assert f"{IDS[0]}.png" in told


def test_years_for_months_are_noticed(data: Path):
    rewrite_labels(data, lambda rows: [f"{r.split(',')[0]},{i % 17 + 1},True" for i, r in enumerate(rows)])
    assert "these look like years" in wrongs(data)


def test_too_few_cases_for_folds_are_wrong(data: Path):
    for case_id in IDS[5:]:
        (data / "images" / f"{case_id}.png").unlink()
        (data / "outlines" / f"{case_id}.png").unlink()
    rewrite_labels(data, lambda rows: rows[:5])
    assert "too few for 5 folds" in wrongs(data)


def test_outlines_are_looked_at(data: Path):
    outlines = data / "outlines"
    mask = decode((outlines / f"{IDS[0]}.png").read_bytes())
    (outlines / f"{IDS[0]}.png").write_bytes(b"")
    (outlines / f"{IDS[1]}.png").write_bytes(encode_png(mask * 0))
    (outlines / f"{IDS[2]}.png").write_bytes(encode_png(np.ascontiguousarray(mask[::2])))
    (outlines / f"{IDS[3]}.png").rename(outlines / "stranger.png")
    found = check(data)
    told = "\n".join(found.summary["wrong"])
    assert f"{IDS[0]}.png" in told
    assert f"{IDS[1]}.png encloses nothing" in told
    assert f"not of their radiograph's shape: 1 ({IDS[2]})" in told
    assert found.summary["notes"] == ["outlines without a radiograph: 1 (stranger)"]
    assert found.summary["outlines"]["without_radiograph"] == ["stranger"]


def test_polygons_are_outlines_too_and_may_belong_to_thumbnails(data: Path):
    shutil.rmtree(data / "outlines")
    polygons = data / "polygons"
    polygons.mkdir()
    ring = [[10, 10], [70, 10], [70, 90], [10, 90]]
    for case_id, height in ((IDS[0], 96), (IDS[1], 192), ("7", 96), ("8", 96)):
        facts = {
            "size": {"height": height, "width": 80},
            "objects": [{"points": {"exterior": ring, "interior": []}}],
        }
        (polygons / f"{case_id}.json").write_text(json.dumps(facts))
    np.savez(
        data / "thumbs100.npz",
        id=np.array([7]),
        image=np.zeros((1, 100, 100), np.uint8),
        original_hw=np.array([[96, 80]]),
    )
    found = check(data)
    assert found.summary["outlines"]["on_thumbnails"] == 1
    assert found.summary["outlines"]["without_radiograph"] == ["8"]
    assert found.summary["outlines"]["of_another_shape"] == [IDS[1]]


def test_outlines_of_nobody_are_wrong(data: Path):
    for path in (data / "outlines").iterdir():
        path.rename(path.with_name(f"other-{path.name}"))
    assert "not one outline" in wrongs(data)


def test_no_outlines_are_a_note(data: Path):
    shutil.rmtree(data / "outlines")
    assert "there are no outlines" in notes(data)


def test_places_that_were_given_must_be_there(data: Path):
    with pytest.raises(CallError):
        check_data(data / "none", labels=None, outlines=None)
    with pytest.raises(CallError):
        check_data(data, labels=data / "none.csv", outlines=None)
    elsewhere = shutil.move(data / "labels.csv", data.parent / "elsewhere.csv")
    assert not check_data(data, labels=Path(elsewhere), outlines=None).wrong
