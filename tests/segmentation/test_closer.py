"""The second look: the hand upright, large and light, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boneage_imaging import invert, is_inverted, orientation, rotate, warp
from boneage_imaging.phantom import draw_case
from boneage_segmentation import jaccard
from boneage_segmentation.closer import look_closer

SIZE = (96, 96)
PHANTOM = draw_case(5, 3, size=(320, 256))
UPRIGHT = orientation(PHANTOM.mask).angle_deg


def turned(angle_deg):
    angle_deg -= UPRIGHT
    return rotate(PHANTOM.image, angle_deg), rotate(PHANTOM.mask, angle_deg)


def look(image, mask):
    return look_closer(image, mask, SIZE, inverted=is_inverted(image, mask))


def padded(share):
    wide = round(share * max(PHANTOM.mask.shape))
    return np.pad(PHANTOM.image, wide), np.pad(PHANTOM.mask, wide)


def shows(closer, mask):
    """That the whole hand lies upright in the frame, its longer side over half of it; and the way back."""
    seen = warp(mask, closer.matrix, SIZE)
    rows, columns = closer.inner
    assert seen[rows, columns].sum() == seen.sum()
    assert abs(orientation(seen).angle_deg) < 10
    assert max(np.ptp(np.argwhere(seen), axis=0)) > 0.6 * max(SIZE)
    back = closer.back(seen.astype(np.float32), mask.shape)
    assert back.shape == mask.shape
    assert jaccard(back >= 0.5, mask) > 0.9


def test_an_upright_large_and_light_hand_needs_no_second_look():
    assert look(*turned(0)) is None
    assert look(*turned(12)) is None


@settings(max_examples=25, deadline=None)
@given(st.floats(30, 330))
def test_a_turned_hand_is_shown_upright(angle_deg):
    image, mask = turned(angle_deg)
    closer = look(image, mask)
    shows(closer, mask)
    assert not is_inverted(closer.framed, warp(mask, closer.matrix, SIZE))


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_a_small_hand_is_shown_large(share):
    image, mask = padded(share)
    shows(look(image, mask), mask)


def test_a_dark_hand_is_shown_light_in_either_depth():
    for image in (invert(PHANTOM.image), invert(PHANTOM.image).astype(np.uint16) * 257):
        closer = look(image, PHANTOM.mask)
        shows(closer, PHANTOM.mask)
        assert not is_inverted(closer.framed, warp(PHANTOM.mask, closer.matrix, SIZE))
        assert closer.framed.dtype == np.uint16


def test_what_has_no_direction_is_looked_at_as_it_lies():
    y, x = np.mgrid[:200, :200]
    disc = (x - 50) ** 2 + (y - 60) ** 2 < 30**2
    closer = look(np.where(disc, 200, 20).astype(np.uint8), disc)
    seen = warp(disc, closer.matrix, SIZE)
    assert seen.sum() == pytest.approx(disc.sum() * np.linalg.det(closer.matrix[:, :2]), rel=0.05)
