from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boneage_segmentation import jaccard, predict_probabilities

from ..conftest import TINY
from ..strategies import seeds


def losses(target, logits):
    return np.asarray(TINY.loss(np.float32(target), np.float32(logits)))


def test_the_loss_is_least_for_the_truth(rows):
    target = np.stack([TINY.prepare(row, 0, None)[1] for row in rows[:3]]).round()
    right, wrong = losses(target, 20 * (2 * target - 1)), losses(target, 20 * (1 - 2 * target))
    black, white = losses(target, 0 * target - 20), losses(target, 0 * target + 20)
    gray = losses(target, 0 * target)
    assert right.shape == (3,)
    assert (right < 1e-3).all()
    for other in (wrong, black, white, gray):
        assert (other > 0.8).all()


@settings(max_examples=20, deadline=None)
@given(seed=seeds, strength=st.sampled_from([1, 100, 1e4]))
def test_the_loss_is_finite_and_per_row(seed, strength):
    rng = np.random.default_rng(seed)
    target, logits = rng.random((2, 8, 8, 1)), strength * rng.normal(size=(2, 8, 8, 1))
    together = losses(target, logits)
    assert np.isfinite(together).all()
    assert losses(target[:1], logits[:1]) == pytest.approx(together[:1], rel=1e-4)


def test_no_hand_is_learned_from_too():
    empty = np.zeros((1, 8, 8, 1))
    assert losses(empty, empty - 20) < 0.01 < losses(empty, empty + 20)


def test_the_learning_rate_rises_and_falls():
    recipe = replace(TINY, epochs=10, learning_rate=1e-2)
    rate = recipe.optimizer(10)._learning_rate
    rates = [float(rate(step)) for step in range(100)]
    assert np.argmax(rates) == 5
    assert max(rates) == pytest.approx(1e-2)
    assert rates[-1] < 1e-3


def test_one_step_in_all_is_enough_for_an_optimizer():
    assert replace(TINY, epochs=1).optimizer(1) is not None


def test_it_learns(trained, unseen_rows):
    probabilities, masks = predict_probabilities(trained, TINY, unseen_rows, batch_size=5)
    scores = [jaccard(p >= 0.5, m) for p, m in zip(probabilities, masks, strict=True)]
    assert all(p.shape == row["image"].shape for p, row in zip(probabilities, unseen_rows, strict=True))
    assert np.mean(scores) >= 0.75
