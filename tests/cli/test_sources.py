"""Where cases come from: files by their stem, names that can be trusted, outlines matched to pictures."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_cli.config import Phantoms
from boneage_cli.errors import CallError, DataError
from boneage_cli.files import shown
from boneage_cli.sources import (
    Data,
    image_files,
    is_safe_id,
    list_cases,
    list_phantoms,
    locate,
    name_faults,
    thumbnail_ids,
)
from boneage_cli.stages import apply_ingest, setup_ingest
from boneage_imaging.codec import decode, encode_png

PICTURE = encode_png(np.arange(64, dtype=np.uint8).reshape(8, 8))


def make(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(PICTURE)
    return folder


def make_polygons(folder: Path, *ids: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    ring = [[10, 10], [80, 10], [80, 180], [10, 180]]
    facts = {
        "size": {"height": 200, "width": 100},
        "objects": [{"points": {"exterior": ring, "interior": []}}],
    }
    for case_id in ids:
        (folder / f"{case_id}.json").write_text(json.dumps(facts))
    return folder


def make_thumbnails(path: Path, *ids: int, **changes: Any) -> Path:
    arrays: dict[str, Any] = {
        "id": np.array(ids),
        "image": np.stack([np.full((100, 100), index, np.uint8) for index in range(len(ids))]),
        "original_hw": np.array([[200 + index, 100] for index in range(len(ids))]),
    }
    np.savez(path, **{name: value for name, value in (arrays | changes).items() if value is not None})
    return path


def test_a_data_set_is_found_by_its_folder_or_its_images(tmp_path: Path) -> None:
    make(tmp_path / "images", "1.png")
    make_polygons(tmp_path / "polygons", "1")
    (tmp_path / "labels.csv").write_text("id,boneage,male\n")
    make_thumbnails(tmp_path / "thumbs100.npz", 1)
    by_folder, by_images = locate(tmp_path), locate(tmp_path / "images")
    for found in (by_folder, by_images):
        assert found.images.samefile(tmp_path / "images")
        for name in ("labels.csv", "polygons", "thumbs100.npz"):
            places = [found.labels, found.outlines, found.thumbnails]
            assert any(place is not None and place.samefile(tmp_path / name) for place in places)


def test_a_flat_folder_is_a_data_set_too(tmp_path: Path) -> None:
    make(tmp_path / "flat", "1.png")
    (tmp_path / "labels.csv").write_text("not this table's folder")
    assert locate(tmp_path / "flat") == Data(tmp_path / "flat")
    (tmp_path / "flat" / "labels.csv").write_text("id,boneage,male\n")
    (tmp_path / "flat" / "outlines").write_text("a file of that name is no folder of outlines")
    assert locate(tmp_path / "flat") == Data(tmp_path / "flat", tmp_path / "flat" / "labels.csv")


def test_thumbnails_beside_given_outlines_are_found(tmp_path: Path) -> None:
    make(tmp_path / "a", "1.png")
    outlines = make_polygons(tmp_path / "b" / "polygons", "7")
    make_thumbnails(tmp_path / "b" / "thumbs100.npz", 7)
    found = locate(tmp_path / "a", outlines=outlines)
    assert found.outlines == outlines
    assert found.thumbnails == tmp_path / "b" / "thumbs100.npz"


def test_paths_that_are_not_there_are_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "images", "1.png")
    file = folder / "1.png"
    for arguments in ((tmp_path / "none",), (file,), (folder, tmp_path / "none.csv"), (folder, folder)):
        with pytest.raises(CallError, match="not there or not"):
            locate(*arguments)
    with pytest.raises(CallError, match="not there or not"):
        locate(folder, outlines=file)


def test_only_what_is_named_as_a_picture_is_listed(tmp_path: Path) -> None:
    make(tmp_path, "b.png", "a.JPG", "c.tiff", "d.dcm", ".hidden.png", "notes.txt", "e.gif")
    assert [path.name for path in image_files(tmp_path)] == ["a.JPG", "b.png", "c.tiff", "d.dcm", "e.gif"]
    with pytest.raises(CallError, match="not a folder"):
        image_files(tmp_path / "b.png")


def make_no_files(folder: Path) -> dict[str, str]:
    """Things that are named as pictures and are no files, and what is said of each."""
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / "dangling.png").symlink_to(folder / "nothing.png")
    (folder / "circle.png").symlink_to(folder / "circle.png")
    (folder / "film.gif").write_bytes(b"GIF89a")
    (folder / os.fsdecode(b"latin-\xe9.png")).write_bytes(PICTURE)
    return {
        "folder.png": "it is a folder, not a file",
        "pipe.png": "it is a pipe, not a file",
        "dangling.png": "it is not there, or a link that leads nowhere",
        "circle.png": "it is a link that leads in a circle",
        "film.gif": "a GIF is not read; a PNG would do",
        os.fsdecode(b"latin-\xe9.png"): "is not written in UTF-8; a new name would do",
    }


def test_what_cannot_be_read_is_listed_and_named_a_fault(tmp_path: Path) -> None:
    make(tmp_path, "good.png", "film.png", "pipe.tif")
    said = make_no_files(tmp_path)
    faults = {path.name: fault for path, fault in name_faults(image_files(tmp_path)).items()}
    assert sorted(faults) == sorted(said)
    for name, text in said.items():
        assert text in faults[name]


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".a", "a/b", "/a", "a\\b", "a\0", "a\nb", "\x7f", "a\u2028b", "\udcff", "x" * 201]
)
def test_unsafe_names(name: str) -> None:
    assert not is_safe_id(name)


@pytest.mark.parametrize(
    "name", ["1378", "a b", "Müller-7_x", "1.2.840.113619", "骨", "x" * 200, "-", "a..b"]
)
def test_safe_names(name: str) -> None:
    assert is_safe_id(name)


@given(st.text(max_size=250))
def test_a_safe_id_names_a_file_in_its_folder_and_nowhere_else(case_id: str) -> None:
    if is_safe_id(case_id):
        place = Path("/folder") / f"{case_id}.png"
        assert place.parent == Path("/folder")
        assert ".." not in place.parts
        assert len(place.name.encode()) < 255
        assert shown(case_id) == case_id
    assert shown(case_id).isprintable()


def test_doubled_stems_and_unsafe_names_are_faults(tmp_path: Path) -> None:
    names = ("a.png", "a.jpg", "b.png", "c\n.png", "A.png")
    files = [make(tmp_path, *names) / name for name in names]
    faults = name_faults(files)
    assert set(faults) == {files[0], files[1], files[3]}
    assert "2 files are named 'a'" in faults[files[0]]
    assert "\n" not in faults[files[3]]


def test_cases_are_the_radiographs_by_stem_with_what_is_known(tmp_path: Path) -> None:
    make(tmp_path / "images", "2.png", "1.png", "3.jpg")
    make(tmp_path / "outlines", "2.png")
    (tmp_path / "labels.csv").write_text("id,boneage,male\n1,100,True\n2,,\n9,50,False\n../../x,1,True\n")
    cases = list_cases(locate(tmp_path))
    assert [case["case_id"] for case in cases] == ["1", "2", "3"]
    assert {case["kind"] for case in cases} == {"radiograph"}
    assert [case["age_months"] for case in cases] == [100.0, None, None]
    assert [case["male"] for case in cases] == [True, None, None]
    assert [case["outline_uri"] for case in cases] == [None, str(tmp_path / "outlines" / "2.png"), None]
    assert all(case["mask_uri"] is None for case in cases)


def test_masks_are_matched_by_stem(tmp_path: Path) -> None:
    images, masks = make(tmp_path / "images", "1.png", "2.png"), make(tmp_path / "masks", "2.tif", "7.png")
    cases = list_cases(Data(images, masks=masks))
    assert [case["mask_uri"] for case in cases] == [None, str(masks / "2.tif")]
    make(masks, "2.png")
    os.mkfifo(masks / "1.png")
    one, two = list_cases(Data(images, masks=masks))
    assert one["mask_uri"] is two["mask_uri"] is None
    assert one["fault"] == "its mask 1.png: it is a pipe, not a file"
    assert two["fault"] == "its mask 2.tif: 2 files are named '2'; one of them would do"


def test_files_that_cannot_be_cases_are_listed_with_their_fault(tmp_path: Path) -> None:
    folder = make(tmp_path / "images", "0.png", "1.png", "1.jpg", "1.png.png", "a\nb.png", "x" * 210 + ".png")
    said = make_no_files(folder)
    cases = list_cases(Data(folder))
    good, bad = ([case for case in cases if bool(case["fault"]) == wrong] for wrong in (False, True))
    assert [case["case_id"] for case in good] == ["0", "1.png"]
    assert [case["uri"] for case in bad] == [None] * (4 + len(said))
    assert {case["case_id"]: case["fault"] for case in bad}["'a\\nb.png'"].startswith("the name")
    assert len({case["case_id"] for case in cases}) == len(cases)
    for case in bad:
        with pytest.raises(DataError) as caught:
            apply_ingest(case, setup_ingest({}))
        assert str(caught.value) == case["fault"]
        assert case["case_id"].isprintable()


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no radiograph"):
        list_cases(Data(tmp_path))


def test_outlines_without_a_radiograph_go_to_the_thumbnails(tmp_path: Path) -> None:
    make(tmp_path / "images", "1.png")
    make_polygons(tmp_path / "polygons", "1", "7", "8", "99")
    make_thumbnails(tmp_path / "thumbs100.npz", 1, 7, 8)
    (tmp_path / "labels.csv").write_text("id,boneage,male\n7,70,True\n")
    cases = {case["case_id"]: case for case in list_cases(locate(tmp_path))}
    assert list(cases) == ["1", "7", "8"]
    assert [case["kind"] for case in cases.values()] == ["radiograph", "thumbnail", "thumbnail"]
    seven = cases["7"]
    assert (seven["true_height"], seven["true_width"], seven["age_months"]) == (201, 100, 70.0)
    assert decode(seven["thumbnail"])[0, 0] == 1
    assert cases["1"]["thumbnail"] is None
    assert cases["1"]["outline_uri"] == str(tmp_path / "polygons" / "1.json")


def test_a_thumbnail_is_never_named_unsafely(tmp_path: Path) -> None:
    make(tmp_path / "images", "1.png")
    make_polygons(tmp_path / "polygons", "a\nb")
    make_thumbnails(tmp_path / "thumbs100.npz", 0, id=np.array(["a\nb"]))
    assert [case["case_id"] for case in list_cases(locate(tmp_path))] == ["1"]


@pytest.mark.parametrize(
    "damage",
    ["no arrays", "cut off", "no sizes", "uneven", "pickled", "flat", "deep", "vast"],
)
def test_a_damaged_archive_of_thumbnails_is_refused(tmp_path: Path, damage: str) -> None:
    make(tmp_path / "images", "1.png")
    make_polygons(tmp_path / "polygons", "7")
    path = make_thumbnails(tmp_path / "thumbs100.npz", 7, 8)
    if damage == "no arrays":
        path.write_bytes(b"something else")
    elif damage == "cut off":
        path.write_bytes(path.read_bytes()[:-400])
    elif damage == "no sizes":
        make_thumbnails(path, 7, 8, original_hw=None)
    elif damage == "uneven":
        make_thumbnails(path, 7, 8, original_hw=np.array([[1, 1]]))
    elif damage == "flat":
        make_thumbnails(path, 7, 8, original_hw=np.array([1, 1]))
    elif damage == "deep":
        make_thumbnails(path, 7, 8, image=np.zeros((2, 100, 100), np.float64))
    elif damage == "vast":
        with zipfile.ZipFile(path, "w") as archive:
            header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (9000000000000,)}"
            archive.writestr("id.npy", b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header)
    else:
        make_thumbnails(path, 7, 8, image=np.array([{}, {}], dtype=object))
    with pytest.raises(DataError, match="thumbs100"):
        list_cases(locate(tmp_path))


def test_a_thumbnail_whose_size_is_not_known_is_set_aside_and_the_others_go_on(tmp_path: Path) -> None:
    make(tmp_path / "images", "1.png")
    make_polygons(tmp_path / "polygons", "7", "8")
    make_thumbnails(tmp_path / "thumbs100.npz", 7, 8, 9, original_hw=np.array([[0, 0], [20, 10], [0, 0]]))
    faults = {case["case_id"]: case["fault"] for case in list_cases(locate(tmp_path))}
    assert faults == {"1": None, "7": "the true size of its thumbnail is not known", "8": None}


def test_the_ids_of_thumbnails_are_read_without_their_pictures(tmp_path: Path) -> None:
    path = make_thumbnails(tmp_path / "thumbs100.npz", 7, 12)
    with zipfile.ZipFile(path) as archive:
        ids = archive.read("id.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("id.npy", ids)
    assert thumbnail_ids(path) == {"7", "12"}


def test_phantoms_are_listed_as_cases() -> None:
    cases = list_phantoms(Phantoms(count=3, seed=5, height=100, width=80))
    assert [case["case_id"] for case in cases] == ["phantom-00000", "phantom-00001", "phantom-00002"]
    assert [case["phantom_index"] for case in cases] == [0, 1, 2]
    assert all(is_safe_id(case["case_id"]) for case in cases)
    assert {(c["phantom_seed"], c["true_height"], c["true_width"]) for c in cases} == {(5, 100, 80)}
    assert {tuple(sorted(case)) for case in cases} == {tuple(sorted(cases[0]))}
