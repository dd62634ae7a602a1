import threading
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from sparkrun_recipe import NAN_ROW, SumRecipe, UnevenFeed, make_rows

from boneage_sparkrun import (
    CheckpointError,
    Checkpoints,
    ListFeed,
    LocalEngine,
    Recipe,
    TrainingError,
    fit,
    limit_threads,
)

ROWS, VALIDATION = make_rows(21), make_rows(11, 1000)


# What is said of devices must be said before TensorFlow starts.
pytestmark = pytest.mark.usefixtures("strategy")


def train(recipe, rows=ROWS, **options):
    return fit(recipe, ListFeed(rows, recipe.batch_size, recipe.seed), validation=VALIDATION, **options)


def same(one, other, tolerance=0.0):
    weights = zip(one.model.get_weights(), other.model.get_weights(), strict=True)
    return all(np.allclose(a, b, rtol=0, atol=tolerance) for a, b in weights)


def history(result):
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in result.history]


def distance(result, recipe):
    inputs, targets = zip(*(recipe.prepare(row, 0, None) for row in VALIDATION), strict=True)
    output = result.model(np.stack([row["numbers"] for row in inputs])).numpy()
    return float(np.abs(np.stack(targets) - output).mean())


# what comes out


def test_it_learns_and_tells_how():
    recipe: Recipe = SumRecipe(epochs=12, noisy=False)
    result = train(recipe)
    losses = [entry["val_loss"] for entry in result.history]
    assert losses[-1] < 0.25 * losses[0]
    assert [entry["epoch"] for entry in result.history] == list(range(1, 13))
    names = {"epoch", "loss", "seconds", "val_loss", "val_distance", "val_closeness", "val_steady"}
    assert all(set(entry) == names for entry in result.history)
    assert result.seconds >= sum(entry["seconds"] for entry in result.history)


def test_the_same_seed_gives_the_same_weights_bit_for_bit():
    recipe = SumRecipe(kind="rich", averaging=0.9)
    one, two = train(recipe), train(recipe)
    assert same(one, two)
    assert history(one) == history(two)
    assert not same(one, train(replace(recipe, seed=4)), 1e-3)


@pytest.mark.parametrize(("kind", "averaging"), [("rich", 0.0), ("dense", 0.9)])
def test_the_model_has_the_weights_of_the_best_epoch(kind, averaging):
    recipe = SumRecipe(epochs=6, rate=0.3, kind=kind, averaging=averaging)
    result = train(recipe)
    values = [entry["val_distance"] for entry in result.history]
    assert result.best_epoch == 1 + int(np.argmin(values))
    assert distance(result, recipe) == pytest.approx(min(values), abs=1e-6)


def test_the_monitor_chooses_the_epoch():
    recipe = SumRecipe(epochs=6, rate=0.6)
    results = {
        m: train(replace(recipe, monitor=m)) for m in ("val_distance", "-closeness", "closeness", None)
    }
    best = {monitor: result.best_epoch for monitor, result in results.items()}
    values = [entry["val_distance"] for entry in results[None].history]
    assert best["val_distance"] == best["-closeness"] == 1 + int(np.argmin(values))
    assert best["closeness"] == 1 + int(np.argmax(values))
    assert best[None] == 6
    assert best["val_distance"] != best["closeness"]


def test_without_validation_rows_the_last_epoch_is_kept():
    recipe = SumRecipe(monitor="anything", patience=1)
    result = fit(recipe, ListFeed(ROWS, 8, recipe.seed))
    assert (result.best_epoch, set(result.history[0])) == (3, {"epoch", "loss", "seconds"})


@pytest.mark.parametrize(("patience", "epochs"), [(1, 2), (2, 3), (None, 5)])
def test_patience_ends_the_training(patience, epochs):
    result = train(SumRecipe(epochs=5, monitor="steady", patience=patience))
    assert (len(result.history), result.best_epoch) == (epochs, 1)


# how it steps


def test_padding_changes_nothing():
    recipe = SumRecipe(epochs=2, batch_size=7, noisy=False)
    rows = make_rows(14)
    wide = UnevenFeed(rows, 7, 2)
    plain = fit(recipe, wide, validation=VALIDATION)
    padded = fit(replace(recipe, batch_size=16), wide, validation=VALIDATION)
    assert same(plain, padded, 1e-6)
    assert plain.history[1]["val_loss"] == pytest.approx(padded.history[1]["val_loss"], abs=1e-6)


@dataclass(frozen=True)
class Watched(SumRecipe):
    """Keeps what it made and was asked for."""

    models: list = field(default_factory=list, compare=False)
    seen: list = field(default_factory=list, compare=False)

    def build_model(self):
        self.models.append(super().build_model())
        return self.models[-1]

    def prepare(self, row, seed, epoch):
        self.seen.append((epoch, row["case_id"]))
        return super().prepare(row, seed, epoch)


def test_each_row_is_prepared_once_per_epoch_and_for_validation_once():
    recipe = Watched()
    train(recipe)
    wanted = [(epoch, row["case_id"]) for epoch in (1, 2, 3) for row in ROWS]
    wanted += [(None, row["case_id"]) for row in VALIDATION]
    assert sorted(recipe.seen, key=repr) == sorted(wanted, key=repr)


def test_averaged_weights_follow_the_rule():
    recipe = Watched(averaging=0.5, monitor=None)
    averages = []

    def follow(event):
        weights = [weight.copy() for weight in recipe.models[0].get_weights()]
        if event["kind"] == "step":
            done = 3 * (event["epoch"] - 1) + event["step"]
            decay = min(0.5, (1 + done) / (10 + done))
            averages[:] = [decay * a + (1 - decay) * w for a, w in zip(averages, weights, strict=True)]

    first = fit(Watched(epochs=1, rate=0.0, monitor=None), ListFeed(ROWS, 8, 3)).model.get_weights()
    averages.extend(first)
    result = train(recipe, progress=follow)
    for average, weight in zip(averages, result.model.get_weights(), strict=True):
        np.testing.assert_allclose(weight, average, atol=1e-6)
    assert any(np.abs(one - other).max() > 1e-2 for one, other in zip(first, averages, strict=True))


def test_progress_tells_each_step_and_epoch():
    events = []
    result = train(SumRecipe(epochs=2), progress=events.append)
    assert [(e["kind"], e["epoch"], e["step"]) for e in events] == [
        (kind, epoch, step)
        for epoch in (1, 2)
        for kind, step in (("step", 1), ("step", 2), ("step", 3), ("epoch", 3))
    ]
    assert all((e["epochs"], e["steps"]) == (2, 3) and e["rows_per_second"] > 0 for e in events)
    assert events[-1]["loss"] == result.history[-1]["loss"]
    assert events[-1]["metrics"]["val_distance"] == result.history[-1]["val_distance"]


def test_two_replicas_learn_what_one_learns(strategy):
    recipe = SumRecipe(kind="regularized", averaging=0.5, noisy=False)
    one, two = train(recipe), train(recipe, strategy=strategy)
    assert strategy.num_replicas_in_sync == 2
    assert same(one, two, 1e-5)
    assert [entry["loss"] for entry in two.history] == pytest.approx(
        [entry["loss"] for entry in one.history], abs=1e-5
    )


def test_moving_statistics_are_shared_among_replicas(strategy):
    recipe = SumRecipe(kind="rich", epochs=2)
    result = train(recipe, strategy=strategy)
    for variable in result.model.non_trainable_weights:
        first, second = (value.numpy() for value in variable.value.values)
        np.testing.assert_array_equal(first, second)
    assert distance(result, recipe) == pytest.approx(
        result.history[result.best_epoch - 1]["val_distance"], abs=1e-6
    )


@dataclass(frozen=True)
class TwoInputs(SumRecipe):
    def build_model(self):
        import keras

        inputs = {name: keras.Input((1,), name=name) for name in ("left", "right")}
        joined = keras.layers.Concatenate()([inputs["right"], inputs["left"]])
        return keras.Model(inputs, keras.layers.Dense(1)(joined))

    def prepare(self, row, seed, epoch):
        inputs, target = super().prepare(row, seed, epoch)
        return {"left": inputs["numbers"][:1], "right": inputs["numbers"][1:2]}, target


def test_inputs_go_by_name():
    result = train(TwoInputs(epochs=20, rate=0.2))
    assert result.history[-1]["val_loss"] < 0.01


# going on from where it was


class InterruptedHereError(Exception):
    pass


def interrupt(kind, epoch, step):
    def progress(event):
        if (event["kind"], event["epoch"], event["step"]) == (kind, epoch, step):
            raise InterruptedHereError

    return progress


LONG = SumRecipe(epochs=4, kind="rich", averaging=0.8, rate=0.1)


@pytest.fixture(scope="module")
def undisturbed():
    return train(LONG)


@pytest.mark.parametrize(
    ("settings", "cut", "goes_on"),
    [
        ({"every": 1}, ("epoch", 1, 3), (2, 1)),
        ({"every": 1}, ("step", 3, 2), (3, 1)),
        ({"every": 2}, ("epoch", 3, 3), (3, 1)),
        ({"every_steps": 1}, ("step", 1, 2), (1, 3)),
        ({"every_steps": 2}, ("step", 3, 3), (3, 3)),
    ],
)
def test_an_interrupted_run_ends_like_an_undisturbed_one(tmp_path, undisturbed, settings, cut, goes_on):
    threads, said = threading.active_count(), []
    checkpoints = Checkpoints(tmp_path / "run", **settings)
    with pytest.raises(InterruptedHereError):
        train(LONG, checkpoints=checkpoints, progress=interrupt(*cut))
    assert threading.active_count() == threads
    resumed = train(LONG, checkpoints=checkpoints, progress=said.append)
    assert (said[0]["epoch"], said[0]["step"]) == goes_on
    assert same(resumed, undisturbed, 1e-6)
    assert history(resumed) == history(undisturbed)
    assert resumed.best_epoch == undisturbed.best_epoch


def test_a_finished_run_is_not_run_again(tmp_path):
    recipe = SumRecipe(epochs=6, rate=0.3, patience=2, monitor="steady")
    first = train(recipe, checkpoints=Checkpoints(tmp_path, every=100))
    assert len(first.history) == 3
    again = train(recipe, checkpoints=Checkpoints(tmp_path), progress=interrupt("step", 4, 1))
    assert same(first, again)
    assert again.history == first.history


def test_another_recipes_checkpoint_is_refused(tmp_path):
    recipe = SumRecipe(epochs=1)
    train(recipe, checkpoints=Checkpoints(tmp_path))
    with pytest.raises(CheckpointError, match="another recipe"):
        train(replace(recipe, rate=0.01), checkpoints=Checkpoints(tmp_path))
    with pytest.raises(CheckpointError, match="other rows"):
        train(recipe, rows=make_rows(50), checkpoints=Checkpoints(tmp_path))


def test_training_starts_from_given_weights(tmp_path):
    first = train(SumRecipe(epochs=1))
    first.model.save_weights(tmp_path / "w.weights.h5")
    first.model.save(tmp_path / "w.keras")
    for name in ("w.weights.h5", "w.keras"):
        assert same(train(SumRecipe(epochs=1, rate=0.0, seed=9), initial=tmp_path / name), first)
        with pytest.raises(TrainingError, match="cannot start from"):
            train(SumRecipe(kind="rich"), initial=tmp_path / name)
    with pytest.raises(TrainingError, match=r"absent\.weights\.h5"):
        train(SumRecipe(), initial=tmp_path / "absent.weights.h5")


# what goes wrong


def test_a_loss_that_is_no_number_ends_it_and_says_where():
    with pytest.raises(TrainingError, match="became nan in epoch 2, step ") as caught:
        train(SumRecipe(), rows=[*ROWS, {**ROWS[0], "case_id": NAN_ROW}])
    assert caught.value.epoch == 2
    assert 1 <= caught.value.step <= 3


def test_a_bad_row_ends_it_and_is_named():
    with pytest.raises(TrainingError, match="row lacking: KeyError: 'a'"):
        train(SumRecipe(), rows=[*ROWS, {"case_id": "lacking", "number": 1}])
    with pytest.raises(TrainingError, match="row lacking"):
        fit(SumRecipe(), ListFeed(ROWS, 8), validation=[{"case_id": "lacking", "number": 1}])


class BrokenFeed(UnevenFeed):
    def epoch(self, epoch, start=0):
        yield from super().epoch(epoch, start)
        raise OSError("the line is cut")


def test_an_error_of_the_feed_passes_through():
    with pytest.raises(OSError, match="the line is cut"):
        fit(SumRecipe(), BrokenFeed(ROWS, 8, 3))


def test_a_feed_without_rows_or_with_too_many_at_once_is_refused():
    with pytest.raises(TrainingError, match="no rows in epoch 1"):
        fit(SumRecipe(), UnevenFeed([], 8, 1))
    with pytest.raises(TrainingError, match="the batch size is 8"):
        fit(SumRecipe(), UnevenFeed(ROWS, 9, 3))


@dataclass(frozen=True)
class MeanLoss(SumRecipe):
    def loss(self, target, output):
        from keras import ops

        return ops.mean(super().loss(target, output))


@dataclass(frozen=True)
class MeanMetric(SumRecipe):
    def metrics(self, target, output):
        return {"distance": np.abs(target - output).mean()}


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (MeanLoss(), r"one number per row, shape \(batch,\); it gave \(\)"),
        (MeanMetric(), r"metric 'distance' must give one figure per row, shape \(8,\)"),
        (
            SumRecipe(monitor="distanse"),
            r"received 'distanse', known are \['closeness', 'distance', 'loss', 'steady'\]",
        ),
        (SumRecipe(epochs=0), "epochs and batch_size"),
        (SumRecipe(averaging=1.0), "averaging"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(recipe, reason):
    with pytest.raises(TrainingError, match=reason):
        fit(recipe, ListFeed(ROWS, 8), validation=VALIDATION)


def test_threads_cannot_change_once_tensorflow_runs():
    with pytest.raises(TrainingError, match="before its first use"):
        limit_threads(7)
    with pytest.raises(TrainingError, match="at least 1"):
        limit_threads(0)


def test_threads_are_limited_before_the_libraries_start():
    engine = LocalEngine(2, environment={})
    assert engine.run("sparkrun_work:set_threads", [{"threads": 3}])[0]["OMP_NUM_THREADS"] == "3"
