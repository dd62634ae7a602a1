import dataclasses

import numpy as np
import pytest

from boneage_regression.training import RegressionRecipe, predict_ages

from .conftest import SIZE

RECIPE = RegressionRecipe(size=SIZE)
IMAGE = np.random.default_rng(0).integers(0, 256, SIZE).astype(np.uint8)


def _row(**changes):
    return {"case_id": "7", "input": IMAGE, "male": True, "age_months": 100.0, **changes}


def test_the_loss_is_one_number_per_example_square_near_the_truth_and_straight_far_off():
    errors = np.array([0.0, 0.1, -0.1, 0.5, 2.0, -4.0], np.float32)
    wanted = np.array([0, 0.01, 0.01, 0.25, 1.75, 3.75])
    none = np.zeros_like(errors)
    for share, told in ((0.0, (errors, none)), (1.0, (none, errors)), (0.3, (errors, errors))):
        recipe = dataclasses.replace(RECIPE, loss_delta=0.5, blind_share=share)
        loss = np.asarray(recipe.loss(np.zeros((6, 2), np.float32), np.stack([*told, none], axis=1)))
        assert loss.shape == (6,)
        assert loss == pytest.approx(wanted)


def test_telling_the_sex_wrongly_costs_where_it_is_known():
    recipe = dataclasses.replace(RECIPE, sex_weight=0.5)
    target = np.array([[0, 1], [0, -1], [0, -1], [0, 0]], np.float32)
    output = np.array([[0, 0, 4], [0, 0, -4], [0, 0, 4], [0, 0, 4]], np.float32)
    wanted = 0.5 * np.log1p(np.exp([-4, -4, 4])).astype(np.float32)
    assert np.asarray(recipe.loss(target, output)) == pytest.approx([*wanted, 0])


def test_the_learning_rate_rises_then_falls_to_almost_nothing():
    recipe = dataclasses.replace(RECIPE, epochs=10, learning_rate=2e-3)
    schedule = recipe.optimizer(steps_per_epoch=20).learning_rate
    optimizer = recipe.optimizer(20)
    rates = [float(optimizer._learning_rate(step)) for step in (0, 5, 10, 60, 120, 199)]
    assert float(schedule) == pytest.approx(1e-4)
    assert rates[0] < rates[1] < rates[2] == pytest.approx(2e-3)
    assert rates[2] > rates[3] > rates[4] > rates[5]
    assert rates[5] < 1e-4


def test_one_step_moves_every_weight():
    import tensorflow as tf

    recipe = dataclasses.replace(RECIPE, dropout=0.0, dense_width=8)
    model = recipe.build_model()
    optimizer = recipe.optimizer(1)
    optimizer.build(model.trainable_variables)
    examples = [recipe.prepare(_row(case_id=str(i), age_months=60.0 + 40 * i), 0, 1) for i in range(4)]
    inputs = {name: np.stack([e[0][name] for e in examples]) for name in ("image", "sex")}
    before = [v.numpy() for v in model.trainable_variables]
    with tf.GradientTape() as tape:
        losses = recipe.loss(np.stack([e[1] for e in examples]), model(inputs, training=True))
        total = tf.reduce_mean(losses)
    optimizer.apply(tape.gradient(total, model.trainable_variables), model.trainable_variables)
    assert losses.shape == (4,)
    assert all(
        not np.array_equal(b, v.numpy()) for b, v in zip(before, model.trainable_variables, strict=True)
    )


def test_ages_told_do_not_depend_on_the_side_of_the_hand_or_the_batch(networks, recipes):
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, SIZE).astype(np.uint8) for _ in range(35)]
    rows = [_row(input=image, male=(None, True, False)[i % 3]) for i, image in enumerate(images)]
    told = predict_ages(networks[0], recipes[0], rows)
    mirrored = predict_ages(networks[0], recipes[0], [row | {"input": row["input"][:, ::-1]} for row in rows])
    alone = predict_ages(networks[0], recipes[0], rows[33:34])
    assert told.shape == (35,)
    assert told == pytest.approx(mirrored, abs=1e-3)
    assert told[33] == pytest.approx(alone[0], abs=1e-3)
    assert predict_ages(networks[0], recipes[0], []).shape == (0,)
