import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_segmentation import Preprocessing, SegmentationError

from .strategies import radiographs

SMALL = Preprocessing(size=(32, 32))


@given(radiographs())
def test_the_input_has_the_network_s_size_and_range(image):
    values, box = SMALL.apply(image)
    assert values.shape == (32, 32)
    assert values.dtype == np.float32
    assert -2 <= values.min() <= values.max() <= 2
    assert box.source_size == image.shape


@given(radiographs(least=33), st.sampled_from([0.25, 0.5]), st.integers(0, 120))
def test_brightness_and_contrast_hardly_matter(image, gain, offset):
    """A weak, pale radiograph gives the same input, but for the rounding to 8 bits."""
    pale = (image * gain + offset).astype(np.uint8)
    difference = np.abs(SMALL.apply(image)[0] - SMALL.apply(pale)[0])
    assert difference.mean() < 0.15


@given(radiographs())
def test_16_bit_depth_gives_the_same_input_as_8_bit(image):
    deep = image.astype(np.uint16) * 257
    np.testing.assert_array_equal(SMALL.apply(image)[0], SMALL.apply(deep)[0])


def test_the_padding_is_black_and_does_not_count():
    image = np.full((20, 60), 90, np.uint8)
    image[:, 30:] = 180
    values, box = SMALL.apply(image)
    assert (values[: box.top] == -2).all()
    assert values[16, 4] == pytest.approx(-2)
    assert values[16, 28] == pytest.approx(2)


def test_a_few_white_pixels_decide_nothing():
    image = np.random.default_rng(0).integers(0, 60, (64, 64)).astype(np.uint8)
    marked = image.copy()
    marked[:4, :4] = 255
    difference = np.abs(SMALL.apply(marked)[0] - SMALL.apply(image)[0])[4:, 4:]
    assert difference.max() < 0.2


def test_a_blank_radiograph_is_no_error():
    assert (SMALL.apply(np.full((50, 40), 77, np.uint8))[0] == -2).all()


def test_clahe_is_one_of_the_steps():
    image = np.random.default_rng(0).integers(90, 110, (64, 64)).astype(np.uint8)
    image[:8] = 255
    image[8:16] = 0
    with_clahe = Preprocessing(size=(64, 64), clip_limit=4).apply(image)[0]
    assert with_clahe[16:].std() > 1.5 * Preprocessing(size=(64, 64)).apply(image)[0][16:].std()


@given(st.floats(0, 5), st.floats(95, 100), st.integers(1, 4))
def test_it_describes_itself(low, high, times):
    given_one = Preprocessing((32 * times, 64), low, high, 2.5, (2, 3))
    assert Preprocessing.from_json(json.loads(json.dumps(given_one.to_json()))) == given_one


@pytest.mark.parametrize("facts", [{}, {"size": 5}, Preprocessing().to_json() | {"tiles": [1]}])
def test_a_broken_description_is_refused(facts):
    with pytest.raises(SegmentationError, match="received"):
        Preprocessing.from_json(facts)
