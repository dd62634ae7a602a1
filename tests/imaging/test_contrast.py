"""CLAHE against a slow reference; windows, inversion, depth."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_imaging import contrast
from boneage_imaging.errors import ArrayError, ParameterError

from .strategies import images

clip_limits = st.floats(0.1, 60)
grids = st.tuples(st.integers(1, 9), st.integers(1, 9))


def reference_clahe(image, clip_limit, tiles):
    """Zuiderveld's definition with the choices of `contrast.clahe`, pixel by pixel, in 8-bit units."""
    height, width = image.shape
    unit = 1 if image.dtype == np.uint8 else 257
    padded = np.pad(image, ((0, -height % tiles[0]), (0, -width % tiles[1])), mode="reflect") / unit
    tile_height, tile_width = padded.shape[0] // tiles[0], padded.shape[1] // tiles[1]
    count = tile_height * tile_width

    def tile_map(row, column):
        tile = padded[
            row * tile_height : (row + 1) * tile_height, column * tile_width : (column + 1) * tile_width
        ]
        histogram = [0] * 256
        for value in tile.ravel():
            histogram[math.floor(value + 0.5)] += 1
        limit = max(1, math.floor(clip_limit * count / 256))
        excess = sum(max(0, number - limit) for number in histogram)
        each, left = divmod(excess, 256)
        histogram = [min(number, limit) + each for number in histogram]
        for index in range(left):
            histogram[index * (256 // left)] += 1
        return np.cumsum(histogram) * 255 / count

    def near(position, tile_length, tile_count):
        before = math.floor(position / tile_length - 0.5)
        weight = position / tile_length - 0.5 - before
        return (max(before, 0), 1 - weight), (min(before + 1, tile_count - 1), weight)

    maps = [[tile_map(row, column) for column in range(tiles[1])] for row in range(tiles[0])]
    result = np.zeros(image.shape)
    for y in range(height):
        for x in range(width):
            value = padded[y, x]
            low = math.floor(value)
            for row, row_weight in near(y, tile_height, tiles[0]):
                for column, column_weight in near(x, tile_width, tiles[1]):
                    table = maps[row][column]
                    mapped = table[low] + (table[min(low + 1, 255)] - table[low]) * (value - low)
                    result[y, x] += mapped * row_weight * column_weight
    return result * unit


@given(images(most=40), clip_limits, grids)
def test_clahe_is_the_slow_reference(image, clip_limit, tiles):
    result = contrast.clahe(image, clip_limit=clip_limit, tiles=tiles)
    assert result.dtype == image.dtype
    assert result.shape == image.shape
    # Half a level from rounding the maps and half a level from rounding the mean, in float32.
    assert np.abs(result - reference_clahe(image, clip_limit, tiles)).max() <= 1.01


@given(images(dtypes=[np.uint8]), clip_limits, grids)
def test_both_depths_agree(image, clip_limit, tiles):
    shallow = contrast.clahe(image, clip_limit=clip_limit, tiles=tiles)
    deep = contrast.clahe(image.astype(np.uint16) * 257, clip_limit=clip_limit, tiles=tiles)
    assert np.abs(deep / 257 - shallow).max() <= 1.01


@given(st.integers(0, 65535), st.tuples(st.integers(1, 40), st.integers(1, 40)), clip_limits, grids)
def test_a_constant_image_stays_constant_within_a_tile_grid_that_fits(value, size, clip_limit, tiles):
    fitting = (size[0] * tiles[0], size[1] * tiles[1])
    result = contrast.clahe(np.full(fitting, value, np.uint16), clip_limit=clip_limit, tiles=tiles)
    assert np.ptp(result) <= 1


@given(images(most=40), clip_limits)
def test_one_tile_keeps_the_order_of_values(image, clip_limit):
    result = contrast.clahe(image, clip_limit=clip_limit, tiles=(1, 1))
    order = np.argsort(image, axis=None, kind="stable")
    # The one tile's weights differ in the last float32 digit from pixel to pixel: a step of rounding.
    assert (np.diff(result.ravel()[order].astype(np.int64)) >= -1).all()


@given(images(dtypes=[np.uint8], most=40))
def test_without_clipping_one_tile_is_histogram_equalisation(image):
    result = contrast.clahe(image, clip_limit=256.0, tiles=(1, 1))
    cumulated = np.cumsum(np.bincount(image.ravel(), minlength=256)) / image.size
    assert np.abs(result - 255 * cumulated[image]).max() <= 0.51


def test_sixteen_bits_keep_more_levels_than_eight():
    image = np.linspace(20_000, 24_000, 4096).astype(np.uint16).reshape(64, 64)
    assert len(np.unique(contrast.clahe(image))) > 2000


def test_only_the_side_that_needs_padding_is_padded():
    image = np.random.default_rng(0).integers(0, 256, (64, 60)).astype(np.uint8)
    padded = np.pad(image, ((0, 0), (0, 4)), mode="reflect")
    expected = cv2.createCLAHE(2.0, (8, 8)).apply(padded)[:, :60]
    np.testing.assert_array_equal(contrast.clahe(image), expected)


@pytest.mark.parametrize("clip_limit", [0, -1, math.nan, math.inf])
def test_clahe_refuses_limits_that_are_none(clip_limit):
    with pytest.raises(ParameterError, match="clip_limit"):
        contrast.clahe(np.zeros((8, 8), np.uint8), clip_limit=clip_limit)


@pytest.mark.parametrize("tiles", [(0, 8), (8, -1), (8,)])
def test_clahe_refuses_grids_that_are_none(tiles):
    with pytest.raises(ParameterError, match="tiles"):
        contrast.clahe(np.zeros((8, 8), np.uint8), tiles=tiles)


@pytest.mark.parametrize(
    "function",
    [contrast.clahe, contrast.invert, contrast.stretch, contrast.to_uint8, contrast.to_uint16],
)
@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4)),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 4), bool),
        [[1]],
    ],
    ids=["float", "colour", "empty", "mask", "list"],
)
def test_what_is_no_gray_image_is_refused(function, image):
    with pytest.raises(ArrayError, match="uint8 or uint16"):
        function(image)


@given(images())
def test_inverting_twice_is_nothing(image):
    inverted = contrast.invert(image)
    assert (inverted.astype(int) + image == np.iinfo(image.dtype).max).all()
    np.testing.assert_array_equal(contrast.invert(inverted), image)


@given(images(), st.floats(-100, 70_000), st.just(0.0) | st.floats(0.001, 70_000))
def test_window_is_its_formula(image, low, width):
    result = contrast.window(image, low, low + width)
    share = (image - low) / width if width else np.where(image > low, 1.0, 0.0)
    assert result.dtype == np.uint8
    assert np.abs(result - np.clip(share, 0, 1) * 255).max() <= 0.5 + 1e-6


@given(images())
def test_the_full_window_is_to_uint8(image):
    white = np.iinfo(image.dtype).max
    np.testing.assert_array_equal(contrast.window(image, 0, white), contrast.to_uint8(image))


@pytest.mark.parametrize(("low", "high"), [(2, 1), (math.nan, 1), (0, math.inf)])
def test_window_refuses_what_is_no_window(low, high):
    with pytest.raises(ParameterError, match="low"):
        contrast.window(np.zeros((2, 2), np.uint8), low, high)


@given(images(), st.integers(1, 3), st.integers(0, 60))
def test_stretch_does_not_mind_gain_and_offset(image, gain, offset):
    small = contrast.to_uint8(image).astype(np.uint16)
    np.testing.assert_array_equal(contrast.stretch(small), contrast.stretch(small * gain + offset))


@given(images(least=2))
def test_stretch_uses_the_whole_range_unless_constant(image):
    result = contrast.stretch(image, low_percent=0, high_percent=100)
    assert (result.min(), result.max()) == ((0, 255) if np.ptp(image) else (0, 0))


def test_stretch_leaves_a_few_extreme_pixels_out():
    image = np.tile(np.arange(1000, 2000, dtype=np.uint16), (10, 1))
    image[0, :10] = 65535
    spoilt = contrast.stretch(image)
    assert spoilt[5].max() >= 250
    assert spoilt[5].min() <= 5


def test_stretch_refuses_percentiles_the_wrong_way_round():
    with pytest.raises(ParameterError, match="low_percent"):
        contrast.stretch(np.zeros((2, 2), np.uint8), low_percent=60, high_percent=40)


@given(images())
def test_eight_bits_to_sixteen_and_back(image):
    small = contrast.to_uint8(image)
    deep = contrast.to_uint16(small)
    assert deep.dtype == np.uint16
    np.testing.assert_array_equal(contrast.to_uint8(deep), small)
    np.testing.assert_array_equal(contrast.to_uint16(deep), deep)
