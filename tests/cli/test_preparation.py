"""How a hand is brought to the age network's input."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boneage_cli.errors import ConfigError
from boneage_cli.preparation import Prepare
from boneage_cli.stages import prepare_image
from boneage_imaging import phantom
from boneage_imaging.contrast import window
from boneage_imaging.geometry import resize, warp
from boneage_imaging.masks import apply_mask

HAND = phantom.draw(age_months=120, male=True, seed=3, size=(320, 256))
FINE = Prepare(height=104, width=88)


def _sharpness(image: np.ndarray) -> float:
    return float(np.abs(np.diff(image.astype(float), axis=0)).mean())


@settings(max_examples=15, deadline=None)
@given(st.floats(0.2, 1.0), st.booleans(), st.booleans())
def test_less_detail_is_the_same_hand_as_a_smaller_picture_shows_it(detail, mask, align):
    whole = prepare_image(HAND.image, HAND.mask, replace(FINE, mask=mask, align=align))
    coarse = prepare_image(HAND.image, HAND.mask, replace(FINE, mask=mask, align=align, detail=detail))
    assert coarse.image.shape == whole.image.shape == (104, 88)
    assert np.array_equal(coarse.matrix, whole.matrix)
    assert coarse.image.mean() == pytest.approx(whole.image.mean(), abs=1.5)
    small = (round(104 * detail), round(88 * detail))
    assert np.array_equal(coarse.image, resize(resize(whole.image, small), (104, 88)))


def test_detail_is_lost_and_one_loses_none():
    whole, coarse = (
        prepare_image(HAND.image, HAND.mask, replace(FINE, clahe=False, detail=detail))
        for detail in (1.0, 0.45)
    )
    low, high = np.percentile(HAND.image[HAND.mask], (0.5, 99.5))
    hand = apply_mask(window(HAND.image, float(low), float(high)), HAND.mask)
    assert np.array_equal(whole.image, warp(hand, whole.matrix, (104, 88)))
    assert _sharpness(coarse.image) < 0.8 * _sharpness(whole.image)


@pytest.mark.parametrize("detail", [0.0, -0.5, 1.1, float("nan")])
def test_a_detail_that_cannot_be_is_refused(detail):
    with pytest.raises(ConfigError, match="detail"):
        Prepare(detail=detail)
