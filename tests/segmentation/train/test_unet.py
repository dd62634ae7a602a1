import numpy as np
import pytest

from boneage_segmentation import SegmentationError, build_unet

ARCHITECTURES = ["report", "boneage"]


def noise(size, count=2):
    return np.random.default_rng(0).normal(0, 1, (count, *size, 1)).astype(np.float32)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("size", [(32, 32), (64, 32)])
def test_the_logits_have_the_input_s_size(architecture, size):
    model = build_unet(architecture=architecture, size=size, base=4, depth=2)
    logits = np.asarray(model(noise(size)))
    assert logits.shape == (2, *size, 1)
    assert np.isfinite(logits).all()
    assert logits.std() > 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_seed_decides_the_first_weights(architecture):
    def build(seed):
        return build_unet(architecture=architecture, size=(16, 16), base=4, depth=1, seed=seed).get_weights()

    first = build(3)
    assert all((a == b).all() for a, b in zip(first, build(3), strict=True))
    assert any((a != b).any() for a, b in zip(first, build(4), strict=True))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_radiograph_s_logits_do_not_depend_on_its_batch(architecture):
    model = build_unet(architecture=architecture, size=(32, 32), base=4, depth=2)
    images = noise((32, 32), 3)
    together = np.asarray(model(images, training=False))
    alone = np.asarray(model(images[1:2], training=False))
    assert np.allclose(together[1], alone[0], atol=1e-5)


def test_the_report_s_network_has_ronneberger_s_shape():
    import keras

    model = build_unet(architecture="report", size=(64, 64), base=8, depth=4)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("Conv2D") == 2 * 9 + 1
    assert kinds.count("MaxPooling2D") == kinds.count("Conv2DTranspose") == kinds.count("Concatenate") == 4
    channels = [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    down = [8, 8, 16, 16, 32, 32, 64, 64, 128, 128]
    assert channels == [*down, 64, 64, 32, 32, 16, 16, 8, 8, 1]


def test_the_output_can_take_either_sign():
    """A ReLU before the output can only say grey: nothing may stand behind the last convolution."""
    for architecture in ARCHITECTURES:
        model = build_unet(architecture=architecture, size=(32, 32), base=4, depth=2)
        logits = np.asarray(model(noise((32, 32), 4)))
        assert logits.min() < 0 < logits.max()


@pytest.mark.parametrize(
    "arguments",
    [
        {"architecture": "unet"},
        {"size": (100, 128)},
        {"size": (128,)},
        {"base": 0},
        {"depth": 0},
        {"size": (16, 16), "depth": 4, "architecture": "boneage"},
    ],
)
def test_what_cannot_be_built_is_refused(arguments):
    with pytest.raises(SegmentationError, match="received"):
        build_unet(**arguments)
