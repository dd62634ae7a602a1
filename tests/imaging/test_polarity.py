"""Which way round the gray values are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boneage_imaging.contrast import invert
from boneage_imaging.errors import ArrayError, ImagingError
from boneage_imaging.geometry import resize
from boneage_imaging.phantom import draw_case
from boneage_imaging.polarity import is_inverted


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_a_phantom_and_its_inversion_are_told_apart(index):
    phantom = draw_case(3, index, size=(160, 128), inverted=False)
    assert not is_inverted(phantom.image, phantom.mask)
    assert is_inverted(invert(phantom.image), phantom.mask)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([257, 16, 4, 1]))
def test_a_phantom_in_16_bits_may_use_few_of_them(index, step):
    """As detectors of 10 or 12 bits write them."""
    phantom = draw_case(3, index, size=(160, 128), inverted=False)
    deep = phantom.image.astype(np.uint16) * np.uint16(step)
    assert not is_inverted(deep, phantom.mask)
    assert is_inverted(deep.max() - deep, phantom.mask)


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.sampled_from([(640, 500), (1101, 873), (513, 512)]))
def test_a_large_phantom_is_told_by_every_second_pixel(index, size):
    phantom = draw_case(3, index, size=(160, 128), inverted=False)
    image, mask = resize(phantom.image, size), resize(phantom.mask, size)
    assert not is_inverted(image, mask)
    assert is_inverted(invert(image), mask)


@given(st.booleans())
def test_without_hand_or_background_nothing_is_inverted(value):
    image = np.full((20, 30), 7, np.uint8)
    assert not is_inverted(image, np.full(image.shape, value))


def test_a_mask_is_bool():
    with pytest.raises(ArrayError, match="bool"):
        is_inverted(np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.int64))


def test_shapes_must_agree():
    with pytest.raises(ImagingError, match="20, 30"):
        is_inverted(np.zeros((20, 30), np.uint8), np.zeros((30, 20), bool))
