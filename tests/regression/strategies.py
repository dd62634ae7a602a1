"""What the properties are tried on: ages told and true, tables of cases, residuals, prepared hands."""

import numpy as np
from hypothesis import strategies as st

ages_months = st.floats(0, 228, allow_nan=False)
seeds = st.integers(0, 2**32 - 1)
sexes = st.sampled_from([True, False, None])


def age_lists(least=1, most=40):
    return st.lists(ages_months, min_size=least, max_size=most).map(np.array)


@st.composite
def told_and_true(draw, least=1, most=40):
    """(prediction, truth): two arrays of one length, months."""
    n = draw(st.integers(least, most))
    same_length = st.lists(ages_months, min_size=n, max_size=n).map(np.array)
    return draw(same_length), draw(same_length)


@st.composite
def tables(draw, least=2, most=60):
    """(ids, ages, males) of cases, no id twice."""
    ids = draw(st.lists(st.integers(0, 99_999).map(str), min_size=least, max_size=most, unique=True))
    ages = [draw(ages_months) for _ in ids]
    return ids, ages, [draw(sexes) for _ in ids]


@st.composite
def prepared_hands(draw):
    """uint8 images, black outside one to four blots of any gray; not square."""
    height, width = draw(st.integers(8, 40)), draw(st.integers(8, 40))
    rng = np.random.default_rng(draw(seeds))
    y, x = np.mgrid[:height, :width]
    hand = np.zeros((height, width), bool)
    for _ in range(draw(st.integers(1, 4))):
        centre, radii = rng.uniform(0, (height, width)), rng.uniform(1, (height / 2, width / 2))
        hand |= ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 <= 1
    low, high = sorted(rng.integers(1, 256, 2))
    return np.where(hand, rng.integers(low, high + 1, hand.shape), 0).astype(np.uint8)
