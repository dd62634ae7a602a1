import numpy as np
import pytest
from hypothesis import given, settings

from boneage_imaging import encode_png, stretch
from boneage_segmentation import (
    SegmentationError,
    SegmentationRecipe,
    choose_threshold,
    jaccard,
)

from .conftest import TINY
from .strategies import seeds


def test_rows_may_hold_png_or_arrays(rows):
    row = rows[0]
    packed = row | {"image": encode_png(row["image"]), "outline": encode_png(row["outline"])}
    for epoch in (None, 3):
        (plain, target), (same, same_target) = (TINY.prepare(r, 7, epoch) for r in (row, packed))
        assert (plain["image"] == same["image"]).all()
        assert (target == same_target).all()
        assert plain["image"].shape == target.shape == (64, 64, 1)


@pytest.mark.parametrize("bits", [16, 12, 10])
@pytest.mark.parametrize("epoch", [None, 3])
def test_a_radiograph_of_16_bits_is_learned_from_as_in_8_however_dim(rows, bits, epoch):
    image = stretch(rows[0]["image"], low_percent=0, high_percent=100)
    deep = (image.astype(np.uint16) * 257) >> (16 - bits)
    (plain, target), (same, same_target) = (
        TINY.prepare(rows[0] | {"image": values}, 7, epoch) for values in (image, deep)
    )
    np.testing.assert_allclose(same["image"], plain["image"], atol=0.1)  # of -2 to 2
    np.testing.assert_array_equal(same_target, target)
    deep[0, 0] = 65535  # a pixel that is stuck
    (stuck, _) = TINY.prepare(rows[0] | {"image": deep}, 7, epoch)
    assert np.abs(stuck["image"] - same["image"]).mean() < 0.05


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
