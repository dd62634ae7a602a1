import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_imaging import encode_png
from boneage_imaging.phantom import draw_case
from boneage_segmentation import AnnotationError, draw_annotation, find_outlines, jaccard, read_outline
from boneage_segmentation.watershed import grow_markers


def polygons(size, *objects):
    """Supervisely's format; each object is (exterior, *interiors)."""
    entries = [
        {"classTitle": "hand", "points": {"exterior": rings[0], "interior": list(rings[1:])}}
        for rings in objects
    ]
    return json.dumps({"size": {"height": size[0], "width": size[1]}, "objects": entries}).encode()


def rectangle(top, left, bottom, right):
    """Through the centres of its corner pixels, which are its own."""
    return [[left, top], [right - 1, top], [right - 1, bottom - 1], [left, bottom - 1]]


def test_a_polygon_is_scaled_to_the_radiograph():
    data = polygons((400, 200), [rectangle(100, 40, 300, 120)])
    mask = read_outline(data, "1.json", (100, 50))
    truth = np.zeros((100, 50), bool)
    truth[25:75, 10:30] = True
    assert mask.dtype == bool
    assert jaccard(mask, truth) >= 0.97
    assert read_outline(data, "1.json").shape == (400, 200)


def test_holes_stay_open_and_several_polygons_are_joined():
    ring = [rectangle(10, 10, 90, 50), rectangle(30, 20, 70, 40)]
    mask = read_outline(polygons((100, 100), ring, [rectangle(40, 60, 60, 90)]), "1.json")
    assert mask[20, 30]
    assert not mask[50, 30]
    assert mask[50, 75]
    # Where polygons overlap they are joined, not subtracted.
    joined = read_outline(polygons((100, 100), [ring[0]], [ring[1]]), "1.json")
    assert joined[50, 30]


@given(st.integers(1, 9), st.lists(st.integers(2, 92), min_size=6, max_size=6))
def test_a_polygon_neither_grows_nor_shrinks(factor, places):
    """Drawn at any scale it has its own area, not that and half a line's thickness all around."""
    # Off the grid of pixels: where an edge runs through their centres, they count as inside.
    triangle = 0.37 + 1.0137 * np.array(places).reshape(3, 2)
    sides = np.roll(triangle, -1, axis=0) - triangle
    area = abs(sides[0, 0] * sides[1, 1] - sides[0, 1] * sides[1, 0]) / 2
    border = np.hypot(*sides.T).sum()
    data = polygons((100 * factor, 100 * factor), [((triangle + 0.5) * factor - 0.5).tolist()])
    mask = read_outline(data, "1.json", (100, 100))
    assert abs(mask.sum() - area) <= 0.2 * border + 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"size": {"height": 3, "width": 4}, "objects": [{"points": {}}]}',
        polygons((5, 5)),
    ],
)
def test_what_is_no_polygon_file_is_refused(data):
    with pytest.raises(AnnotationError, match=r"broken\.json"):
        read_outline(data, "broken.json", (5, 5))


def test_a_plain_mask_may_have_any_value():
    mask = np.zeros((6, 8), bool)
    mask[2:4, 3:7] = True
    for value in (1, 7, 255):
        data = encode_png(mask.astype(np.uint8) * np.uint8(value))
        assert (read_outline(data, "12.png") == mask).all()
        assert (read_outline(data, "12_mask.png") == mask).all()
    assert read_outline(data, "12.png", (12, 16)).sum() == 4 * mask.sum()


def test_no_image_is_refused():
    for data, reason in ((b"", "empty"), (b"not an image", "no picture file"), (b"GIF89a", "a GIF")):
        with pytest.raises(AnnotationError, match=reason):
            read_outline(data, "12.png")


def test_a_mask_of_16_bits_keeps_its_faint_values():
    mask = np.zeros((6, 8), np.uint16)
    mask[2:4, 3:7] = 1
    assert (read_outline(encode_png(mask), "12.png") == (mask > 0)).all()


def test_a_photograph_is_no_coloured_mask():
    blocks = np.kron(np.arange(100, dtype=np.uint8).reshape(10, 10), np.ones((4, 4), np.uint8))
    with pytest.raises(AnnotationError, match="more than 64 regions"):
        read_outline(encode_png(blocks), "12_watershed_mask.png")


SQUARE = [[1, 1], [5, 1], [5, 5], [1, 5]]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[" * 100_000, "no polygons as Supervisely"),
        (b'{"size": {"height": 1e999, "width": 5}, "objects": []}', "no polygons as Supervisely"),
        (b'{"size": {"height": 9, "width": 9}, "objects": [{"points": [1]}]}', "no polygons as Supervisely"),
        (polygons((9, 9), [[[1, 1], [10**400, 1], [5, 5]]]), "no polygons as Supervisely"),
        (polygons((9, 9), [[[1, 1], [float("nan"), 1], [5, 5]]]), "far outside"),
        (polygons((9, 9), [[[1, 1], [2e9, 1], [5, 5]]]), "far outside"),
        (polygons((9, 9), *([SQUARE] for _ in range(1001))), "1001 polygons"),
        (polygons((9, 9)), "0 polygons"),
        (polygons((0, 9), [SQUARE]), r"size \(0, 9\)"),
        (polygons((100_000, 100_000), [SQUARE]), "at most 100000000 are read"),
        (b" " * (1 << 25) + polygons((9, 9), [SQUARE]), "bytes; at most"),
    ],
)
def test_polygons_that_cannot_be_are_refused(data, reason):
    with pytest.raises(AnnotationError, match=f"12.json: .*{reason}"):
        read_outline(data, "12.json")


def test_a_polygon_that_leaves_its_picture_a_little_is_cut_off():
    mask = read_outline(polygons((9, 9), [[[-3, -3], [4, -3], [4, 4], [-3, 4]], []]), "12.json")
    assert mask[:4, :4].all()
    assert mask.sum() == 24  # a corner of the square is less than half a pixel


@pytest.fixture
def annotated(tmp_path):
    phantom = draw_case(1, 0, size=(320, 256))
    image, mask = phantom.image, phantom.mask
    return image, mask, draw_annotation(tmp_path, "case", image, mask)


def test_the_drawn_annotation_is_read_back(annotated):
    image, mask, (markers, color, watershed) = annotated
    for path in (color, watershed):
        assert jaccard(read_outline(path.read_bytes(), path.name, image.shape), mask) >= 0.9
    grown = read_outline(markers.read_bytes(), markers.name, image.shape, image=image)
    assert (grown == read_outline(watershed.read_bytes(), watershed.name)).all()


def test_the_drawn_annotation_looks_as_the_tool_s(annotated):
    _, _, (markers, color, watershed) = annotated
    assert set(np.unique(cv2.imread(str(markers), cv2.IMREAD_GRAYSCALE))) == {0, 24, 35}
    labels = cv2.imread(str(watershed), cv2.IMREAD_GRAYSCALE)
    assert set(np.unique(labels)) == {24, 35, 255}
    assert (labels[0] == 255).all()  # the line around the picture
    assert cv2.imread(str(color)).shape == (*labels.shape, 3)


def test_lines_of_stray_colours_are_given_to_their_neighbours(annotated):
    """Older versions of the tool leave random colours on the lines."""
    _, mask, (_, color, _) = annotated
    pixels = cv2.imread(str(color))
    lines = (pixels == 255).all(axis=-1)
    pixels[lines] = np.random.default_rng(0).integers(0, 256, (int(lines.sum()), 3))
    stray = read_outline(cv2.imencode(".png", pixels)[1].tobytes(), color.name)
    assert jaccard(stray, read_outline(color.read_bytes(), color.name)) > 0.99
    assert jaccard(stray, mask) > 0.9


def test_markers_alone_are_no_outline(annotated):
    _, _, (markers, _, _) = annotated
    with pytest.raises(AnnotationError, match="markers"):
        read_outline(markers.read_bytes(), markers.name)


def test_a_region_map_needs_hand_and_background():
    with pytest.raises(AnnotationError, match="two regions"):
        read_outline(encode_png(np.full((9, 9), 24, np.uint8)), "a_watershed_mask.png")


def test_markers_of_another_size_are_refused(rows):
    with pytest.raises(AnnotationError, match="size"):
        grow_markers(rows[0]["image"], np.zeros((3, 3), np.int32))


def test_a_mask_without_room_for_markers_is_refused(tmp_path, rows):
    image = rows[0]["image"]
    with pytest.raises(AnnotationError, match="no room"):
        draw_annotation(tmp_path, "full", image, np.ones(image.shape, bool))
    assert not list(tmp_path.iterdir())


def test_each_case_s_best_file_is_found(tmp_path):
    names = ["1.png", "1_mask.png", "1_color_mask.png", "1_watershed_mask.png", "2.png", "2_mask.png"]
    for name in [*names, "3.json", "4.png", "4.json", "notes.txt", ".5.png"]:
        (tmp_path / name).write_bytes(b"")
    for name in ("6.png", "3_watershed_mask.png"):
        (tmp_path / name).mkdir()
    found = {case_id: path.name for case_id, path in find_outlines(tmp_path).items()}
    assert found == {
        "1": "1_watershed_mask.png",
        "2": "2_mask.png",
        "3": "3.json",
        "4": "4.json",
        "6": "6.png",
    }


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(AnnotationError, match="no such folder"):
        find_outlines(tmp_path / "nowhere")
