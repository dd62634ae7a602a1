"""What becomes of the network's answer before a mask is made of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_imaging import to_uint16
from boneage_imaging.phantom import draw_case
from boneage_segmentation.inference import _is_flat, _keep_near_sure, sure_share
from boneage_segmentation.training import choose_least_sure

from .strategies import seeds

THRESHOLD = 0.5


def answer(blob=0.7, size=(64, 64)):
    """A sure hand, its edge less sure, and a blob of one probability at its side."""
    probability = np.zeros(size, np.float32)
    probability[9:55, 19:41] = 0.6
    probability[10:54, 20:40] = 0.99
    probability[30:34, 41:46] = blob
    return probability


def test_what_is_merely_likely_goes_and_the_sure_hands_edge_stays():
    kept = _keep_near_sure(answer(), THRESHOLD)
    assert not kept[30:34, 41:].any()
    without = answer(blob=0)
    assert np.array_equal(kept, without)


def test_what_is_sure_stays():
    assert np.array_equal(_keep_near_sure(answer(blob=0.95), THRESHOLD), answer(blob=0.95))


@pytest.mark.parametrize("scale", [0.6, 0.9])
def test_a_network_that_is_hardly_ever_sure_is_believed(scale):
    weak = answer() * np.float32(scale)
    assert np.array_equal(_keep_near_sure(weak, 0.3), weak)


@given(seeds, st.floats(0.05, 0.95), st.floats(0.1, 3))
def test_it_only_takes_away(seed, threshold, power):
    probability = np.random.default_rng(seed).random((24, 17), np.float32) ** np.float32(power)
    kept = _keep_near_sure(probability, threshold)
    assert kept.dtype == np.float32
    assert np.all((kept == probability) | (kept == 0))
    surest = probability >= max(0.9, threshold)
    assert np.array_equal(kept[surest], probability[surest])


def test_the_share_that_is_sure():
    mask = answer() >= 0.6
    sure = np.count_nonzero(answer() >= 0.9)
    assert sure_share(answer(), mask) == pytest.approx(sure / np.count_nonzero(mask))
    assert sure_share(answer(), np.zeros_like(mask)) == 0


def test_the_least_share_leaves_room_below_the_cases_that_chose():
    shares = [sure_share(p, p >= THRESHOLD) for p in (answer(), answer(blob=0))]
    assert shares[0] < shares[1]
    assert choose_least_sure([answer(blob=0), answer()], THRESHOLD) == pytest.approx(0.85 * shares[0])
    assert choose_least_sure([], THRESHOLD) == 0


@pytest.mark.parametrize("size", [(96, 80), (320, 256), (900, 720)])
@pytest.mark.parametrize("times", [0.5, 1])
def test_a_hand_is_not_flat_in_either_depth(size, times):
    phantom = draw_case(5, 3, size=size)
    image = np.rint(phantom.image * times).astype(np.uint8)
    assert not _is_flat(image, phantom.mask)
    assert not _is_flat(to_uint16(image), phantom.mask)


@given(seeds, st.floats(0, 3), st.floats(-60, 60))
def test_noise_on_a_slope_is_flat(seed, deviation, slope):
    rng = np.random.default_rng(seed)
    mask = draw_case(5, 3, size=(600, 480)).mask
    values = 120 + slope * np.linspace(-1, 1, mask.shape[1]) + rng.normal(0, deviation, mask.shape)
    image = np.clip(values, 0, 255).astype(np.uint8)
    image[:30, :30] = 255  # a marker, so that all of 16 bits are in use
    assert _is_flat(image, mask)
    assert _is_flat(to_uint16(image), mask)
