"""One network trained by several workers of a real cluster: each row once, and what one process would have learnt."""

import itertools
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sparkrun_recipe import make_rows, select_row

from boneage_sparkrun import EngineError, ListFeed, LocalEngine, shard_name, write_shard
from boneage_sparkrun.cluster_training import ClusterTraining, train_on_cluster
from boneage_sparkrun.java import find_java_home
from boneage_sparkrun.spark_session import SparkSettings

from ...servers.processes import Processes
from ...servers.spark import Spark
from .disturbed import CONF, DRIVER, WORK, Kill, Trial

# Uneven, one of them empty, more than workers.
SHARDS = (17, 0, 1, 30, 5)
RECIPE = {"epochs": 2, "batch_size": 8, "averaging": 0.5}
RECIPES = [RECIPE, {**RECIPE, "kind": "adam"}, {**RECIPE, "kind": "rich"}]
SLOW = {"epochs": 5, "batch_size": 8, "averaging": 0.5, "pace_seconds": 0.1}


def write_rows(folder, shards=SHARDS):
    uris, start = [], 0
    for index, count in enumerate(shards):
        uris.append([str(folder / "rows" / shard_name(index, len(shards)))])
        write_shard(uris[-1][0], make_rows(count, start))
        start += count
    return uris


@pytest.fixture
def sources(tmp_path):
    return write_rows(tmp_path)


def settings(spark, workers, **changes):
    return SparkSettings(
        **{"master": spark.uri, "total_cores": workers, "conf": CONF, "start_seconds": 120} | changes
    )


def training(sources, recipes=RECIPES, reservation_seconds=120, **config):
    functions = {"select": "sparkrun_recipe:select_row", "function": "sparkrun_recipe:fit_on_cluster"}
    return ClusterTraining(
        "train",
        sources,
        **functions,
        batch_size=8,
        seed=3,
        config={"recipes": recipes, **config},
        reservation_seconds=reservation_seconds,
    )


def assert_same_weights(one, other, tolerance):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def test_one_and_two_workers_learn_what_one_process_learns(spark, sources, tmp_path):
    # In processes of their own, which one task alone has not: TensorFlow, once it runs, cannot be set up otherwise for
    # other tests.
    alone, _ = LocalEngine(2).run(
        "sparkrun_recipe:fit_alone", [{"recipes": RECIPES, "rows": sum(SHARDS)}] * 2
    )
    for workers in (1, 2):
        said = []
        result = train_on_cluster(
            training(sources, weights=str(tmp_path)), settings(spark, workers), said.append
        )
        assert (result["index"], result["count"]) == (0, workers)
        assert said[0] == {"kind": "start", "workers": workers}
        assert [event["epoch"] for event in said if event["kind"] == "epoch"] == [1, 2] * len(RECIPES)
        (sgd, adam, _), (sgd_alone, adam_alone, _) = result["results"], alone["results"]
        np.testing.assert_allclose(sgd["losses"], sgd_alone["losses"], atol=1e-5)
        assert_same_weights(sgd["weights"], sgd_alone["weights"], 1e-5)
        np.testing.assert_allclose(adam["val_losses"], adam_alone["val_losses"], rtol=0.01)
    # The moving statistics of "rich" among them.
    first, second = (json.loads((tmp_path / f"{index}.json").read_text()) for index in range(2))
    assert first == second == [trained["weights"] for trained in result["results"]]
    assert not spark.executors()


def test_what_fails_on_a_worker_is_one_message_with_its_traceback(spark, processes, sources, tmp_path):
    given = {
        "master": spark.uri,
        "workers": 2,
        "conf": CONF,
        "sources": sources,
        "log": str(tmp_path / "log"),
    }
    call = (sys.executable, DRIVER, json.dumps({**given, "config": {"fails": True}}))
    environment = {**processes.environment, "PYTHONPATH": str(WORK)}
    done = subprocess.run(call, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (1, "")
    failed = json.loads(done.stdout.splitlines()[-1])
    message = failed["message"].splitlines()[0]
    assert re.search(r"ValueError: worker \d cannot do this", message)
    assert "Traceback" not in message
    for text in (failed["details"], (tmp_path / "log").read_text()):
        assert "in fit_on_cluster" in text


WORST = {
    "all in one, the others empty": ((0, 0, 41, 0), 8),
    "one row for two workers": ((1,), 8),
    "one row each, more shards than slots": ((1,) * 13, 4),
    "a last step that only one worker has a row of": ((16, 3), 8),
    "a step larger than all rows": ((30, 2, 0, 1), 100),
}


@pytest.mark.parametrize(("shards", "batch_size"), WORST.values(), ids=WORST)
def test_each_row_is_had_once_an_epoch_however_parted(spark, tmp_path, shards, batch_size):
    names = {"select": "sparkrun_recipe:select_row", "function": "sparkrun_recipe:take_rows"}
    task = ClusterTraining(
        "take", write_rows(tmp_path, shards), **names, batch_size=batch_size, config={"taken": str(tmp_path)}
    )
    train_on_cluster(task, settings(spark, 2))
    rows = [row for row in make_rows(sum(shards)) if select_row(row, {})[0] == "train"]
    taken = [json.loads((tmp_path / f"{index}.json").read_text()) for index in range(2)]
    for epoch, parts in zip((1, 1, 2), zip(*taken, strict=True), strict=True):
        together = [sorted(itertools.chain(*step)) for step in itertools.zip_longest(*parts, fillvalue=[])]
        feed = ListFeed(rows, batch_size, 0)
        assert together == [sorted(row["number"] for row in batch) for batch in feed.epoch(epoch)]


SLEEP = """
import os, time
if "ASLEEP" in os.environ:
    time.sleep(60)
"""


def test_a_worker_that_never_starts_is_named(sources, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SLEEP)
    conf = {**CONF, "spark.executorEnv.PYTHONPATH": f"{CONF['spark.executorEnv.PYTHONPATH']}:{tmp_path}"}
    wanted = r"1 of 2 training workers .* within 20 s: the executor 127\.0\.0\.1:\d+"
    with Processes(tmp_path / "servers", find_java_home()) as processes:
        spark = Spark(processes, workers=1)
        spark.start_worker("env", "ASLEEP=1")
        with pytest.raises(EngineError, match=wanted):
            train_on_cluster(training(sources, reservation_seconds=20), settings(spark, 2, conf=conf))


def test_fewer_workers_are_named_or_allowed(spark, sources):
    with pytest.raises(EngineError, match="3 slots are needed and 2 found"):
        train_on_cluster(training(sources), settings(spark, 3, start_seconds=15))
    said = []
    fewer = settings(spark, 3, start_seconds=30, allow_fewer=True)
    assert train_on_cluster(training(sources, [RECIPE]), fewer, said.append)["count"] == 2
    assert said[0]["workers"] == 2


def test_one_executor_is_not_taken_for_two_workers(sources):
    with pytest.raises(EngineError, match=r"1 executor for 2 training workers.*local\[1\]"):
        train_on_cluster(training(sources), SparkSettings("local[2]", total_cores=2, conf=CONF))


def disturbed(spark, processes, folder, kills):
    folder.mkdir()
    config = {"recipes": [SLOW], "checkpoints": str(folder / "checkpoints"), "steps": str(folder / "steps")}
    trial = Trial(processes, spark, None, write_rows(folder), {**config, "every_steps": 2})
    return trial.run(kills)


def test_whatever_is_killed_the_same_is_learnt(spark, processes, tmp_path):
    """One after the other, each at a step of its own; more are in benchmarks/faults.py."""
    undisturbed = disturbed(spark, processes, tmp_path / "undisturbed", [])
    assert (undisturbed.recoveries, undisturbed.doubled, undisturbed.left) == ([], 0, [])
    assert len(undisturbed.steps) == 5 * 6
    victims = ("executor", "training process", "driver", "feeding worker")
    kills = [Kill(victim, 2 + n, random.randint(2, 4)) for n, victim in enumerate(victims)]  # noqa: S311
    story = disturbed(spark, processes, tmp_path / "disturbed", kills)
    assert len(story.recoveries) == 3, kills
    assert story.left == []
    # At most one interval of the checkpoints a kill.
    assert story.doubled <= 2 * len(kills)
    assert set(story.steps) == set(undisturbed.steps)
    one, other = (s.result["results"][0] for s in (story, undisturbed))
    assert_same_weights(one["weights"], other["weights"], 1e-6)
    names = [path.name for path in Path(tmp_path / "disturbed" / "checkpoints").iterdir()]
    assert sorted(names) == ["checkpoint-000004-00000004.npz", "checkpoint-000005-00000000.npz"]
