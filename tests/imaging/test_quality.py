"""Reasons why a radiograph should not, or hardly, be read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_imaging.contrast import invert
from boneage_imaging.errors import ArrayError
from boneage_imaging.quality import assess

from .strategies import images, seeds

SIZE = (400, 300)


def hand(size=SIZE, top=50, bottom=350, left=90, right=220):
    """A picture and its mask: a bright, grainy block on a dark ground."""
    rng = np.random.default_rng(0)
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    image = np.where(mask, rng.integers(90, 200, size), rng.integers(5, 30, size)).astype(np.uint8)
    return image, mask


@given(images(least=1, most=120))
def test_every_image_gets_a_verdict_whose_parts_agree(image):
    verdict = assess(image)
    assert verdict.status in ("ok", "warning", "refused")
    assert (verdict.status == "ok") == (not verdict.reasons)


@given(images(least=64, most=90), seeds, st.floats(0, 1))
def test_every_mask_gets_a_verdict_whose_parts_agree(image, seed, share):
    verdict = assess(image, np.random.default_rng(seed).random(image.shape) < share)
    assert (verdict.status == "ok") == (not verdict.reasons)


def deepen(image, bits):
    """The same picture in 16 bits, of which only the lower ones are in use."""
    return (image.astype(np.uint16) * 257) >> (16 - bits)


DEPTHS = [16, 14, 12, 10, 8]


@pytest.mark.parametrize("bits", DEPTHS)
def test_a_good_hand_is_ok_at_every_depth(bits):
    image, mask = hand()
    assert assess(image, mask).status == "ok"
    assert assess(deepen(image, bits)).status == "ok"
    assert assess(deepen(image, bits), mask).status == "ok"


@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("change", [invert, lambda image: np.where(image > 80, np.uint8(255), image)])
def test_what_speaks_against_a_radiograph_does_so_at_every_depth(change, bits):
    image, mask = hand()
    verdict = assess(change(image), mask)
    assert verdict.status == "warning"
    assert assess(deepen(change(image), bits), mask) == verdict


@pytest.mark.parametrize("bits", DEPTHS)
def test_a_dim_radiograph_whose_white_was_zero_is_as_good(bits):
    image, mask = hand()
    assert assess(invert(deepen(invert(image), bits)), mask).status == "ok"


def test_one_bright_pixel_makes_no_dim_radiograph_blank():
    image, mask = hand()
    dim = deepen(image, 10)
    dim[0, 0] = 65535
    assert assess(dim, mask).status == "ok"


@pytest.mark.parametrize("spread", [0, 1, 3])
def test_a_dark_picture_s_noise_is_blank_in_16_bits(spread):
    noise = np.random.default_rng(0).integers(0, spread + 1, SIZE).astype(np.uint16)
    assert assess(noise).reasons == ("the picture is blank",)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.full(SIZE, 77, np.uint8), "blank"),
        (np.full(SIZE, 40_000, np.uint16), "blank"),
        (hand()[0][:63], "too small: 63 x 300"),
    ],
)
def test_pictures_that_are_refused(image, reason):
    verdict = assess(image)
    assert verdict.status == "refused"
    assert reason in verdict.reasons[0]


def everything_but_the_corners():
    mask = np.zeros(SIZE, bool)
    mask[:, 130:170] = mask[180:220] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (np.zeros(SIZE, bool), "no hand was found"),
        (hand(top=100, bottom=150)[1] & hand(left=90, right=120)[1], "too small for a hand: 1.2%"),
        (np.ones(SIZE, bool), "too large for a hand: 100%"),
        (everything_but_the_corners(), "all four edges"),
    ],
)
def test_masks_that_are_refused(mask, reason):
    verdict = assess(hand()[0], mask)
    assert verdict.status == "refused"
    assert reason in verdict.reasons[0]


def test_a_forearm_that_leaves_at_one_edge_is_no_cut_off_hand():
    assert assess(*hand(bottom=400)).status == "ok"
    verdict = assess(*hand(top=0, bottom=400))
    assert verdict.status == "warning"
    assert "top and bottom" in verdict.reasons[0]


def test_a_swapped_black_and_white_is_noticed():
    image, mask = hand()
    assert "swapped" in assess(invert(image), mask).reasons[0]


def test_what_is_known_of_black_and_white_is_not_looked_at_again():
    image, mask = hand()
    assert assess(image, mask, inverted=True) == assess(invert(image), mask)
    assert assess(invert(image), mask, inverted=False).status == "ok"


def test_a_hand_of_few_pixels_is_noticed():
    assert "100 pixels" in assess(*hand((200, 200), 50, 150, 60, 140)).reasons[0]


def test_a_washed_out_hand_is_noticed():
    image, mask = hand()
    image[mask] = 255
    assert any("pure white" in reason for reason in assess(image, mask).reasons)


def test_a_second_hand_is_a_warning_only_beside_one():
    image, mask = hand()
    verdict = assess(image, mask, others=1)
    assert (verdict.status, len(verdict.reasons)) == ("warning", 1)
    assert "may be more than one hand" in verdict.reasons[0]
    assert assess(image, np.zeros_like(mask), others=1) == assess(image, np.zeros_like(mask))


def test_a_picture_of_little_contrast_is_noticed():
    image, mask = hand()
    verdict = assess((image // 16 + 100).astype(np.uint8), mask)
    assert verdict.status == "warning"
    assert "contrast" in verdict.reasons[0]


def test_image_and_mask_must_be_of_one_size():
    with pytest.raises(ArrayError, match="size"):
        assess(hand()[0], np.zeros((300, 400), bool))
