import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_segmentation import SegmentationError, dice, jaccard

from .strategies import mask_pairs, masks, seeds

both = pytest.mark.parametrize("metric", [jaccard, dice])


@both
@given(pair=mask_pairs())
def test_it_is_symmetric_and_between_0_and_1(metric, pair):
    assert metric(*pair) == metric(*reversed(pair))
    assert 0 <= metric(*pair) <= 1


@both
@given(mask=masks())
def test_a_mask_agrees_with_itself_wholly(metric, mask):
    assert metric(mask, mask) == 1


@both
def test_two_empty_masks_agree_and_an_empty_one_agrees_with_no_other(metric):
    empty, full = np.zeros((3, 4), bool), np.ones((3, 4), bool)
    assert metric(empty, empty) == 1
    assert metric(empty, full) == 0


@both
@given(mask=masks())
def test_a_mask_has_nothing_in_common_with_its_complement(metric, mask):
    assert metric(mask, ~mask) == 0


@both
@given(pair=mask_pairs(), seed=seeds)
def test_it_grows_when_a_missing_pixel_is_found_and_shrinks_when_a_wrong_one_is_added(metric, pair, seed):
    mask, truth = pair
    rng = np.random.default_rng(seed)
    for wrong, better in ((truth & ~mask, True), (~truth & ~mask, False)):
        places = np.argwhere(wrong)
        if len(places):
            changed = mask.copy()
            changed[tuple(places[rng.integers(len(places))])] = True
            if better:
                assert metric(changed, truth) > metric(mask, truth)
            else:
                assert metric(changed, truth) <= metric(mask, truth)


@given(mask_pairs())
def test_dice_follows_from_jaccard(pair):
    found = jaccard(*pair)
    assert dice(*pair) == pytest.approx(2 * found / (1 + found))


@both
@given(pair=mask_pairs(), repeat=st.integers(2, 3))
def test_enlarging_both_masks_changes_nothing(metric, pair, repeat):
    larger = [np.kron(mask, np.ones((repeat, repeat), bool)) for mask in pair]
    assert metric(*larger) == pytest.approx(metric(*pair))


@both
def test_any_value_but_0_counts(metric):
    assert metric(np.array([[0, 255]], np.uint8), np.array([[False, True]])) == 1


@both
def test_masks_of_different_size_are_refused(metric):
    with pytest.raises(SegmentationError, match=r"\(2, 2\) and \(2, 3\)"):
        metric(np.zeros((2, 2), bool), np.zeros((2, 3), bool))
    with pytest.raises(SegmentationError, match="height, width"):
        metric(np.zeros(4, bool), np.zeros(4, bool))
