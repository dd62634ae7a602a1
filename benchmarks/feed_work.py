"""What the workers of feed_speed.py do: functions by name."""

import time
from dataclasses import dataclass

import numpy as np

SIZE = (256, 256)


def draw_row(number):
    pixels = np.random.default_rng(number).integers(0, 256, SIZE, np.uint8)
    return {
        "case_id": str(number),
        "pixels": pixels.tobytes(),
        "age_months": float(number % 228),
        "male": None,
    }


def select(record, config):
    """A row as it travels: its picture as bytes, or as Python's numbers, which is what a CSV row becomes."""
    if int(record["case_id"]) >= config["rows"]:
        return None
    if config.get("numbers"):
        record = record | {"pixels": [float(value) for value in record["pixels"]]}
    return "train", record


def take(_config, worker):
    """Takes all rows of two epochs and does nothing with them; rows a second of the second, from its first part on."""
    for epoch in (1, 2):
        parts, started = worker.feed.epoch(epoch), None
        count = 0
        for part in parts:
            if started is None:
                started = time.perf_counter()
            else:
                count += len(part)
        seconds = time.perf_counter() - started
    return {"rows_per_second": count / seconds, "rows": count}


@dataclass(frozen=True)
class Unpacked:
    """A cluster's rows with their pictures as arrays."""

    feed: object

    @property
    def steps(self):
        return self.feed.steps

    def epoch(self, epoch, start=0):
        for rows in self.feed.epoch(epoch, start):
            yield [unpacked(row) for row in rows]


@dataclass(frozen=True)
class Remembered:
    """The same rows, from memory."""

    parts: list
    steps: int

    def epoch(self, _epoch, start=0):
        yield from self.parts[start:]


def unpacked(row):
    return {
        "case_id": row["case_id"],
        "input": np.frombuffer(row["pixels"], np.uint8).reshape(SIZE),
        "age_months": row["age_months"],
        "male": row["male"],
    }


def train(config, worker):
    """Trains the report's CNN, fed by the cluster and from memory in turn; seconds of each epoch but the first."""
    from boneage_imaging.augmentation import Augmentation
    from boneage_regression.training import RegressionRecipe
    from boneage_sparkrun import fit

    fed = Unpacked(worker.feed)
    memory = Remembered([[dict(row) for row in rows] for rows in fed.epoch(1)], worker.feed.steps)
    recipe = RegressionRecipe(
        architecture="report", size=SIZE, epochs=config["epochs"], batch_size=config["batch_size"]
    )
    recipe = RegressionRecipe(**{**vars(recipe), "augmentation": Augmentation()})
    seconds = {"memory": [], "spark": []}
    for kind in ("spark", "memory", "memory", "spark"):
        feed = memory if kind == "memory" else fed
        result = fit(recipe, feed, strategy=worker.strategy, batch_size=worker.share)
        seconds[kind] += [entry["seconds"] for entry in result.history[1:]]
    return seconds
