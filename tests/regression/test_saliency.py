"""On drawn hands, with the shipped model; graphs whose answer is known beforehand are in train/test_saliency.py."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_imaging.phantom import draw_case
from boneage_regression.errors import RegressionError
from boneage_regression.inference import Regressor, default_model, open_session
from boneage_regression.model_folder import GRAPH, read_metadata
from boneage_regression.saliency import PARTS, cover, divide, find_hand, saliency_map, strongest_part

from .strategies import prepared_hands, seeds

MOST_RUNS = 150
SIZE = tuple(read_metadata(default_model())["input_size"])


class CountingSession:
    """The real session, counting the images that go through it."""

    def __init__(self, session):
        self.session, self.images = session, 0

    def run(self, names, inputs):
        self.images += len(inputs["image"])
        return self.session.run(names, inputs)


def phantom_hand(index, size=SIZE):
    drawn = draw_case(5, index, size=size)
    return np.where(drawn.mask, drawn.image, 0).astype(np.uint8)


def tenth_by_chance(parts, hand, rng):
    return strongest_part(np.tensordot(rng.standard_normal(len(parts)), parts, 1), hand)


@pytest.fixture(scope="module")
def session():
    return CountingSession(open_session(default_model() / GRAPH, threads=1))


@pytest.fixture(scope="module")
def regressor(session):
    return Regressor(Regressor.load(default_model()).metadata, session)


@given(prepared_hands(), st.integers(1, 20))
def test_the_parts_add_up_to_the_hand(image, count):
    hand = find_hand(image)
    parts = divide(hand, count)
    assert parts.shape == (min(count, hand.sum()), *hand.shape)
    assert parts.dtype == np.float32
    assert parts.min(initial=0) >= 0
    assert parts.sum(axis=0) == pytest.approx(hand.astype(np.float32), abs=1e-5)


def test_the_parts_are_compact_and_of_about_one_size():
    hand = find_hand(phantom_hand(0))
    parts = divide(hand, PARTS)
    sizes = parts.sum(axis=(1, 2))
    assert sizes.max() < 3 * sizes.min()
    side = np.sqrt(hand.sum() / PARTS)
    for part, size in zip(parts, sizes, strict=True):
        places = np.argwhere(part > 0)
        weights = part[part > 0] / size
        spread = np.sqrt(weights @ ((places - weights @ places) ** 2).sum(axis=1))
        assert spread < 1.5 * side


def test_a_hand_is_divided_into_at_least_one_part():
    with pytest.raises(RegressionError, match="Received: 0"):
        divide(np.ones((4, 4), bool), 0)


@given(prepared_hands(), seeds)
def test_a_cover_changes_nothing_but_what_it_covers(image, seed):
    hand = find_hand(image)
    parts = np.random.default_rng(seed).random((3, *image.shape)) < 0.5
    covered = cover(image, parts)
    assert covered.dtype == np.uint8
    assert (covered[~(parts & hand)] == np.broadcast_to(image, parts.shape)[~(parts & hand)]).all()
    assert covered.max() <= image.max()


@given(prepared_hands(), seeds)
def test_a_part_that_is_covered_in_part_lies_in_between(image, seed):
    shares = np.random.default_rng(seed).random((1, *image.shape))
    plain, whole = cover(image, np.array([0, 1]).reshape(2, 1, 1) * np.ones(image.shape))
    assert (plain == image).all()
    between = image + shares * (whole.astype(float) - image)
    assert np.abs(cover(image, shares) - between).max() <= 1  # rounded


@given(prepared_hands(), seeds)
def test_covering_and_mirroring_can_change_places(image, seed):
    parts = np.random.default_rng(seed).random((2, *image.shape))
    mirrored = cover(image[:, ::-1], parts[:, :, ::-1])[:, :, ::-1]
    assert np.abs(cover(image, parts).astype(int) - mirrored).max() <= 1  # rounded


def steepest(image, hand):
    """The change from pixel to pixel that 1 in 100 within the hand exceeds."""
    inside = hand & np.roll(hand, 1, 0) & np.roll(hand, 1, 1)
    inside &= np.roll(hand, -1, 0) & np.roll(hand, -1, 1)
    return np.percentile(np.hypot(*np.gradient(image.astype(float)))[inside], 99)


def test_a_cover_makes_no_edges():
    image = phantom_hand(1)
    hand = find_hand(image)
    for covered in cover(image, divide(hand, 10)):
        assert steepest(covered, hand) < 1.1 * steepest(image, hand)


@given(prepared_hands(), seeds, st.floats(0.05, 0.5))
def test_the_strongest_part_is_the_same_share_of_the_hand_whatever_the_sign(image, seed, share):
    hand = find_hand(image)
    months = np.random.default_rng(seed).normal(0, 1, image.shape)
    part = strongest_part(months, hand, share)
    assert part.sum() == round(share * hand.sum())
    assert not (part & ~hand).any()
    assert (strongest_part(-months, hand, share) == part).all()
    for rest in (months, -months):
        assert abs(months[part].sum()) >= np.sort(rest[hand])[::-1][: part.sum()].sum() - 1e-9


@pytest.mark.parametrize("sex", ["F", "M", None])
def test_a_map_has_the_size_of_the_image_and_is_nothing_outside_the_hand(regressor, sex):
    image = phantom_hand(2)
    months = saliency_map(regressor, image, sex)
    assert (months.shape, months.dtype) == (image.shape, np.float32)
    assert not months[~find_hand(image)].any()
    assert np.isfinite(months).all()
    assert np.abs(months).max() > 0.1


def test_the_same_hand_has_the_same_map(regressor):
    maps = [saliency_map(regressor, phantom_hand(3), sex) for sex in ("F", "F", "M")]
    assert (maps[0] == maps[1]).all()
    assert (maps[0] != maps[2]).any()


def test_a_map_costs_150_runs_at_most(regressor, session):
    session.images = 0
    saliency_map(regressor, phantom_hand(4), "F")
    assert 0 < session.images <= MOST_RUNS


def test_where_no_hand_is_nothing_moves(regressor):
    assert not saliency_map(regressor, np.zeros(regressor.size, np.uint8), "F").any()


def test_covering_the_strongest_tenth_moves_the_age_more_than_a_tenth_by_chance(regressor):
    rng, ratios = np.random.default_rng(0), []
    for index in range(3):
        image = phantom_hand(index)
        hand = find_hand(image)
        parts = divide(hand, PARTS)
        strongest = strongest_part(saliency_map(regressor, image, "F"), hand)
        chosen = np.stack([strongest, *(tenth_by_chance(parts, hand, rng) for _ in range(4))])
        moves = np.abs(regressor.ages(cover(image, chosen), "F") - regressor.ages(image[None], "F"))
        ratios.append(moves[0] / moves[1:].mean())
    assert np.median(ratios) >= 3


@pytest.mark.parametrize("image", [np.zeros((8, 8), np.uint8), np.zeros(SIZE, np.float32), None])
def test_another_image_is_refused(regressor, image):
    with pytest.raises(RegressionError, match=rf"of shape {re.escape(str(SIZE))}\. Received"):
        saliency_map(regressor, image, "F")


def test_another_sex_is_refused(regressor):
    with pytest.raises(RegressionError, match="Received: 'female'"):
        saliency_map(regressor, phantom_hand(0), "female")


def test_the_ages_of_many_are_those_of_each(regressor):
    images = np.stack([phantom_hand(index) for index in range(10)])
    told = regressor.ages(images, "M")
    each = [regressor.predict(image, "M").age_months for image in images]
    assert np.clip(told, 0, 228) == pytest.approx(each, abs=1e-3)
    assert regressor.ages(images[:0], None).shape == (0,)
