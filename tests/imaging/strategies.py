"""What the properties are tried on: images and masks. Content comes from a seed, so large ones stay quick."""

import cv2
import numpy as np
from hypothesis import strategies as st

DEPTHS = (np.uint8, np.uint16)
depths = st.sampled_from(DEPTHS)
seeds = st.integers(0, 2**32 - 1)
angles_deg = st.floats(-360, 360)


def sizes(least=1, most=48):
    return st.tuples(st.integers(least, most), st.integers(least, most))


def _content(kind, size, rng):
    """Values in 0..1."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    if kind == "noise":
        return rng.random(size)
    if kind == "constant":
        return np.full(size, rng.random())
    if kind == "ramp":
        return (rows * rng.random() + columns * rng.random()) / (size[0] + size[1])
    if kind == "dark noise":
        return rng.random(size) ** 3 * 0.3
    edge = rng.random(2) * size  # "step"
    return np.where((rows < edge[0]) ^ (columns < edge[1]), rng.random(), rng.random())


@st.composite
def images(draw, dtypes=DEPTHS, least=1, most=48):
    """Gray images of any size and of both depths: noise, constants, ramps, steps."""
    kind = draw(st.sampled_from(["noise", "constant", "ramp", "dark noise", "step"]))
    white = np.iinfo(dtype := draw(st.sampled_from(list(dtypes)))).max
    content = _content(kind, draw(sizes(least, most)), np.random.default_rng(draw(seeds)))
    return np.rint(content * white).astype(dtype)


@st.composite
def smooth_images(draw, dtypes=DEPTHS, least=24, most=64):
    """Gray images without fine detail: what a resampling there and back should return."""
    size, rng = draw(sizes(least, most)), np.random.default_rng(draw(seeds))
    white = np.iinfo(dtype := draw(st.sampled_from(list(dtypes)))).max
    coarse = rng.random((4, 4)).astype(np.float32)
    content = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.rint(cv2.GaussianBlur(content, (0, 0), 3) * white).astype(dtype)


@st.composite
def masks(draw, least=1, most=48):
    """Masks of any size: nothing, everything, specks, blobs."""
    size, rng = draw(sizes(least, most)), np.random.default_rng(draw(seeds))
    kind = draw(st.sampled_from(["empty", "full", "specks", "blobs"]))
    if kind in ("empty", "full"):
        return np.full(size, kind == "full")
    noise = rng.random(size).astype(np.float32)
    if kind == "specks":
        return noise < draw(st.sampled_from([0.05, 0.5, 0.95]))
    return cv2.GaussianBlur(noise, (0, 0), 3) < 0.5
