"""Commands on folders: right pictures and names, bad files set aside, the same with any number of workers."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from boneage_cli.config import Phantoms
from boneage_cli.errors import CallError, DataError
from boneage_cli.folders import (
    FolderResult,
    contrast_folder,
    phantom_folder,
    resize_folder,
    segment_folder,
)
from boneage_cli.labels import read_labels
from boneage_cli.sources import list_cases, list_phantoms, locate
from boneage_cli.stages import apply_ingest, setup_ingest
from boneage_imaging.alignment import orientation
from boneage_imaging.codec import decode, encode_png
from boneage_imaging.contrast import clahe
from boneage_imaging.geometry import rotate

from .picture_folders import COUNT, SIZE, align, contents, draw, load


@pytest.fixture(scope="module")
def few(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good pictures of different depth and suffix, and one of each kind of bad file."""
    folder = tmp_path_factory.mktemp("few")
    image = decode((phantoms / "images" / "phantom-00000.png").read_bytes())
    (folder / "eight.png").write_bytes(encode_png(image))
    (folder / "sixteen.tif").write_bytes(cv2.imencode(".tif", image.astype(np.uint16) * 257)[1])
    (folder / "broken.png").write_bytes(encode_png(image)[:-200])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.bmp").write_text("no picture")
    (folder / "twin.png").write_bytes(encode_png(image))
    (folder / "twin.bmp").write_bytes(cv2.imencode(".bmp", image)[1])
    (folder / "new\nline.png").write_bytes(encode_png(image))
    return folder


GOOD = ["eight", "sixteen"]
BAD = {
    "broken.png": "cut off",
    "empty.jpg": "empty",
    "text.bmp": "",
    "twin.bmp": "2 files are named 'twin'",
    "twin.png": "2 files are named 'twin'",
    "'new\\nline.png'": "cannot be a case's id",
}


def resize(images: Path, out: Path, *, fill: str = "black", workers: int = 1) -> FolderResult:
    return resize_folder(images, out, size=(64, 48), fill=fill, workers=workers, quiet=True)


def contrast(images: Path, out: Path, *, workers: int = 1) -> FolderResult:
    return contrast_folder(images, out, clip_limit=2.0, tiles=4, workers=workers, quiet=True)


# Every command


@pytest.mark.parametrize("work", [resize, contrast])
def test_bad_files_are_set_aside_with_their_reason_and_the_rest_is_done(work, few: Path, tmp_path: Path):
    result = work(few, tmp_path / "out")
    assert sorted(contents(tmp_path / "out")) == [f"{stem}.png" for stem in GOOD]
    assert result.done == 2
    reasons = dict(result.failed)
    assert sorted(reasons) == sorted(BAD)
    for name, said in BAD.items():
        assert said in reasons[name]
        assert any(name in line and reasons[name] in line for line in result.lines)
    assert {entry["name"]: entry["reason"] for entry in result.summary["failed"]} == reasons
    assert (result.summary["files"], result.summary["done"]) == (8, 2)
    assert json.loads(json.dumps(result.summary)) == result.summary
    assert result.lines[-1] == "Not a medical device."


def test_nothing_is_left_of_an_earlier_call_for_a_file_that_is_bad_now(few: Path, tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("broken.png", "twin.png", "stranger.png"):
        (out / name).write_bytes(b"earlier")
    resize(few, out)
    assert sorted(contents(out)) == ["eight.png", "sixteen.png", "stranger.png"]


@pytest.mark.parametrize("name", ["resize", "contrast", "align"])
def test_the_number_of_workers_changes_nothing(name: str, phantoms: Path, tmp_path: Path):
    def work(out: Path, workers: int) -> FolderResult:
        if name == "align":
            return align(phantoms / "images", out, phantoms / "outlines", workers=workers)
        return {"resize": resize, "contrast": contrast}[name](phantoms / "images", out, workers=workers)

    one, two = work(tmp_path / "one", 1), work(tmp_path / "two", 2)
    assert one.done == two.done == COUNT
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_folder_without_pictures_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="holds no radiograph"):
        resize(tmp_path, tmp_path / "out")
    with pytest.raises(CallError, match="not a folder"):
        resize(tmp_path / "none", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_place_that_is_no_folder_is_refused(few: Path, tmp_path: Path):
    (tmp_path / "file").write_text("precious")
    for out in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(CallError, match="which is no folder"):
            resize(few, out)
    assert (tmp_path / "file").read_text() == "precious"


def test_no_source_is_written_over(phantoms: Path, tmp_path: Path):
    before = contents(phantoms)
    link = tmp_path / "link"
    link.symlink_to(phantoms)
    images, outlines = phantoms / "images", phantoms / "outlines"
    for out in (images, images / ".." / "images", link / "images"):
        with pytest.raises(CallError, match="to read from and to write to"):
            resize(images, out)
    with pytest.raises(CallError, match="to read from and to write to"):
        align(images, outlines, outlines)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "masks").symlink_to(images)
    with pytest.raises(CallError, match="to read from and to write to"):
        segment_folder(images, tmp_path / "data", model=None, workers=1, quiet=True)
    assert contents(phantoms) == before


# preprocess --mode resize


def test_resizing_keeps_aspect_and_depth_and_pads_with_one_colour(tmp_path: Path):
    images = tmp_path / "in"
    images.mkdir()
    for dtype, name in ((np.uint8, "a"), (np.uint16, "b")):
        white = np.iinfo(dtype).max
        (images / f"{name}.png").write_bytes(encode_png(np.full((40, 80), white // 2, dtype)))
    for fill, share in (("white", 1.0), ("black", 0.0)):
        resize_folder(images, tmp_path / fill, size=(64, 64), fill=fill, workers=1, quiet=True)
        for dtype, name in ((np.uint8, "a"), (np.uint16, "b")):
            white = np.iinfo(dtype).max
            out = load(tmp_path / fill / f"{name}.png")
            assert out.dtype == dtype
            assert out.shape == (64, 64)
            assert (out[16:48] == white // 2).all()
            assert (np.concatenate([out[:16], out[48:]]) == round(share * white)).all()


def test_a_gray_padding_must_fit_the_depth(few: Path, tmp_path: Path):
    result = resize(few, tmp_path / "out", fill="300")
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["sixteen.png"]
    assert load(tmp_path / "out" / "sixteen.png")[0, 0] == 300
    assert "cannot be padded with 300" in dict(result.failed)["eight.png"]


@pytest.mark.parametrize("fill", ["-1", "65536", "pink", "", "1.5", "\u0661"])
def test_paddings_that_cannot_be(fill: str, few: Path, tmp_path: Path):
    with pytest.raises(CallError, match="--fill"):
        resize(few, tmp_path / "out", fill=fill)


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (100_000, 100_000)])
def test_sizes_that_cannot_be(size: tuple[int, int], few: Path, tmp_path: Path):
    with pytest.raises(CallError, match="--size"):
        resize_folder(few, tmp_path / "out", size=size, fill="black", workers=1, quiet=True)


# preprocess --mode contrast


def test_contrast_is_clahe_at_the_pictures_own_size_and_depth(few: Path, tmp_path: Path):
    contrast(few, tmp_path / "out")
    eight, sixteen = (load(tmp_path / "out" / f"{stem}.png") for stem in GOOD)
    source = load(few / "eight.png")
    assert np.array_equal(eight, clahe(source, clip_limit=2.0, tiles=(4, 4)))
    assert (eight.dtype, sixteen.dtype) == (np.uint8, np.uint16)
    assert np.abs(sixteen / 257 - eight).max() <= 1
    assert not np.array_equal(eight, source)


@pytest.mark.parametrize(("clip_limit", "tiles"), [(0.0, 8), (float("nan"), 8), (2.0, 0), (2.0, 257)])
def test_contrast_settings_that_cannot_be(clip_limit: float, tiles: int, few: Path, tmp_path: Path):
    with pytest.raises(CallError, match=r"--clip-limit|--tiles"):
        contrast_folder(few, tmp_path / "out", clip_limit=clip_limit, tiles=tiles, workers=1, quiet=True)


# align


def test_hands_are_turned_upright(phantoms: Path, tmp_path: Path):
    ids = [f"phantom-{index:05d}" for index in range(6)]
    for folder in ("in", "masks"):
        (tmp_path / folder).mkdir()
    for case_id, angle in zip(ids, (0, 35, 90, 140, 180, 250), strict=True):
        image, mask = (load(phantoms / kind / f"{case_id}.png") for kind in ("images", "outlines"))
        (tmp_path / "in" / f"{case_id}.png").write_bytes(encode_png(rotate(image, angle)))
        (tmp_path / "masks" / f"{case_id}.png").write_bytes(encode_png(rotate(mask > 0, angle)))
    result = align(tmp_path / "in", tmp_path / "out", tmp_path / "masks")
    # The masks, taken for pictures, are turned by their own angles, so what comes out must be upright.
    again = align(tmp_path / "masks", tmp_path / "turned", tmp_path / "masks")
    assert result.done == again.done == 6
    assert result.summary["angle_deg"] == again.summary["angle_deg"]
    for case_id in ids:
        turned = load(tmp_path / "turned" / f"{case_id}.png") >= 128
        assert abs(orientation(turned).angle_deg) < 3
        assert load(tmp_path / "out" / f"{case_id}.png").shape == turned.shape


def test_what_has_no_usable_mask_is_set_aside(phantoms: Path, tmp_path: Path):
    images, masks = tmp_path / "in", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    image, mask = (load(phantoms / kind / "phantom-00001.png") for kind in ("images", "outlines"))
    bad = {"empty": mask * 0, "full": mask | 255, "squashed": np.ascontiguousarray(mask[::2])}
    good = {"same": mask, "smaller": np.ascontiguousarray(mask[::2, ::2])}
    for name in (*bad, *good, "none"):
        (images / f"{name}.png").write_bytes(encode_png(image))
    for name, drawn in (bad | good).items():
        (masks / f"{name}.png").write_bytes(encode_png(drawn))
    result = align(images, tmp_path / "out", masks)
    assert sorted(contents(tmp_path / "out")) == ["same.png", "smaller.png"]
    reasons = dict(result.failed)
    assert set(reasons) == {f"{name}.png" for name in (*bad, "none")}
    assert "no mask" in reasons["none.png"]
    assert "not of one shape" in reasons["squashed.png"]
    assert "empty" in reasons["empty.png"]


def test_a_case_with_two_masks_is_set_aside_and_the_rest_is_done(phantoms: Path, tmp_path: Path):
    masks, ids = tmp_path / "masks", [f"phantom-{index:05d}" for index in range(COUNT)]
    shutil.copytree(phantoms / "outlines", masks)
    shutil.copy(masks / f"{ids[0]}.png", masks / f"{ids[0]}.tif")
    (masks / f"{ids[1]}.png").unlink()
    os.mkfifo(masks / f"{ids[1]}.png")
    result = align(phantoms / "images", tmp_path / "out", masks)
    assert sorted(contents(tmp_path / "out")) == [f"{case_id}.png" for case_id in ids[2:]]
    assert [name for name, _ in result.failed] == [f"{case_id}.png" for case_id in ids[:2]]
    assert f"2 files are named '{ids[0]}'" in result.failed[0][1]
    assert "it is a pipe" in result.failed[1][1]
    with pytest.raises(CallError, match="not a folder"):
        align(phantoms / "images", tmp_path / "out", tmp_path / "none")


def test_what_is_no_picture_file_never_takes_the_place_of_a_picture(phantoms: Path, tmp_path: Path):
    images = tmp_path / "in"
    images.mkdir()
    shutil.copy(phantoms / "images" / "phantom-00000.png", images / "a.png")
    (images / "a.gif").write_bytes(b"GIF89a")
    (images / "a.tif").mkdir()
    os.mkfifo(images / "b.png")
    for _ in range(2):
        result = resize(images, tmp_path / "out")
        assert sorted(contents(tmp_path / "out")) == ["a.png"]
        assert [name for name, _ in result.failed] == ["a.gif", "a.tif", "b.png"]
        assert (result.summary["files"], result.summary["done"]) == (4, 1)


# phantom


def test_phantoms_are_a_data_set(phantoms: Path):
    assert sorted(path.name for path in phantoms.iterdir()) == [
        "images",
        "keypoints.json",
        "labels.csv",
        "outlines",
    ]
    labels = read_labels(phantoms / "labels.csv")
    cases = list_cases(locate(phantoms))
    assert (phantoms / "labels.csv").read_text().startswith("id,boneage,male\n")
    assert [case["case_id"] for case in cases] == list(labels)
    assert len(cases) == COUNT
    for case in cases:
        image, outline = load(Path(case["uri"])), load(Path(case["outline_uri"]))
        assert image.shape == outline.shape == SIZE
        assert set(np.unique(outline)) == {0, 255}
        assert case["age_months"] is not None
        assert case["male"] is not None


def test_a_run_sees_the_same_cases_in_the_folder_as_it_draws_by_itself(phantoms: Path):
    settings = setup_ingest({})
    listed = list_cases(locate(phantoms))
    drawn = list_phantoms(Phantoms(count=COUNT, seed=3, height=SIZE[0], width=SIZE[1]))
    for of_folder, of_run in list(zip(listed, drawn, strict=True))[:5]:
        assert of_folder["case_id"] == of_run["case_id"]
        read, made = apply_ingest(of_folder, settings), apply_ingest(of_run, settings)
        read.pop("kind", None), made.pop("kind", None)
        assert read == made


def test_same_seed_same_phantoms_with_any_number_of_workers(phantoms: Path, tmp_path: Path):
    draw(tmp_path / "one", COUNT, workers=1)
    draw(tmp_path / "other", 2, seed=4)
    draw(tmp_path / "fewer", 2)
    assert contents(tmp_path / "one") == contents(phantoms)
    fewer, other = contents(tmp_path / "fewer"), contents(tmp_path / "other")
    name = "images/phantom-00001.png"
    assert fewer[name] == contents(phantoms)[name]
    assert other[name] != fewer[name]


def test_keypoints_are_coco_and_lie_on_the_hand(phantoms: Path):
    coco = json.loads((phantoms / "keypoints.json").read_text())
    (category,) = coco["categories"]
    assert len(category["keypoints"]) == 21
    assert category["keypoints"][0] == "wrist"
    assert sorted({joint for bone in category["skeleton"] for joint in bone}) == list(range(1, 22))
    assert [entry["id"] for entry in coco["images"]] == [e["image_id"] for e in coco["annotations"]]
    for image, annotation in zip(coco["images"], coco["annotations"], strict=True):
        mask = load(phantoms / "outlines" / image["file_name"]) > 0
        assert (image["height"], image["width"]) == mask.shape
        left, top, width, height = annotation["bbox"]
        assert mask[top : top + height, left : left + width].sum() == mask.sum() == annotation["area"]
        points = np.array(annotation["keypoints"]).reshape(21, 3)
        seen = points[points[:, 2] == 2]
        assert len(seen) >= 5
        on_hand = mask[np.rint(seen[:, 1]).astype(int), np.rint(seen[:, 0]).astype(int)]
        assert on_hand.mean() > 0.9


def test_a_smaller_set_takes_the_place_of_a_larger_one_whole(tmp_path: Path):
    draw(tmp_path, 3)
    (tmp_path / "notes.txt").write_text("mine")
    draw(tmp_path, 2)
    names = sorted(contents(tmp_path))
    assert names == [
        "images/phantom-00000.png",
        "images/phantom-00001.png",
        "keypoints.json",
        "labels.csv",
        "notes.txt",
        "outlines/phantom-00000.png",
        "outlines/phantom-00001.png",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.csv", "id,boneage,male\n1377,180,False\n"),
        ("labels.csv", "my own table"),
        ("images/1377.png", "a radiograph"),
        ("outlines/1377.json", "hours of work"),
        ("keypoints.json", '{"info": {"description": "mine"}}'),
        ("keypoints.json", "[]"),
        ("images", "a file"),
    ],
)
def test_a_data_set_that_is_no_phantoms_is_never_replaced(tmp_path: Path, name: str, content: str):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    with pytest.raises(CallError, match="would be replaced"):
        draw(tmp_path, 1)
    assert contents(tmp_path) == {name: content.encode()}


@pytest.mark.parametrize(
    ("count", "seed", "size"), [(0, 0, SIZE), (1, -1, SIZE), (1, 0, (31, 64)), (1, 0, (64, 9000))]
)
def test_phantoms_that_cannot_be(count: int, seed: int, size: tuple[int, int], tmp_path: Path):
    with pytest.raises(CallError, match="would do"):
        phantom_folder(tmp_path / "out", count=count, seed=seed, size=size, workers=1, quiet=True)
    assert not (tmp_path / "out").exists()
