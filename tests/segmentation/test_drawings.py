"""Outlines drawn from markers: right, the same again, and corrected where a person says so."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boneage_imaging import encode_png, invert
from boneage_imaging.phantom import draw_case
from boneage_segmentation import (
    AnnotationError,
    Drawing,
    Stroke,
    draw_annotation,
    draw_mask,
    jaccard,
    mark_keypoints,
    mark_outline,
    mark_strokes,
    read_drawing,
    read_keypoints,
    read_outline,
    write_drawing,
)
from boneage_segmentation.errors import SegmentationError
from boneage_segmentation.polygons import draw_polygons, trace, write_polygons
from boneage_segmentation.sheets import draw_sheet

SIZE = (320, 256)
GOOD = 0.96


def expose(phantom):
    """The phantom's radiograph with soft tissue as plain as a real one's, which is what a skin line is seen by."""
    tissue = cv2.GaussianBlur(phantom.mask.astype(np.float32), (0, 0), 1)
    return np.clip(30 + 70 * tissue + 0.35 * phantom.image, 0, 255).astype(np.uint8)


def ring(*corners):
    return np.array(corners, float)


@pytest.fixture(scope="module")
def phantom():
    phantom = draw_case(1, 0, size=SIZE)
    return replace(phantom, image=expose(phantom))


@pytest.fixture(scope="module")
def rough(phantom):
    """An outline that is wrong by up to five pixels everywhere, as a coarse network's is."""
    shifted = np.roll(phantom.mask, (3, -4), axis=(0, 1))
    return cv2.morphologyEx(shifted.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5))).astype(bool)


@pytest.mark.parametrize("method", ["grabcut", "watershed"])
@pytest.mark.parametrize("index", [0, 4])
def test_the_skin_line_is_found_near_a_rough_outline(method, index):
    phantom = draw_case(1, index, size=SIZE)
    rough = np.roll(phantom.mask, (3, -4), axis=(0, 1))
    drawn = draw_mask(expose(phantom), mark_outline(rough, margin_px=8, method=method))
    assert drawn.dtype == bool
    assert jaccard(rough, phantom.mask) < 0.91
    assert jaccard(drawn, phantom.mask) >= (GOOD if method == "grabcut" else 0.93)


@pytest.mark.parametrize("change", ["inverted", "faint", "16 bit"])
def test_the_exposure_does_not_matter(phantom, rough, change):
    image = {
        "inverted": invert(phantom.image),
        "faint": (90 + phantom.image.astype(float) * 0.2).astype(np.uint8),
        "16 bit": phantom.image.astype(np.uint16) * 257,
    }[change]
    drawing = mark_outline(rough, margin_px=8)
    assert jaccard(draw_mask(image, drawing), phantom.mask) >= 0.95


def test_the_same_drawing_gives_the_same_mask_after_it_was_written_and_read(phantom, rough):
    drawing = replace(
        mark_outline(rough, margin_px=8),
        strokes=(
            Stroke("background", [ring((5, 5), (60, 5))], 5),
            Stroke("unknown", [ring((9, 9), (30, 9))], 3),
        ),
        add=[ring((100, 300), (130, 300), (130, 319), (100, 319))],
        remove=[ring((0, 0), (20, 0), (20, 20))],
        facts={"drawn": "by hand, größer", "kinds": ["framed"]},
    )
    data = write_drawing(drawing)
    again = read_drawing(data, "1.json")
    assert write_drawing(again).split() == data.split()
    assert again.facts == drawing.facts
    first = draw_mask(phantom.image, again)
    cv2.setRNGSeed(99)  # chance elsewhere changes nothing
    assert (draw_mask(phantom.image, read_drawing(data, "1.json")) == first).all()
    assert (draw_mask(phantom.image, drawing) == first).all()


def test_strokes_alone_are_enough(phantom):
    inside = cv2.erode(phantom.mask.astype(np.uint8), np.ones((9, 9))).astype(bool)
    outside = cv2.erode((~phantom.mask).astype(np.uint8), np.ones((9, 9))).astype(bool)
    strokes = (
        *(Stroke("hand", rings) for rings in trace(inside)),
        *(Stroke("background", rings) for rings in trace(outside)),
    )
    drawn = draw_mask(phantom.image, Drawing(phantom.image.shape, strokes=strokes))
    assert jaccard(drawn, phantom.mask) >= GOOD


def test_a_stroke_overrules_the_rough_outline(phantom):
    """A fingertip that the outline lost comes back where it is marked, or no longer ruled out."""
    ys, xs = np.nonzero(phantom.mask)
    top = int(ys.min())
    lost = phantom.mask.copy()
    lost[: top + 40] = False
    drawing = mark_outline(lost, margin_px=4)
    tip = int(xs[ys == top].mean())
    box = ring((tip - 25, top - 6), (tip + 25, top - 6), (tip + 25, top + 46), (tip - 25, top + 46))
    corrected = replace(
        drawing,
        strokes=(Stroke("unknown", [box]), Stroke("hand", [ring((tip, top + 8), (tip, top + 44))], 3)),
    )
    window = np.s_[max(0, top - 6) : top + 40, tip - 12 : tip + 13]
    before, after = (
        jaccard(draw_mask(phantom.image, d)[window], phantom.mask[window]) for d in (drawing, corrected)
    )
    assert before < 0.5 < 0.8 < after


def test_polygons_have_the_last_word(phantom, rough):
    added, removed = (
        ring((100, 290), (200, 290), (200, 319), (100, 319)),
        ring((0, 0), (255, 0), (255, 120), (0, 120)),
    )
    drawing = replace(mark_outline(rough), add=[added], remove=[removed])
    drawn = draw_mask(phantom.image, drawing)
    assert drawn[292:318, 102:198].all()
    assert not drawn[:119].any()


def test_points_may_be_plain_lists(phantom, rough):
    """As the README writes them."""
    lists = {
        "strokes": (
            Stroke("hand", [[[120, 40], [118, 62]]], 9),
            Stroke("background", [[[2, 2], [9, 2], [9, 9]]]),
        ),
        "remove": [[[0, 300], [255, 300], [255, 319], [0, 319]]],
    }
    arrays = {
        "strokes": tuple(
            Stroke(s.label, [np.array(s.rings[0], float)], s.width_px) for s in lists["strokes"]
        ),
        "remove": [np.array(lists["remove"][0], float)],
    }
    first, second = (replace(mark_outline(rough), **parts) for parts in (lists, arrays))
    assert write_drawing(first).split() == write_drawing(second).split()
    assert (draw_mask(phantom.image, first) == draw_mask(phantom.image, second)).all()


def test_the_line_is_moved_by_a_part_of_a_pixel(phantom, rough):
    drawing = mark_outline(rough)
    plain, out, inward = (
        draw_mask(phantom.image, replace(drawing, outward_px=by)) for by in (0.0, 0.8, -0.8)
    )
    edges, _ = cv2.findContours(plain.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    length = sum(cv2.arcLength(edge, True) for edge in edges)
    assert (out | plain == out).all()
    assert (inward & plain == inward).all()
    assert 0.55 < (out.sum() - plain.sum()) / length < 1.0
    assert 0.55 < (plain.sum() - inward.sum()) / length < 1.0


def test_no_method_takes_the_outline_as_it_is(phantom):
    drawing = mark_outline(phantom.mask, method="outline")
    assert jaccard(draw_mask(phantom.image, drawing), phantom.mask) >= 0.985


def test_a_thin_bit_of_a_frame_is_cut_off(phantom, rough):
    image = phantom.image.copy()
    image[-3:] = 255
    drawn = draw_mask(image, mark_outline(rough, margin_px=8))
    assert drawn[-2].sum() <= phantom.mask[-4].sum() + 6


def test_pixelannotationtool_s_markers_are_grown(phantom, tmp_path):
    markers, *_ = draw_annotation(tmp_path, "1", phantom.image, phantom.mask)
    labels = cv2.imread(str(markers), cv2.IMREAD_GRAYSCALE)
    drawing = mark_strokes(phantom.image, labels)
    assert {stroke.label for stroke in drawing.strokes} == {"hand", "background"}
    assert jaccard(draw_mask(phantom.image, drawing), phantom.mask) >= GOOD


def test_keypoints_are_enough_for_a_plain_phantom():
    scores = []
    for index in range(3):
        phantom = draw_case(1, index, size=SIZE)
        points = {name: (x, y) for name, (y, x) in phantom.keypoints.items()}
        scores.append(jaccard(draw_mask(expose(phantom), mark_keypoints(points, SIZE)), phantom.mask))
    assert np.median(scores) >= 0.93


def coco(keypoints, **more):
    names = ["wrist", *(f"{f}{i}" for f in ("thumb", "forefinger", "middle_finger") for i in range(1, 5))]
    names += [f"{f}{i}" for f in ("ring_finger", "pinky_finger") for i in range(1, 5)]
    values = [v for name in names for v in (*keypoints[name], 2)]
    return json.dumps(
        {
            "categories": [{"id": 1, "name": "hand", "keypoints": names}],
            "images": [{"id": "7", "file_name": "7.png", "width": 200, "height": 400}],
            "annotations": [{"image_id": "7", "keypoints": values, **more}],
        }
    ).encode()


def test_keypoints_are_scaled_to_the_radiograph():
    names = ["wrist", *(f"{f}{i}" for f in ("thumb", "forefinger") for i in range(1, 5))]
    names += [f"{f}_finger{i}" for f in ("middle", "ring", "pinky") for i in range(1, 5)]
    given_points = {name: (2 * i + 0.5, 4 * i + 0.5) for i, name in enumerate(names)}
    found = read_keypoints(coco(given_points), "k.json", "7", (200, 100))
    assert list(found) == names
    assert np.allclose([*found.values()], [(i, 2 * i) for i in range(len(names))])
    assert read_keypoints(coco(given_points), "k.json", "8", (200, 100)) is None


def test_a_left_hand_s_keypoints_are_read_where_the_others_are_nil():
    names = ["wrist", *(f"{f}{i}" for f in ("thumb", "forefinger") for i in range(1, 5))]
    names += [f"{f}_finger{i}" for f in ("middle", "ring", "pinky") for i in range(1, 5)]
    points = dict.fromkeys(names, (10.5, 20.5))
    facts = json.loads(coco(points))
    entry = facts["annotations"][0]
    entry["lefthand_kpts"] = entry.pop("keypoints")
    entry["righthand_kpts"] = [0] * 63
    found = read_keypoints(json.dumps(facts).encode(), "k.json", "7", (400, 200))
    assert found["wrist"] == (10.5, 20.5)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"images": [{"id": "7"}], "annotations": [{"image_id": "7"}]}']
)
def test_what_is_no_keypoint_file_is_refused(data):
    with pytest.raises(AnnotationError, match=r"k\.json"):
        read_keypoints(data, "k.json", "7", (4, 4))


SQUARE = [[1, 1], [5, 1], [5, 5]]
FACTS = {"size": {"height": 9, "width": 9}}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ([], "no drawing"),
        ({}, "no drawing"),
        (FACTS | {"method": "magic"}, "grabcut, watershed, outline would do"),
        (
            FACTS | {"strokes": [{"label": "bone", "rings": [SQUARE]}]},
            "hand, background and unknown would do",
        ),
        (FACTS | {"strokes": [{"label": "hand", "rings": [SQUARE], "width_px": -1}]}, "width_px"),
        (FACTS | {"strokes": [{"rings": [SQUARE]}]}, "no drawing"),
        (FACTS | {"add": [[[1, 2, 3]]]}, "no drawing"),
        (FACTS | {"add": [[[1e9, 2], [3, 4], [5, 5]]]}, "far outside"),
        (FACTS | {"margin_px": -2}, "margin_px -2"),
        (FACTS | {"smooth_px": 99}, "smooth_px 99"),
        (FACTS | {"outward_px": 9}, "outward_px 9"),
        (FACTS | {"size": {"height": 0, "width": 9}}, "size"),
        (FACTS | {"add": [[[1, 1]] * 200_001]}, "corners"),
    ],
)
def test_what_is_no_drawing_is_refused(facts, reason):
    with pytest.raises(AnnotationError, match=f"1.json: .*{reason}"):
        read_drawing(json.dumps(facts).encode(), "1.json")


def test_a_drawing_that_cannot_be_followed_is_refused(phantom, rough):
    with pytest.raises(AnnotationError, match="received"):
        draw_mask(phantom.image[:-1], mark_outline(rough))
    with pytest.raises(AnnotationError, match="both hand and background"):
        draw_mask(phantom.image, Drawing(SIZE))
    with pytest.raises(AnnotationError, match="both hand and background"):
        draw_mask(phantom.image, mark_outline(np.ones(SIZE, bool)))
    with pytest.raises(AnnotationError, match="no hand"):
        draw_mask(phantom.image, Drawing(SIZE, method="outline"))


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_a_traced_mask_is_drawn_again_as_it_was(seed):
    noise = np.random.default_rng(seed).normal(size=(60, 50)).astype(np.float32)
    mask = cv2.GaussianBlur(noise, (0, 0), 3) > 0.02
    polygons = trace(mask, 0)
    assert (draw_polygons(polygons, mask.shape, mask.shape) == mask).mean() > 0.995


def test_an_outline_is_written_as_supervisely_does_and_read_back(phantom):
    data = write_polygons(trace(phantom.mask), SIZE, {"drawn": "by hand"})
    assert jaccard(read_outline(data, "1.json"), phantom.mask) >= 0.99
    assert json.loads(data)["drawn"] == "by hand"
    assert len(data) < 12_000
    assert len(data) < len(encode_png(phantom.image))


def green_of(sheet):
    return (sheet[..., 1].astype(int) - sheet[..., 2]) > 80


def test_a_sheet_shows_each_hand_with_its_outline(phantom):
    data = draw_sheet(
        [("one", phantom.image, phantom.mask), ("two", phantom.image, ~phantom.mask)], columns=2
    )
    sheet = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert sheet.shape == (800, 960, 3)
    red = (sheet[..., 2].astype(int) - sheet[..., 1]) > 80
    assert red[:, :480].sum() > 500
    assert red[:, 480:].sum() > 500
    assert not green_of(sheet).any()
    second = draw_sheet([("two outlines", phantom.image, phantom.mask, np.roll(phantom.mask, 20, axis=1))])
    assert green_of(cv2.imdecode(np.frombuffer(second, np.uint8), cv2.IMREAD_COLOR)).sum() > 500
    with pytest.raises(SegmentationError, match=r"one or two masks .* received \[0\]"):
        draw_sheet([("nothing", phantom.image)])
    empty = draw_sheet([("none", phantom.image, np.zeros(SIZE, bool))])
    assert cv2.imdecode(np.frombuffer(empty, np.uint8), cv2.IMREAD_COLOR).shape == (800, 1440, 3)
