from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings

from boneage_segmentation import Preprocessing, SegmentationError, Variation
from boneage_segmentation.views import draw_view, show_plain

from .strategies import seeds

SIZE = Preprocessing(size=(64, 64))
STILL = Variation(**dict.fromkeys(Variation.__dataclass_fields__, 0))
MOVING = replace(STILL, turn=0.5, angle_deg=30.0, scale=0.3, shift=0.1, shear=0.1, mirror=True)


def view(row, variation, seed):
    return draw_view(row["image"], row["outline"], SIZE, variation, np.random.default_rng(seed))


def test_without_variation_it_is_the_plain_view(rows):
    for row in rows[:4]:
        plain = show_plain(row["image"], row["outline"], SIZE)
        values, target = view(row, STILL, 0)
        # The letterbox rounds to whole pixels, the view does not, and its padding may be of any gray.
        hand = plain[1] > 0.5
        assert np.corrcoef(values[hand], plain[0][hand])[0, 1] > 0.9
        assert np.abs(target - plain[1]).mean() < 0.02


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_image_and_outline_move_alike(seed, rows):
    """An image that shows nothing but the outline is still its own outline after the move."""
    mask = rows[0]["outline"]
    row = {"image": mask.astype(np.uint8) * 255, "outline": mask}
    values, target = view(row, MOVING, seed)
    if 0.05 < target.mean() < 0.6:
        # Outside of the source the view may be filled with white.
        shown = (values + 2) / 4
        assert np.abs(shown - target)[target > 0.5].mean() < 0.1


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_any_view_is_well_formed_and_repeatable(seed, rows):
    row = rows[seed % len(rows)]
    values, target = view(row, Variation(), seed)
    assert values.shape == target.shape == (64, 64)
    assert values.dtype == target.dtype == np.float32
    assert -2 <= values.min() <= values.max() <= 2
    assert 0 <= target.min() <= target.max() <= 1
    again = view(row, Variation(), seed)
    assert (values == again[0]).all()
    assert (target == again[1]).all()


def test_the_hand_mostly_stays_in_view(rows):
    shares = [
        view(rows[seed % len(rows)], replace(Variation(), empty=0), seed)[1].mean() for seed in range(80)
    ]
    plain = np.mean([show_plain(row["image"], row["outline"], SIZE)[1].mean() for row in rows])
    assert np.mean(np.array(shares) < 0.2 * plain) <= 0.05
    assert 0.5 * plain < np.mean(shares) < 1.2 * plain


def test_some_views_show_no_hand(rows):
    bare = replace(Variation(), empty=1)
    for seed in range(10):
        assert (view(rows[seed], bare, seed)[1] == 0).all()


@pytest.mark.parametrize("name", ["ground", "clip", "frame", "marker", "plate", "edge", "invert", "flatten"])
def test_each_kind_of_clutter_changes_the_image(rows, name):
    changed = [
        (view(row, replace(STILL, **{name: 1}), seed)[0] != view(row, STILL, seed)[0]).any()
        for seed, row in enumerate(rows)
    ]
    assert np.mean(changed) >= 0.5


def test_a_second_hand_lies_apart_from_the_first_and_is_cut_by_a_side(rows):
    added = 0
    for seed in range(30):
        image, outline = rows[seed % 4]["image"], rows[seed % 4]["outline"]
        small = {"image": np.pad(image, 60), "outline": np.pad(outline, 60)}
        plain, both = view(small, STILL, seed)[1], view(small, replace(STILL, second=1), seed)[1]
        assert (both >= plain).all()
        other = (both - plain) > 0.5
        if other.any():
            added += 1
            sides = (other[0], other[-1], other[:, 0], other[:, -1])
            assert any(side.any() for side in sides)
            assert not (
                cv2.dilate(other.astype(np.uint8), np.ones((3, 3))).astype(bool) & (plain > 0.5)
            ).any()
    assert added >= 10


@pytest.mark.parametrize("name", ["ground", "clip", "marker", "plate", "edge", "invert", "flatten"])
def test_clutter_leaves_the_outline_alone(rows, name):
    for seed, row in enumerate(rows[:6]):
        plain = view(row, STILL, seed)[1]
        assert (view(row, replace(STILL, **{name: 1}), seed)[1] == plain).all()


@pytest.mark.parametrize(
    "wrong", [{"turn": 1.5}, {"noise": -1}, {"marker": float("nan")}, {"angle_deg": float("-inf")}]
)
def test_a_share_is_between_0_and_1(wrong):
    with pytest.raises(SegmentationError, match=next(iter(wrong))):
        Variation(**wrong)
