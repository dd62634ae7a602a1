"""One sampled change for image and mask alike."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_imaging import augmentation as augment
from boneage_imaging.errors import ParameterError
from boneage_imaging.geometry import flip, rotate

from .strategies import images, masks, seeds, sizes, smooth_images

augmentations = st.builds(
    augment.Augmentation,
    max_angle_deg=st.floats(0, 180),
    max_scale=st.floats(0, 1),
    max_shift=st.floats(0, 0.5),
    mirror=st.booleans(),
    gamma=st.floats(0, 1),
    contrast=st.floats(0, 1),
    noise=st.floats(0, 0.2),
    invert=st.floats(0, 1),
)


def draw(augmentation, seed, size):
    return augment.sample(augmentation, np.random.default_rng(seed), size)


@given(augmentations, seeds, sizes(2, 200))
def test_what_is_sampled_lies_within_the_limits(augmentation, seed, size):
    transform = draw(augmentation, seed, size)
    assert transform.size == size
    assert abs(transform.angle_deg) <= augmentation.max_angle_deg
    assert abs(math.log(transform.scale)) <= math.log(1 + augmentation.max_scale) + 1e-12
    assert abs(transform.shift[0]) <= augmentation.max_shift * size[0]
    assert abs(transform.shift[1]) <= augmentation.max_shift * size[1]
    assert abs(math.log(transform.gamma)) <= math.log(1 + augmentation.gamma) + 1e-12
    assert abs(transform.contrast - 1) <= augmentation.contrast
    assert 0 <= transform.noise <= augmentation.noise
    assert augmentation.mirror or not transform.mirror


@given(augmentations, seeds, images(least=2))
def test_the_same_seed_gives_the_same_picture(augmentation, seed, image):
    one, other = draw(augmentation, seed, image.shape), draw(augmentation, seed, image.shape)
    assert one == other
    np.testing.assert_array_equal(augment.apply(one, image), augment.apply(other, image))


@given(augmentations, seeds)
def test_one_setting_does_not_disturb_what_is_drawn_for_another(augmentation, seed):
    without = dataclasses.replace(augmentation, noise=0.0, mirror=False, invert=0.0)
    one, other = draw(augmentation, seed, (64, 64)), draw(without, seed, (64, 64))
    assert (one.angle_deg, one.scale, one.shift, one.gamma) == (
        other.angle_deg,
        other.scale,
        other.shift,
        other.gamma,
    )


@given(seeds, images(), masks())
def test_the_identity_is_nothing(seed, image, mask):
    np.testing.assert_array_equal(augment.apply(draw(augment.IDENTITY, seed, image.shape), image), image)
    np.testing.assert_array_equal(augment.apply_to_mask(draw(augment.IDENTITY, seed, mask.shape), mask), mask)


@given(augmentations, seeds, masks(least=4))
def test_image_and_mask_are_moved_alike(augmentation, seed, mask):
    only_moving = dataclasses.replace(augmentation, gamma=0, contrast=0, noise=0, invert=0)
    transform = draw(only_moving, seed, mask.shape)
    image = augment.apply(transform, mask.astype(np.uint8) * 255)
    np.testing.assert_array_equal(augment.apply_to_mask(transform, mask), image >= 128)


@given(images())
def test_mirroring_alone_is_flip(image):
    np.testing.assert_array_equal(
        augment.apply(augment.Transform(image.shape, mirror=True), image), flip(image)
    )


@given(smooth_images(), st.floats(-180, 180))
def test_turning_alone_is_rotate(image, angle_deg):
    turned = augment.apply(augment.Transform(image.shape, angle_deg=angle_deg), image)
    expected = rotate(image, angle_deg, expand=False).astype(int)
    assert np.abs(turned - expected)[2:-2, 2:-2].max() <= 0.02 * np.iinfo(image.dtype).max


@given(images(), st.floats(0.3, 3), st.floats(0.2, 2))
def test_brightness_is_its_formula_and_black_stays_black(image, gamma, contrast):
    white = np.iinfo(image.dtype).max
    changed = augment.apply(augment.Transform(image.shape, gamma=gamma, contrast=contrast), image)
    expected = np.minimum(contrast * (image / white) ** gamma, 1) * white
    assert changed.dtype == image.dtype
    assert np.abs(changed - expected).max() <= 0.51
    assert (changed[image == 0] == 0).all()


@given(images(), st.floats(0.3, 3))
def test_inversion_comes_last(image, gamma):
    straight = augment.apply(augment.Transform(image.shape, gamma=gamma), image)
    inverted = augment.apply(augment.Transform(image.shape, gamma=gamma, invert=True), image)
    assert np.abs(inverted.astype(int) - np.bitwise_not(straight)).max() <= 1


@given(seeds, st.floats(0.005, 0.05))
def test_noise_has_its_deviation_and_no_bias(seed, noise):
    for dtype, gray in ((np.uint8, 128), (np.uint16, 32_000)):
        image = np.full((100, 100), gray, dtype)
        noisy = augment.apply(augment.Transform((100, 100), noise=noise, noise_seed=seed), image).astype(
            float
        )
        deviation = noise * np.iinfo(dtype).max
        assert abs(noisy.mean() - gray) <= 0.05 * deviation + 0.05
        assert noisy.std() == pytest.approx(deviation, rel=0.1, abs=0.2)


def test_both_hands_and_both_polarities_are_drawn():
    rng = np.random.default_rng(0)
    drawn = [augment.sample(augment.Augmentation(invert=0.3), rng, (8, 8)) for _ in range(1000)]
    assert 450 <= sum(transform.mirror for transform in drawn) <= 550
    assert 250 <= sum(transform.invert for transform in drawn) <= 350


@pytest.mark.parametrize(
    "wrong",
    [{"max_angle_deg": -1}, {"max_scale": float("inf")}, {"contrast": 1.5}, {"invert": -0.1}, {"noise": -1}],
)
def test_limits_that_are_none_are_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        augment.Augmentation(**wrong)


def test_a_transform_fits_its_size_only():
    transform = augment.Transform((4, 5))
    with pytest.raises(ParameterError, match="size"):
        augment.apply(transform, np.zeros((5, 4), np.uint8))
    with pytest.raises(ParameterError, match="size"):
        augment.apply_to_mask(transform, np.zeros((5, 4), bool))
