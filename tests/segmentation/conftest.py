import pytest

from boneage_imaging.phantom import draw_case
from boneage_segmentation import SegmentationRecipe

# Small enough to learn in seconds: the tests look at what surrounds the learning.
TINY = SegmentationRecipe(size=(64, 64), base=8, depth=2, batch_size=8, learning_rate=5e-3)


def draw_rows(seed, count):
    phantoms = [draw_case(seed, index, size=(128, 104)) for index in range(count)]
    return [
        {"case_id": f"{seed}-{index}", "image": phantom.image, "outline": phantom.mask}
        for index, phantom in enumerate(phantoms)
    ]


@pytest.fixture(scope="session")
def rows():
    return draw_rows(1, 16)


@pytest.fixture(scope="session")
def unseen_rows():
    return draw_rows(2, 12)
