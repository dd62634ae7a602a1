"""What becomes of the network's answer before a mask is made of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_segmentation.inference import _keep_near_sure

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


def test_a_finger_joined_to_the_hand_by_what_is_likely_stays():
    probability = answer(blob=0)
    probability[24:32, 41:44], probability[24:32, 44:60] = 0.7, 0.99
    assert np.array_equal(_keep_near_sure(probability, THRESHOLD), probability)


@given(seeds, st.floats(0.05, 0.95), st.floats(0.1, 3))
def test_it_only_takes_away(seed, threshold, power):
    probability = np.random.default_rng(seed).random((24, 17), np.float32) ** np.float32(power)
    kept = _keep_near_sure(probability, threshold)
    assert kept.dtype == np.float32
    assert np.all((kept == probability) | (kept == 0))
    surest = probability >= max(0.9, threshold)
    assert np.array_equal(kept[surest], probability[surest])
