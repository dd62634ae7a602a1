"""From probability to one clean region."""

import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_imaging import masks
from boneage_imaging.errors import ArrayError, ParameterError

from .strategies import images, seeds, sizes
from .strategies import masks as any_masks


def ellipse(size, centre, axes):
    rows, columns = np.mgrid[: size[0], : size[1]]
    return ((rows - centre[0]) / axes[0]) ** 2 + ((columns - centre[1]) / axes[1]) ** 2 < 1


def components(mask):
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] - 1


HAND = ellipse((120, 100), (62, 48), (45, 25))


# --- contours ---


@given(any_masks())
def test_contours_filled_again_hold_the_mask_and_nothing_beside_it(mask):
    filled = np.zeros(mask.shape, np.uint8)
    for polygon in masks.contours(mask, tolerance=0):
        assert mask[polygon[:, 1], polygon[:, 0]].all()
        cv2.fillPoly(filled, [polygon], 1)
    outside = cv2.floodFill(np.pad(mask.astype(np.uint8), 1), None, (0, 0), 2, flags=4)[1][1:-1, 1:-1] == 2
    assert filled[mask].all()
    assert not filled[outside].any()


def test_contours_with_a_tolerance_have_few_corners_and_stay_close():
    (polygon,) = masks.contours(HAND, tolerance=1.0)
    assert len(polygon) < 40
    filled = cv2.fillPoly(np.zeros(HAND.shape, np.uint8), [polygon], 1).astype(bool)
    assert (filled & HAND).sum() / (filled | HAND).sum() > 0.96


@pytest.mark.parametrize("tolerance", [-0.1, float("nan")])
def test_contours_want_a_tolerance(tolerance):
    with pytest.raises(ParameterError, match="tolerance"):
        masks.contours(HAND, tolerance=tolerance)


# --- binarize, apply_mask ---


@given(sizes(), seeds, st.floats(0, 1, width=32))
def test_binarize_keeps_what_reaches_the_threshold(size, seed, threshold):
    probability = np.random.default_rng(seed).random(size, np.float32)
    mask = masks.binarize(probability, threshold)
    assert mask.dtype == bool
    assert (probability[mask] >= threshold).all()
    assert (probability[~mask] < threshold).all()


@pytest.mark.parametrize("value", [np.zeros((2, 2), np.uint8), np.zeros(4, np.float32), [[0.5]]])
def test_binarize_wants_a_probability(value):
    with pytest.raises(ArrayError, match="probability"):
        masks.binarize(value)


@given(images(), st.integers(0, 255), seeds)
def test_apply_mask_keeps_inside_and_fills_outside(image, fill, seed):
    mask = np.random.default_rng(seed).random(image.shape) < 0.5
    result = masks.apply_mask(image, mask, fill=fill)
    assert result.dtype == image.dtype
    np.testing.assert_array_equal(result[mask], image[mask])
    assert (result[~mask] == fill).all()
    np.testing.assert_array_equal(masks.apply_mask(result, mask, fill=fill), result)


def test_apply_mask_wants_one_size():
    with pytest.raises(ArrayError, match="size"):
        masks.apply_mask(np.zeros((4, 5), np.uint8), np.zeros((5, 4), bool))


# --- fill_holes, smooth ---


@given(any_masks())
def test_fill_holes_grows_and_is_done_after_once(mask):
    filled = masks.fill_holes(mask)
    assert filled.dtype == bool
    assert (filled | ~mask).all()
    np.testing.assert_array_equal(masks.fill_holes(filled), filled)


@given(any_masks())
def test_after_fill_holes_all_background_reaches_the_border(mask):
    background = np.pad(~masks.fill_holes(mask), 1, constant_values=True)
    assert cv2.connectedComponents(background.astype(np.uint8), connectivity=4)[0] == 2


def test_fill_holes_knows_a_hole_from_a_bay():
    mask = HAND.copy()
    mask[50:70, 40:50] = False
    np.testing.assert_array_equal(masks.fill_holes(mask), HAND)
    mask[:70, 45:47] = False  # now the hole is open at the top
    np.testing.assert_array_equal(masks.fill_holes(mask), mask)


@given(any_masks(least=3), st.floats(0.5, 4))
def test_smooth_treats_inside_and_outside_alike(mask, radius):
    smoothed = masks.smooth(mask, radius)
    complement = masks.smooth(~mask, radius)
    assert (smoothed ^ complement).mean() >= 0.98 or mask.size < 400  # equal but for exact halves


@given(any_masks())
def test_smooth_by_nothing_is_nothing(mask):
    np.testing.assert_array_equal(masks.smooth(mask, 0), mask)


@pytest.mark.parametrize("radius", [0.5, 0.75, 2.0, 6.0])
@pytest.mark.parametrize("corner", [(0, 0), (0, 40), (47, 31), (90, 80)])
def test_smooth_is_the_mean_of_the_whole_mask_cut_at_one_half(radius, corner):
    mask = np.zeros((120, 100), bool)
    part = mask[corner[0] : corner[0] + 40, corner[1] : corner[1] + 30]
    part[:] = np.random.default_rng(1).random(part.shape) < 0.7
    mean = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), radius, borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_array_equal(masks.smooth(mask, radius), mean >= 0.5)


def test_smooth_keeps_a_hand_and_loses_a_hair():
    hair = HAND.copy()
    hair[:20, 48] = True
    smoothed = masks.smooth(hair)
    assert (smoothed ^ HAND).sum() <= 0.02 * HAND.sum()
    assert not smoothed[:10].any()


@pytest.mark.parametrize("radius", [-1, float("nan"), float("inf")])
def test_smooth_refuses_a_radius_that_is_none(radius):
    with pytest.raises(ParameterError, match="radius"):
        masks.smooth(HAND, radius)


# --- hand_component ---


@given(any_masks(least=4), st.floats(0, 1), st.floats(0, 1))
def test_what_is_kept_is_one_whole_region_of_an_allowed_area(mask, one, other):
    least, most = sorted((one, other))
    kept = masks.hand_component(mask, min_area_share=least, max_area_share=most)
    assert kept.dtype == bool
    assert not (kept & ~mask).any()
    if kept.any():
        assert components(kept) == 1
        assert least <= kept.mean() <= most
        around = cv2.dilate(kept.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        np.testing.assert_array_equal(mask & around, kept)  # nothing that touches it was left behind
    np.testing.assert_array_equal(masks.hand_component(kept, min_area_share=least, max_area_share=most), kept)


@given(seeds)
def test_specks_are_dropped(seed):
    specks = np.random.default_rng(seed).random(HAND.shape) < 0.01
    near = cv2.dilate(HAND.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    kept = masks.hand_component(HAND | (specks & ~near))
    np.testing.assert_array_equal(kept, HAND)


def test_a_collimators_frame_and_a_tag_are_no_hand():
    frame = np.zeros((120, 100), bool)
    frame[:5], frame[-5:], frame[:, :5], frame[:, -5:] = True, True, True, True
    assert frame.mean() > masks.MIN_AREA_SHARE
    assert not masks.hand_component(frame).any()
    tag = np.zeros((120, 100), bool)
    tag[4:40, 2:20] = True
    np.testing.assert_array_equal(masks.hand_component(frame | HAND), HAND)
    np.testing.assert_array_equal(masks.hand_component(tag | HAND), HAND)


def test_of_two_hands_of_one_size_the_more_central_counts():
    far, near = ellipse((100, 200), (50, 25), (30, 20)), ellipse((100, 200), (50, 90), (30, 20))
    np.testing.assert_array_equal(masks.hand_component(far | near), near)


@given(any_masks(least=4), st.floats(0, 1))
def test_all_that_can_be_hands_are_regions_apart_and_the_one_is_their_first(mask, least):
    found = masks.hand_components(mask, min_area_share=least, max_area_share=1)
    np.testing.assert_array_equal(
        masks.hand_component(mask, min_area_share=least, max_area_share=1),
        found[0] if found else np.zeros_like(mask),
    )
    together = np.sum(found, axis=0) if found else np.zeros(mask.shape, int)
    assert together.max() <= 1
    assert components(together > 0) == len(found)
    for region in found:
        np.testing.assert_array_equal(
            masks.hand_component(region, min_area_share=least, max_area_share=1), region
        )


@given(any_masks(least=4), st.floats(0, 1))
def test_regions_are_filled_where_that_is_asked_for(mask, least):
    found = masks.hand_components(mask, min_area_share=least, max_area_share=1)
    filled = masks.hand_components(mask, min_area_share=least, max_area_share=1, filled=True)
    assert len(filled) == len(found)
    for region, whole in zip(found, filled, strict=True):
        np.testing.assert_array_equal(whole, masks.fill_holes(region))


@pytest.mark.parametrize("mask", [np.zeros((9, 9), bool), np.ones((9, 9), bool), np.eye(60, dtype=bool)])
def test_nothing_is_kept_where_nothing_can_be_a_hand(mask):
    assert not masks.hand_component(mask).any()


@pytest.mark.parametrize("shares", [(-0.1, 0.5), (0.5, 0.4), (0.1, 1.1)])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ParameterError, match="share"):
        masks.hand_component(HAND, min_area_share=shares[0], max_area_share=shares[1])


@pytest.mark.parametrize("function", [masks.fill_holes, masks.smooth, masks.hand_component])
def test_what_is_no_mask_is_refused(function):
    with pytest.raises(ArrayError, match="bool mask"):
        function(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("lay", [np.transpose, np.asfortranarray, np.rot90, lambda array: array[:, ::-1]])
def test_it_does_not_matter_how_a_mask_lies_in_memory(lay):
    mask = np.zeros((60, 50), bool)
    mask[10:50, 12:40] = True
    mask[20:24, 20:24] = mask[2:4, 2:4] = False
    image = np.random.default_rng(0).integers(0, 256, mask.shape).astype(np.uint8)
    laid, straight = lay(mask), np.ascontiguousarray(lay(mask))
    for change in (masks.hand_component, masks.fill_holes, masks.smooth):
        np.testing.assert_array_equal(change(laid), change(straight))
    np.testing.assert_array_equal(
        masks.apply_mask(lay(image), laid), np.where(straight, np.ascontiguousarray(lay(image)), 0)
    )


def test_of_regions_alike_the_upper_and_left_one_comes_first():
    mask = np.zeros((40, 40), bool)
    for top, left in ((4, 4), (4, 26), (26, 4), (26, 26)):
        mask[top : top + 10, left : left + 10] = True
    found = masks.hand_components(mask, min_area_share=0.01)
    assert [tuple(np.argwhere(region)[0]) for region in found] == [(4, 4), (26, 4), (4, 26), (26, 26)]


def test_a_million_specks_take_no_minute():
    mask = np.random.default_rng(0).random((1000, 1000)) < 0.7
    started = time.perf_counter()
    masks.hand_components(mask)
    assert time.perf_counter() - started < 5
