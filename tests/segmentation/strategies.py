"""What the properties are tried on: masks, radiographs, seeds."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(1, 24), st.integers(1, 24))


@st.composite
def masks(draw, size=None):
    return draw(arrays.arrays(np.bool_, size or draw(sizes)))


@st.composite
def mask_pairs(draw):
    size = draw(sizes)
    return draw(masks(size)), draw(masks(size))


@st.composite
def radiographs(draw, least=8, most=90):
    """Noise on a slope, with a light blob: any size, 8 bit, never flat."""
    height, width = draw(st.integers(least, most)), draw(st.integers(least, most))
    rng = np.random.default_rng(draw(seeds))
    rows, columns = np.mgrid[:height, :width]
    blob = np.hypot(rows - height / 2, columns - width / 2) < min(height, width) / 3
    values = 40 + 60 * blob + 40 * columns / width + rng.normal(0, 6, (height, width))
    return np.clip(values, 0, 255).astype(np.uint8)
