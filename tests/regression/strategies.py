"""What the properties are tried on: ages told and true, tables of cases, residuals."""

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
