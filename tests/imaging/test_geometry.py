"""Letterbox and its inverse, rotation there and back, image and mask moved alike, no aliasing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_imaging import geometry
from boneage_imaging.errors import ArrayError, ParameterError

from .strategies import angles_deg, images, masks, sizes, smooth_images


def ramps(size):
    """Two float pictures: each pixel's x, and each pixel's y."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    return columns, rows


def assert_moved_by(matrix, size, moved_x, moved_y, tolerance, source_size):
    """Pixels of moved ramps must say where they come from, wherever their whole area lies in the source."""
    inverse = geometry.invert_matrix(matrix)
    rows, columns = np.mgrid[: size[0], : size[1]]
    came_from = geometry.apply_points(inverse, np.column_stack([columns.ravel(), rows.ravel()]))
    margin = 0.5 * sum(geometry.source_steps(matrix)) + 0.5
    inside = ((came_from >= margin) & (came_from <= np.array(source_size[::-1]) - 1 - margin)).all(axis=1)
    for moved, expected in ((moved_x, came_from[:, 0]), (moved_y, came_from[:, 1])):
        assert np.abs(moved.ravel() - expected)[inside].max(initial=0) <= tolerance


# --- letterbox ---


@given(sizes(1, 80), sizes(1, 80))
def test_letterbox_puts_pixel_centres_where_its_matrix_says(source, target):
    moved_x, box = geometry.letterbox(ramps(source)[0], target)
    moved_y = geometry.letterbox(ramps(source)[1], target)[0]
    # A mean over whole and part pixels of a ramp is off by at most an eighth of a pixel.
    assert_moved_by(box.matrix(), target, moved_x, moved_y, 0.15, source)


@given(sizes(1, 300), sizes(1, 300))
def test_letterbox_keeps_the_aspect_ratio_and_centres(source, target):
    _, box = geometry.letterbox(np.zeros(source, np.uint8), target)
    height, width = box.inner_size
    assert (box.source_size, box.target_size) == (source, target)
    assert height == target[0] or width == target[1]
    scale = min(target[0] / source[0], target[1] / source[1])
    assert height == 1 or abs(height - source[0] * scale) <= 0.5
    assert width == 1 or abs(width - source[1] * scale) <= 0.5
    assert 0 <= box.top <= target[0] - height - box.top <= box.top + 1
    assert 0 <= box.left <= target[1] - width - box.left <= box.left + 1


@given(images(), sizes(1, 80), st.integers(0, 255))
def test_letterbox_fills_around_and_only_around(image, target, fill):
    framed, box = geometry.letterbox(image, target, fill=fill)
    height, width = box.inner_size
    inner = framed[box.top : box.top + height, box.left : box.left + width]
    assert framed.dtype == image.dtype
    assert image.min() <= inner.min() <= inner.max() <= image.max()
    assert int(framed.astype(np.int64).sum() - inner.astype(np.int64).sum()) == fill * (
        framed.size - inner.size
    )


@given(images(), st.integers(1, 3))
def test_letterbox_into_a_whole_multiple_and_back_is_nearly_nothing(image, factor):
    size = (image.shape[0] * factor, image.shape[1] * factor)
    framed, box = geometry.letterbox(image, size)
    back = geometry.unletterbox(framed, box)
    white = np.iinfo(image.dtype).max
    assert back.dtype == image.dtype
    # Growing linearly and averaging again is a mild blur: exact for a factor of 1.
    assert np.abs(back.astype(int) - image).max() <= (0 if factor == 1 else 0.5 * white)
    assert np.array_equal(back, image) or factor > 1


@given(smooth_images(), st.floats(0.5, 3), st.integers(0, 40))
def test_letterbox_there_and_back_returns_a_smooth_image(image, scale, extra):
    size = (round(image.shape[0] * scale) + extra, round(image.shape[1] * scale))
    back = geometry.unletterbox(*geometry.letterbox(image, size))
    assert back.shape == image.shape
    assert np.abs(back.astype(int) - image).max() <= 0.06 * np.iinfo(image.dtype).max


@given(sizes(1, 80), sizes(1, 80), st.floats(0, 1, width=32))
def test_unletterbox_keeps_a_constant_probability(source, target, probability):
    framed, box = geometry.letterbox(np.full(source, probability, np.float32), target)
    np.testing.assert_allclose(geometry.unletterbox(framed, box), probability, atol=1e-6)


@given(sizes(30, 80), sizes(30, 80))
def test_unletterbox_brings_a_disc_back_to_its_place(source, target):
    rows, columns = np.mgrid[: source[0], : source[1]]
    radius = min(source) / 3
    disc = np.hypot(rows - source[0] / 2, columns - source[1] / 2) < radius
    back = geometry.unletterbox(*geometry.letterbox(disc, target))
    scale = min(target[0] / source[0], target[1] / source[1])
    assert back.dtype == bool
    # Wrong pixels lie along the outline only: at most about a frame pixel and a picture pixel wide.
    assert (back ^ disc).sum() <= 2 * np.pi * radius * (0.5 + 0.5 / min(1, scale))


def test_unletterbox_wants_the_frames_size():
    box = geometry.letterbox(np.zeros((5, 9), np.uint8), (10, 10))[1]
    with pytest.raises(ParameterError, match="frame"):
        geometry.unletterbox(np.zeros((9, 10), np.uint8), box)


@given(smooth_images(), sizes(8, 80))
def test_warp_by_the_letterbox_matrix_is_letterbox(image, target):
    framed, box = geometry.letterbox(image, target)
    warped = geometry.warp(image, box.matrix(), target)
    inner = (
        slice(box.top + 2, box.top + box.inner_size[0] - 2),
        slice(box.left + 2, box.left + box.inner_size[1] - 2),
    )
    difference = np.abs(warped.astype(int) - framed)[inner]
    assert difference.max(initial=0) <= 0.05 * np.iinfo(image.dtype).max


# --- resize, fit_within, flip ---


@given(images(), st.integers(1, 6))
def test_shrinking_by_a_whole_factor_is_the_mean_of_blocks(image, factor):
    big = np.kron(image, np.ones((factor, factor), image.dtype))
    np.testing.assert_array_equal(geometry.resize(big, image.shape), image)


@given(images(), st.integers(1, 60))
def test_fit_within_shrinks_only(image, long_side):
    result = geometry.fit_within(image, long_side)
    assert result.dtype == image.dtype
    assert max(result.shape) == min(long_side, max(image.shape))
    if max(image.shape) <= long_side:
        np.testing.assert_array_equal(result, image)


@given(images() | masks())
def test_flipping_twice_is_nothing(image):
    flipped = geometry.flip(image)
    assert flipped.dtype == image.dtype
    np.testing.assert_array_equal(flipped[:, 0], image[:, -1])
    np.testing.assert_array_equal(geometry.flip(flipped), image)


# --- rotate ---


@given(images() | masks(), st.integers(-8, 8))
def test_quarter_turns_are_exact(image, quarters):
    result = geometry.rotate(image, 90 * quarters)
    assert result.dtype == image.dtype
    np.testing.assert_array_equal(result, np.rot90(image, quarters))


@given(smooth_images(least=40), angles_deg)
def test_rotation_there_and_back_returns_the_middle(image, angle_deg):
    there = geometry.rotate(image, angle_deg)
    back = geometry.rotate(there, -angle_deg)
    top, left = (back.shape[0] - image.shape[0]) / 2, (back.shape[1] - image.shape[1]) / 2
    # The frames' centres agree; where their parities differ that is half a pixel off.
    shift = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])
    returned = geometry.warp(back, shift, image.shape)
    middle = slice(4, -4), slice(4, -4)
    difference = np.abs(returned.astype(int) - image)[middle]
    assert difference.max() <= 0.05 * np.iinfo(image.dtype).max


@given(sizes(8, 60), angles_deg, st.booleans())
def test_rotate_puts_pixel_centres_where_its_matrix_says(size, angle_deg, expand):
    matrix, target = geometry.rotation_matrix(size, angle_deg, expand=expand)
    moved_x, moved_y = (geometry.rotate(ramp, angle_deg, expand=expand) for ramp in ramps(size))
    assert moved_x.shape == target
    # OpenCV's own interpolation keeps 1/32 of a pixel.
    assert_moved_by(matrix, target, moved_x, moved_y, 0.06, size)


@given(masks(least=4), angles_deg)
def test_a_mask_is_turned_exactly_like_its_image(mask, angle_deg):
    turned = geometry.rotate(mask, angle_deg)
    image = geometry.rotate(mask.astype(np.uint8) * 255, angle_deg)
    assert turned.dtype == bool
    np.testing.assert_array_equal(turned, image >= 128)


@given(smooth_images(), angles_deg)
def test_mirroring_turns_the_other_way_round(image, angle_deg):
    one = geometry.flip(geometry.rotate(image, angle_deg, expand=False))
    other = geometry.rotate(geometry.flip(image), -angle_deg, expand=False)
    difference = np.abs(one.astype(int) - other)[3:-3, 3:-3]
    assert np.percentile(difference, 95) <= 0.03 * np.iinfo(image.dtype).max


def test_rotate_fills_what_was_outside():
    turned = geometry.rotate(np.zeros((20, 20), np.uint8), 45, fill=200)
    assert turned.shape == (29, 29)
    assert turned[0, 0] == 200
    assert turned[14, 14] == 0
    assert geometry.rotate(np.zeros((20, 20), bool), 45, fill=True)[0, 0]


# --- warp ---

similarities = st.builds(
    lambda angle, scale, mirror, x, y: geometry.similarity_matrix(
        source_xy=(30, 30), target_xy=(x, y), angle_deg=angle, scale=scale, mirror=mirror
    ),
    angles_deg,
    st.floats(0.1, 3),
    st.booleans(),
    st.floats(0, 40),
    st.floats(0, 40),
)


@given(similarities, sizes(1, 50))
def test_warp_puts_pixel_centres_where_its_matrix_says(matrix, target):
    moved_x, moved_y = (geometry.warp(ramp, matrix, target) for ramp in ramps((61, 70)))
    assert_moved_by(matrix, target, moved_x, moved_y, 0.06, (61, 70))


@given(images() | masks())
def test_warping_by_the_identity_is_nothing(image):
    np.testing.assert_array_equal(geometry.warp(image, np.eye(3)[:2], image.shape), image)


@given(masks(least=4), similarities, sizes(1, 50))
def test_a_mask_is_warped_exactly_like_its_image(mask, matrix, target):
    moved = geometry.warp(mask, matrix, target)
    image = geometry.warp(mask.astype(np.uint8) * 255, matrix, target)
    assert moved.dtype == bool
    np.testing.assert_array_equal(moved, image >= 128)


@given(st.integers(2, 16), st.integers(2, 16), st.sampled_from([np.uint8, np.uint16, np.float32]))
def test_warp_shrinks_by_a_whole_factor_as_the_mean_of_blocks(down, right, dtype):
    fine = np.random.default_rng(down * 100 + right).integers(0, 256, (5 * down, 6 * right)).astype(dtype)
    matrix = np.array([[1 / right, 0, 0.5 / right - 0.5], [0, 1 / down, 0.5 / down - 0.5]])
    means = fine.reshape(5, down, 6, right).mean(axis=(1, 3))
    assert np.abs(geometry.warp(fine, matrix, (5, 6)) - means).max() <= 0.5 + 0.51


@given(st.floats(0, 90), st.floats(2.5, 12))
def test_warp_does_not_alias_when_it_shrinks(angle_deg, factor):
    checkerboard = (np.indices((240, 240)).sum(axis=0) % 2 * 200).astype(np.uint8)
    matrix = geometry.similarity_matrix(
        source_xy=(119.5, 119.5), target_xy=(7.5, 7.5), angle_deg=angle_deg, scale=1 / factor
    )
    small = geometry.warp(checkerboard, matrix, (16, 16))
    middle = small[4:12, 4:12].astype(float)
    assert abs(middle.mean() - 100) <= 3
    assert middle.std() <= 12  # taking single pixels would give 100


def test_warp_shrinks_a_large_picture_by_very_much():
    picture = np.full((1000, 3000), 80, np.uint8)
    matrix = np.array([[0.001, 0.0, 0.0005 - 0.5], [0.0, 0.001, 0.0005 - 0.5]])
    assert geometry.warp(picture, matrix, (1, 3))[0, 1] == 80


def test_warp_fills_what_lies_outside():
    away = np.array([[1.0, 0.0, 100.0], [0.0, 1.0, 0.0]])
    assert (geometry.warp(np.zeros((4, 4), np.uint16), away, (4, 4), fill=9000) == 9000).all()
    assert geometry.warp(np.zeros((4, 4), bool), away, (4, 4), fill=True).all()


# --- what is refused ---


@pytest.mark.parametrize("size", [(0, 4), (4, -1), (4,)])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ParameterError, match="size"):
        geometry.letterbox(np.zeros((4, 4), np.uint8), size)


@pytest.mark.parametrize("fill", [-1, 256, float("nan")])
def test_a_fill_that_the_image_cannot_hold_is_refused(fill):
    image = np.zeros((4, 4), np.uint8)
    for function in (geometry.letterbox, lambda image, fill: geometry.rotate(image, 5, fill=fill)):
        with pytest.raises(ParameterError, match="fill"):
            function(image, fill=fill)


@pytest.mark.parametrize("angle_deg", [float("nan"), float("inf")])
def test_an_angle_that_is_none_is_refused(angle_deg):
    with pytest.raises(ParameterError, match="angle_deg"):
        geometry.rotate(np.zeros((4, 4), np.uint8), angle_deg)


def test_a_long_side_of_nothing_is_refused():
    with pytest.raises(ParameterError, match="long_side"):
        geometry.fit_within(np.zeros((4, 4), np.uint8), 0)


def test_warp_refuses_what_opencv_cannot_address():
    with pytest.raises(ParameterError, match="32766"):
        geometry.warp(np.zeros((1, 40_000), np.uint8), np.eye(3)[:2], (4, 4))


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8), np.zeros((4, 4), int)]
)
def test_what_is_no_picture_is_refused(image):
    for function in (geometry.letterbox, geometry.flip, lambda image: geometry.rotate(image, 5)):
        with pytest.raises(ArrayError, match="2-D"):
            function(image)
