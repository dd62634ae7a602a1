from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boneage_imaging import encode_png
from boneage_segmentation import (
    SegmentationError,
    SegmentationRecipe,
    choose_threshold,
    jaccard,
    predict_probabilities,
)

from .conftest import TINY
from .strategies import seeds


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


def test_rows_may_hold_png_or_arrays(rows):
    row = rows[0]
    packed = row | {"image": encode_png(row["image"]), "outline": encode_png(row["outline"])}
    for epoch in (None, 3):
        (plain, target), (same, same_target) = (TINY.prepare(r, 7, epoch) for r in (row, packed))
        assert (plain["image"] == same["image"]).all()
        assert (target == same_target).all()
        assert plain["image"].shape == target.shape == (64, 64, 1)


def test_the_variation_follows_from_seed_epoch_and_case(rows):
    def image(row=rows[0], seed=1, epoch=2):
        return TINY.prepare(row, seed, epoch)[0]["image"]

    assert (image() == image()).all()
    for other in (image(seed=2), image(epoch=3), image(row=rows[0] | {"case_id": "other"})):
        assert (image() != other).any()


def test_an_outline_of_another_size_is_refused(rows):
    with pytest.raises(SegmentationError, match="case 1-0"):
        TINY.prepare(rows[0] | {"outline": np.zeros((3, 3), bool)}, 0, None)


def test_the_metric_is_the_jaccard_index(rows):
    target = np.stack([TINY.prepare(row, 0, None)[1] for row in rows[:2]])
    found = TINY.metrics(target, np.where(target >= 0.5, 1.0, -1.0))
    assert found["jaccard"].tolist() == [1, 1]
    assert TINY.metrics(target, np.full_like(target, -1.0))["jaccard"].tolist() == [0, 0]


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


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_the_chosen_threshold_is_as_good_as_any(seed):
    rng = np.random.default_rng(seed)
    masks = [rng.random((12, 12)) < 0.4 for _ in range(3)]
    probabilities = [np.clip(0.5 * m + rng.random((12, 12)) * 0.6, 0, 1) for m in masks]

    def mean(threshold):
        return np.mean([jaccard(p >= threshold, m) for p, m in zip(probabilities, masks, strict=True)])

    chosen = choose_threshold(probabilities, masks)
    assert 0.2 <= chosen <= 0.8
    assert mean(chosen) >= max(mean(t) for t in np.arange(10, 41) / 50) - 1e-3


def test_the_threshold_is_one_half_where_nothing_speaks_for_another():
    assert choose_threshold([], []) == 0.5
    mask = np.eye(4, dtype=bool)
    assert choose_threshold([mask.astype(np.float32)], [mask]) == 0.5


def test_a_threshold_needs_a_mask_for_each_probability():
    with pytest.raises(SegmentationError, match="received 0 and 1"):
        choose_threshold([np.zeros((2, 2))], [])


def test_a_recipe_read_from_a_file_has_its_size_as_a_tuple():
    assert SegmentationRecipe(size=[64, 64]) == SegmentationRecipe(size=(64, 64))
