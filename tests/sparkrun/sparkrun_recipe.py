"""A tiny recipe: two numbers and a noise in, their sum out; and what the tests train in workers."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NAN_ROW = "poison"


@dataclass(frozen=True)
class SumRecipe:
    epochs: int = 3
    batch_size: int = 8
    seed: int = 3
    averaging: float = 0.0
    monitor: str | None = "distance"
    patience: int | None = None
    rate: float = 0.05
    noisy: bool = True
    kind: str = "dense"
    pace_seconds: float = 0.0  # of preparing a row

    def build_model(self):
        import keras

        inputs = keras.Input((3,), name="numbers")
        hidden = keras.layers.Dense(6, activation="tanh")(inputs)
        if self.kind == "rich":
            hidden = keras.layers.BatchNormalization()(hidden)
            hidden = keras.layers.Dropout(0.2)(hidden)
        if self.kind == "regularized":
            hidden = keras.layers.Dense(6, kernel_regularizer="l2")(hidden)
        return keras.Model(inputs, keras.layers.Dense(1)(hidden))

    def optimizer(self, steps_per_epoch):
        import keras

        assert steps_per_epoch >= 1
        if self.kind == "rich":
            return keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(self.rate, 3 * steps_per_epoch)
            )
        return {"adam": keras.optimizers.Adam}.get(self.kind, keras.optimizers.SGD)(self.rate)

    def loss(self, target, output):
        from keras import ops

        return ops.mean(ops.square(target - output), axis=-1)

    def prepare(self, row, seed, epoch):
        if row["case_id"] == NAN_ROW and epoch == 2:
            return {"numbers": np.full(3, np.nan, np.float32)}, np.zeros(1, np.float32)
        time.sleep(self.pace_seconds)
        noise = 0.0
        if self.noisy and epoch is not None:
            noise = np.random.default_rng([seed, epoch, row["number"]]).normal()
        numbers = np.array([row["a"], row["b"], noise], np.float32)
        return {"numbers": numbers}, np.array([row["a"] + row["b"]], np.float32)

    def metrics(self, target, output):
        distance = np.abs(target - output)[:, 0]
        return {"distance": distance, "closeness": -distance, "steady": np.zeros(len(distance))}


def make_rows(count, start=0):
    rows = []
    for number in range(start, start + count):
        a, b = np.random.default_rng(number).normal(size=2)
        rows.append({"case_id": f"row-{number}", "number": number, "a": float(a), "b": float(b)})
    return rows


class UnevenFeed:
    """A worker's part of the rows; all workers count the steps of the longest."""

    def __init__(self, rows, batch_size, steps):
        self.rows, self.batch_size, self.steps = rows, batch_size, steps

    def epoch(self, _epoch, start=0):
        for first in range(start * self.batch_size, len(self.rows), self.batch_size):
            yield self.rows[first : first + self.batch_size]


def train_together(argument):
    """Trains recipes as one of several workers of a TensorFlow cluster, each with rows of its own."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in argument["ports"]]}
    task = {"type": "worker", "index": argument["index"]}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    rows = make_rows(argument["rows"], start=100 * argument["index"])
    return {
        recipe["kind"]: train_part(SumRecipe(**recipe), rows, argument["steps"], strategy)
        for recipe in argument["recipes"]
    }


def train_part(recipe, rows, steps, strategy):
    from boneage_sparkrun import fit

    events = []
    feed = UnevenFeed(rows, recipe.batch_size, steps)
    result = fit(recipe, feed, validation=make_rows(10, 1000), strategy=strategy, progress=events.append)
    return {
        "weights": [weight.tolist() for weight in result.model.get_weights()],
        "losses": [entry["loss"] for entry in result.history],
        "steps": [event["step"] for event in events if event["kind"] == "epoch"],
    }


def select_row(record, config):
    """Every tenth row is for validation, those from 1000 on are not used."""
    if record["number"] >= config.get("end", 1000):
        return None
    return ("validation" if record["number"] % 10 == 9 else "train"), record


def fit_on_cluster(config, worker):
    """Trains on a worker of a Spark cluster, one recipe after the other."""
    if config.get("fails"):
        raise ValueError(f"worker {worker.index} cannot do this")
    validation = worker.validation()
    results = [fit_one(SumRecipe(**recipe), config, worker, validation) for recipe in config["recipes"]]
    if "weights" in config:
        Path(config["weights"], f"{worker.index}.json").write_text(
            json.dumps([r["weights"] for r in results])
        )
    return {"index": worker.index, "count": worker.count, "results": results}


def fit_one(recipe, config, worker, validation):
    from boneage_sparkrun import Checkpoints, fit

    folder = config.get("checkpoints")
    settings = {"every_steps": config.get("every_steps"), "read_only": not worker.is_first}

    def progress(said):
        worker.progress(said)
        if worker.is_first and "steps" in config:
            with Path(config["steps"]).open("a") as file:
                file.write(f"{said['kind']} {said['epoch']} {said['step']}\n")

    result = fit(
        recipe,
        worker.feed,
        validation=validation,
        strategy=worker.strategy,
        batch_size=worker.share,
        progress=progress,
        checkpoints=Checkpoints(folder, **settings) if folder else None,
    )
    return told(result)


def fit_alone(config):
    """Trains on the same rows in one process."""
    from boneage_sparkrun import ListFeed, fit

    rows = [select_row(row, config) for row in make_rows(config["rows"])]
    train, validation = ([row for kind, row in rows if kind == wanted] for wanted in ("train", "validation"))
    results = []
    for given in config["recipes"]:
        recipe = SumRecipe(**given)
        feed = ListFeed(train, recipe.batch_size, recipe.seed)
        results.append(told(fit(recipe, feed, validation=validation)))
    return {"results": results}


def told(result):
    return {
        "weights": [weight.tolist() for weight in result.model.get_weights()],
        "losses": [entry["loss"] for entry in result.history],
        "val_losses": [entry["val_loss"] for entry in result.history],
    }


def take_rows(config, worker):
    """Takes an epoch twice and another one, and notes which rows came in which step."""
    worker.validation()
    taken = [[[row["number"] for row in part] for part in worker.feed.epoch(epoch)] for epoch in (1, 1, 2)]
    Path(config["taken"], f"{worker.index}.json").write_text(json.dumps(taken))
