"""Alignment: on phantoms, whose pose is known, and on shapes that have none."""

import contextlib
import functools
import math
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boneage_imaging import phantom
from boneage_imaging.alignment import align, alignment_matrix, is_upright, orientation
from boneage_imaging.errors import AlignmentError, ArrayError, ParameterError
from boneage_imaging.geometry import apply_points, flip, resize, rotate, rotation_matrix, warp

PHANTOMS = 12
hands = st.integers(0, PHANTOMS - 1)
angles_deg = st.floats(-180, 180)
FINGERTIPS = ("thumb4", "forefinger4", "middle_finger4", "ring_finger4", "pinky_finger4")


@functools.cache
def hand(index, **posture):
    return phantom.draw_case(11, index, size=(320, 250), **posture)


@functools.cache
def pose(index):
    return orientation(hand(index).mask)


def apart(first_deg, second_deg):
    return abs((first_deg - second_deg + 180) % 360 - 180)


def true_angle(drawn):
    wrist, knuckle = drawn.keypoints["wrist"], drawn.keypoints["middle_finger1"]
    return math.degrees(math.atan2(wrist[1] - knuckle[1], wrist[0] - knuckle[0]))


def disc(radius, margin=5):
    rows, columns = np.mgrid[-radius - margin : radius + margin + 1, -radius - margin : radius + margin + 1]
    return rows**2 + columns**2 <= radius**2


def morphed(mask, operation, radius):
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = np.pad(mask, radius).astype(np.uint8)
    return cv2.morphologyEx(padded, operation, kernel)[radius:-radius, radius:-radius].astype(bool)


def test_phantoms_are_read_as_they_were_drawn():
    errors = [apart(pose(index).angle_deg, true_angle(hand(index))) for index in range(PHANTOMS)]
    assert np.median(errors) <= 2
    assert max(errors) <= 6


def test_the_angle_is_counter_clockwise_from_upright():
    drawn = phantom.draw(age_months=120, male=True, seed=3, size=(320, 250), difficulty=0)
    assert abs(orientation(drawn.mask).angle_deg) < 4
    assert apart(orientation(rotate(drawn.mask, 90)).angle_deg, 90) < 4


@given(hands, angles_deg)
def test_a_turned_hand_has_a_turned_angle(index, angle_deg):
    found = orientation(rotate(hand(index).mask, angle_deg))
    assert apart(found.angle_deg, pose(index).angle_deg + angle_deg) < 2
    assert -180 < found.angle_deg <= 180


@given(hands)
@settings(max_examples=PHANTOMS)
def test_a_mirrored_hand_has_the_opposite_angle(index):
    assert apart(orientation(flip(hand(index).mask)).angle_deg, -pose(index).angle_deg) < 0.5


@given(hands, st.floats(0.4, 2.5))
@settings(max_examples=25)
def test_scale_changes_lengths_only(index, scale):
    mask = hand(index).mask
    found = orientation(resize(mask, (round(mask.shape[0] * scale), round(mask.shape[1] * scale))))
    assert apart(found.angle_deg, pose(index).angle_deg) < 2
    lengths = np.array([*found.size, found.palm_radius]) / [*pose(index).size, pose(index).palm_radius]
    assert lengths == pytest.approx([scale] * 3, rel=0.05)


@given(hands, angles_deg)
@settings(max_examples=25)
def test_the_box_turns_with_the_hand(index, angle_deg):
    mask = hand(index).mask
    matrix, size = rotation_matrix(mask.shape, angle_deg)
    found = orientation(warp(mask, matrix, size))
    for name in ("centre", "palm_centre"):
        y, x = getattr(pose(index), name)
        assert apply_points(matrix, [x, y])[0] == pytest.approx(getattr(found, name)[::-1], abs=6)
    assert found.size == pytest.approx(pose(index).size, rel=0.05)


@given(hands, st.tuples(*[st.integers(0, 60)] * 4))
@settings(max_examples=25)
def test_empty_space_around_moves_the_hand_only(index, space):
    top, bottom, left, right = space
    mask = np.pad(hand(index).mask, ((top, bottom), (left, right)))
    found = orientation(mask)
    assert apart(found.angle_deg, pose(index).angle_deg) < 1
    assert np.subtract(found.centre, pose(index).centre) == pytest.approx((top, left), abs=3)


@given(hands, st.integers(0, 2**32 - 1))
@settings(max_examples=12)
def test_specks_do_not_matter(index, seed):
    mask = np.pad(hand(index).mask, 40)
    rows, columns = np.random.default_rng(seed).integers(0, 36, (2, 8))
    mask[rows, columns] = True
    found = orientation(mask)
    assert apart(found.angle_deg, pose(index).angle_deg) < 1
    assert found.size == pytest.approx(pose(index).size, rel=0.03)


@given(hands, angles_deg)
@settings(max_examples=25)
def test_what_was_aligned_is_upright(index, angle_deg):
    drawn = hand(index)
    image, mask = align(rotate(drawn.image, angle_deg), rotate(drawn.mask, angle_deg))
    assert image.shape == mask.shape
    assert (image.dtype, mask.dtype) == (np.uint8, np.bool_)
    assert abs(orientation(mask).angle_deg) < 2


@given(hands, angles_deg)
@settings(max_examples=25)
def test_an_aligned_crop_is_upright_whole_and_alike_at_every_turn(index, angle_deg):
    drawn, size = hand(index), (160, 128)
    straight = warp(drawn.mask, alignment_matrix(drawn.mask, size), size)
    image, mask = align(rotate(drawn.image, angle_deg), rotate(drawn.mask, angle_deg), size=size)
    assert image.shape == mask.shape == size
    assert abs(orientation(mask).angle_deg) < 3
    assert (mask & straight).sum() > 0.93 * (mask | straight).sum()
    turn, _ = rotation_matrix(drawn.mask.shape, angle_deg)
    matrix = alignment_matrix(rotate(drawn.mask, angle_deg), size)
    tips = apply_points(turn, [drawn.keypoints[name][::-1] for name in FINGERTIPS])
    xy = apply_points(matrix, tips)
    assert (xy > 0).all()
    assert (xy < [size[1] - 1, size[0] - 1]).all()


@given(hands, st.floats(0, 0.4), st.tuples(st.integers(32, 256), st.integers(32, 256)))
@settings(max_examples=25)
def test_the_crop_is_one_turn_one_scale_and_keeps_its_margin(index, margin, size):
    matrix = alignment_matrix(hand(index).mask, size, margin=margin)
    linear, found = matrix[:, :2], pose(index)
    scale = math.sqrt(np.linalg.det(linear))
    assert linear @ linear.T == pytest.approx(scale**2 * np.eye(2), abs=1e-9)
    shares = scale * np.array(found.size) / size
    assert shares.max() == pytest.approx(1 - 2 * margin)
    assert apply_points(matrix, [found.centre[::-1]])[0] == pytest.approx(
        [(size[1] - 1) / 2, (size[0] - 1) / 2]
    )


@given(hands, st.floats(1.8, 3.0))
@settings(max_examples=25)
def test_the_forearm_in_view_changes_neither_angle_nor_scale(index, palm_radii):
    found = pose(index)
    rows, columns = np.indices(hand(index).mask.shape)
    angle = math.radians(found.angle_deg)
    up = (found.palm_centre[1] - columns) * math.sin(angle) + (found.palm_centre[0] - rows) * math.cos(angle)
    cut = orientation(hand(index).mask & (up > -palm_radii * found.palm_radius))
    assert apart(cut.angle_deg, found.angle_deg) < 3
    assert cut.size[0] == pytest.approx(found.size[0], rel=0.04)


@given(hands, angles_deg, st.integers(1, 3))
@settings(max_examples=25)
def test_an_eaten_fingertip_and_thinned_fingers_cost_little(index, angle_deg, radius):
    drawn, rng = hand(index), np.random.default_rng(index)
    canvas = morphed(drawn.mask, cv2.MORPH_ERODE, radius).astype(np.uint8)
    y, x = drawn.keypoints[FINGERTIPS[rng.integers(5)]]
    cv2.circle(canvas, (round(x), round(y)), 10, 0, -1)
    found = orientation(rotate(canvas.astype(bool), angle_deg))
    assert apart(found.angle_deg, true_angle(drawn) + angle_deg) < 10


@given(hands, angles_deg, st.sampled_from([0.1, 0.3]))
@settings(max_examples=25)
def test_fingers_together_still_show_their_end(index, angle_deg, gap):
    drawn = hand(index, spread=0.0, thumb_deg=-25.0)
    mitten = morphed(drawn.mask, cv2.MORPH_CLOSE, round(gap * pose(index).palm_radius))
    assert apart(orientation(rotate(mitten, angle_deg)).angle_deg, true_angle(drawn) + angle_deg) < 12


@settings(max_examples=40, deadline=None)
@given(hands, angles_deg)
def test_few_pixels_tell_nearly_the_same_angle(index, angle_deg):
    mask = rotate(hand(index).mask, angle_deg)
    assert apart(orientation(mask, side=40).angle_deg, orientation(mask).angle_deg) < 4


_POSES = """
import cv2, numpy as np
from boneage_imaging.alignment import orientation
from boneage_imaging.errors import AlignmentError
for seed in range(20):
    noise = np.random.default_rng(seed).normal(size=(96, 80)).astype(np.float32)
    try:
        print(orientation(cv2.GaussianBlur(noise, (0, 0), 7) > 0))
    except AlignmentError as error:
        print(error)
"""


def test_a_quick_look_passes_hands_that_are_nearly_upright_and_no_other():
    upright = [rotate(hand(index).mask, -pose(index).angle_deg) for index in range(PHANTOMS)]
    assert sum(map(is_upright, upright)) > 0.8 * PHANTOMS
    for mask in upright:
        turned = [rotate(mask, angle) for angle in (*range(25, 340, 15), 335)]
        assert not any(map(is_upright, turned))
    assert not is_upright(disc(50))
    assert not is_upright(np.zeros((50, 40), bool))


def test_shapes_without_a_balance_have_the_same_pose_on_any_processor():
    """Linear algebra has kernels for each processor; their last digits must not turn a hand."""
    told = [
        subprocess.run(
            [sys.executable, "-c", _POSES],
            env={**os.environ, "OPENBLAS_CORETYPE": kind},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for kind in ("Haswell", "Nehalem")
    ]
    assert told[0].count("Pose") > 5
    assert told[0] == told[1]


def test_too_few_pixels_are_refused():
    with pytest.raises(ParameterError, match="side"):
        orientation(hand(0).mask, side=31)


@settings(max_examples=25, deadline=None)
@given(st.integers(25, 60), st.integers(1, 200), angles_deg)
def test_a_bow_around_nothing_has_a_pose_or_none(thickness, gap_deg, angle_deg):
    mask = np.zeros((256, 256), np.uint8)
    cv2.ellipse(mask, (128, 128), (80, 80), angle_deg, gap_deg / 2, 360 - gap_deg / 2, 1, thickness)
    with contextlib.suppress(AlignmentError):
        assert math.isfinite(orientation(mask.astype(bool)).angle_deg)


def test_open_hands_are_certain():
    assert min(pose(index).certainty for index in range(PHANTOMS)) > 0.8


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (np.zeros((50, 40), bool), "0 of 2000 pixels"),
        (disc(2), "empty"),
        (disc(40), "too round"),
        (np.ones((60, 60), bool), "too round"),
        (resize(disc(40), (91, 273)), "alike"),
    ],
    ids=["empty", "speck", "disc", "square", "ellipse"],
)
def test_what_has_no_direction_is_refused(mask, says):
    with pytest.raises(AlignmentError, match=says):
        orientation(mask)


def test_what_is_no_mask_is_refused():
    for wrong in (None, [[True] * 40] * 40, np.ones(40, bool)):
        with pytest.raises(ArrayError):
            is_upright(wrong)
    with pytest.raises(ArrayError, match="uint8"):
        orientation(hand(0).image)
    with pytest.raises(ArrayError, match=r"\(320, 250\)"):
        align(hand(0).image, hand(0).mask[:-1])


@pytest.mark.parametrize("margin", [-0.1, 0.5, math.nan])
def test_a_margin_beyond_reason_is_refused(margin):
    with pytest.raises(ParameterError, match="margin"):
        alignment_matrix(hand(0).mask, (64, 64), margin=margin)


def test_a_size_of_nothing_is_refused():
    with pytest.raises(ParameterError, match="size"):
        alignment_matrix(hand(0).mask, (0, 64))
