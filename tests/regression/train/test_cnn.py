import numpy as np
import pytest

from boneage_regression.cnn import ARCHITECTURES, PRECISIONS, build_cnn
from boneage_regression.errors import RecipeError

SIZE = (64, 48)


def _batch(n=3):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, *SIZE, 1)).astype(np.float32)
    return images, np.array([[1.0], [-1.0], [0.0]], np.float32)[:n]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_ages_depend_on_image_and_sex_and_the_one_told_without_it_on_the_image_alone(architecture):
    model = build_cnn(architecture=architecture, size=SIZE)
    looks_male = model.get_layer("looks_male")
    looks_male.set_weights([np.full_like(looks_male.kernel, 0.01), looks_male.bias])
    images, sexes = _batch()
    told = np.asarray(model({"image": images, "sex": sexes}))
    other_images, other_sexes = (
        np.asarray(model(inputs))
        for inputs in ({"image": images[::-1], "sex": sexes}, {"image": images, "sex": -sexes})
    )
    assert told.shape == (3, 3)
    assert np.isfinite(told).all()
    assert np.abs(told[:, :2]).max() < 20  # standardised ages come out of sane first weights
    assert (told[[0, 2]] != other_images[[0, 2]]).all()
    assert (told[:2, 0] != other_sexes[:2, 0]).all()
    assert np.array_equal(told[:, 1:], other_sexes[:, 1:])
    assert told[2, 0] == told[2, 1]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_same_seed_same_weights(architecture):
    one, same, other = (build_cnn(architecture=architecture, size=SIZE, seed=seed) for seed in (5, 5, 6))
    pairs = list(zip(one.get_weights(), same.get_weights(), strict=True))
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert not all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_the_report_s_layers_are_the_report_s():
    model = build_cnn(architecture="report", size=(128, 128))
    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    pools = [layer for layer in model.layers if type(layer).__name__ == "MaxPooling2D"]
    assert [layer.filters for layer in convolutions] == [16, 32, 64, 128]
    assert [layer.kernel_size for layer in convolutions] == [(3, 3)] * 4
    assert [layer.pool_size for layer in pools] == [(2, 2)] * 4
    (flat,) = [layer for layer in model.layers if type(layer).__name__ == "Flatten"]
    assert flat.output.shape == (None, 8 * 8 * 128)


def test_the_report_s_network_still_tells_hands_apart_when_every_unit_is_pushed_down():
    model = build_cnn(architecture="report", size=SIZE)
    dense = next(layer for layer in model.layers if getattr(layer, "units", 0) == 32 and layer.use_bias)
    dense.set_weights([dense.kernel, np.full_like(dense.bias, -100.0)])
    images, sexes = _batch()
    told = np.asarray(model({"image": images, "sex": np.ones_like(sexes)}))
    assert np.ptp(told[:, 0]) > 1e-3


def test_dropout_acts_in_training_only():
    model = build_cnn(size=SIZE, dropout=0.5)
    images, sexes = _batch()
    inputs = {"image": images, "sex": sexes}
    assert np.array_equal(model(inputs, training=False), model(inputs, training=False))
    assert not np.array_equal(model(inputs, training=True), model(inputs, training=True))


def test_ours_answers_at_any_size_with_the_same_number_of_weights():
    counts = {build_cnn(architecture="boneage", size=size).count_params() for size in ((64, 64), (96, 128))}
    assert len(counts) == 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_half_precision_has_the_same_weights_and_nearly_the_same_answers(architecture):
    exact, quick = (
        build_cnn(architecture=architecture, size=SIZE, seed=3, precision=precision)
        for precision in PRECISIONS
    )
    images, sexes = _batch()
    pairs = list(zip(exact.get_weights(), quick.get_weights(), strict=True))
    assert all(a.dtype == b.dtype == np.float32 and np.array_equal(a, b) for a, b in pairs)
    told, nearly = (np.asarray(model({"image": images, "sex": sexes})) for model in (exact, quick))
    assert nearly.dtype == np.float32
    assert not np.array_equal(told, nearly)
    assert nearly == pytest.approx(told, abs=0.1)


@pytest.mark.parametrize(
    "wrong",
    [{"architecture": "vgg"}, {"size": (16, 64)}, {"size": (64,)}, {"precision": "float16"}],
)
def test_what_cannot_be_built_is_refused(wrong):
    with pytest.raises(RecipeError, match="Received"):
        build_cnn(**wrong)
