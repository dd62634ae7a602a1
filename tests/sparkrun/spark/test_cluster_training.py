"""One network trained by several workers of a real cluster: each row once, and what one process would have learnt."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from sparkrun_recipe import make_rows

from boneage_sparkrun import EngineError, LocalEngine, shard_name, write_shard
from boneage_sparkrun.cluster_training import ClusterTraining, train_on_cluster
from boneage_sparkrun.spark_session import SparkSettings

from ...servers.processes import QUICK_JAVA

WORK = str(Path(__file__).parents[1])
CONF = {
    "spark.executor.memory": "512m",
    "spark.driver.memory": "512m",
    "spark.driver.extraJavaOptions": QUICK_JAVA,
    "spark.executor.extraJavaOptions": QUICK_JAVA,
    "spark.executorEnv.PYTHONPATH": WORK,
}
# Uneven, one of them empty, more than workers.
SHARDS = (17, 0, 1, 30, 5)
RECIPE = {"epochs": 2, "batch_size": 8, "averaging": 0.5}


LONGER = {**RECIPE, "epochs": 4}


def write_rows(folder):
    uris, start = [], 0
    for index, count in enumerate(SHARDS):
        uris.append([str(folder / "rows" / shard_name(index, len(SHARDS)))])
        write_shard(uris[-1][0], make_rows(count, start))
        start += count
    return uris


@pytest.fixture
def sources(tmp_path):
    return write_rows(tmp_path)


def settings(spark, workers):
    return SparkSettings(master=spark.uri, total_cores=workers, conf=CONF, start_seconds=120)


def training(sources, **config):
    functions = {"select": "sparkrun_recipe:select_row", "function": "sparkrun_recipe:fit_on_cluster"}
    return ClusterTraining(
        "train", sources, **functions, batch_size=8, seed=3, config={"recipe": RECIPE, **config}
    )


def test_one_and_two_workers_learn_what_one_process_learns(spark, sources):
    # In a process of its own: TensorFlow, once it runs, cannot be set up otherwise for other tests.
    alone, _ = LocalEngine(2).run("sparkrun_recipe:fit_alone", [{"recipe": RECIPE, "rows": sum(SHARDS)}] * 2)
    for workers in (1, 2):
        said = []
        result = train_on_cluster(training(sources), settings(spark, workers), said.append)
        assert (result["index"], result["count"]) == (0, workers)
        assert [entry["epoch"] for entry in said] == [1, 2]
        np.testing.assert_allclose(result["losses"], alone["losses"], atol=1e-5)
        for one, other in zip(result["weights"], alone["weights"], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert not spark.executors()


def test_what_fails_on_a_worker_is_one_message_with_its_traceback(spark, sources):
    with pytest.raises(EngineError, match=r"ValueError: worker \d cannot do this") as caught:
        train_on_cluster(training(sources, fails=True), settings(spark, 2))
    assert "Traceback" not in str(caught.value).splitlines()[0]
    assert "fit_on_cluster" in caught.value.details


def kill_once(said, wanted, kill):
    """Kills something as soon as an epoch is done, once."""

    def progress(event):
        said.append(event)
        if (
            event["kind"] == "epoch"
            and event["epoch"] == wanted
            and not any(e["kind"] == "recovery" for e in said)
        ):
            kill()

    return progress


@pytest.fixture(scope="module")
def undisturbed(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return train_on_cluster(training(write_rows(folder), recipe=LONGER), settings(spark, 2))


def find_victim(processes, name):
    if name == "executor":
        return processes.find("CoarseGrainedExecutorBackend")[0]
    # A guard is started with the numbers of a worker's Python, of its training process, and of its manager.
    command = Path(f"/proc/{processes.find('guard.py')[0]}/cmdline").read_bytes().split(b"\0")[:-1]
    return int(command[{"feeding worker": -3, "training process": -2}[name]])


@pytest.mark.parametrize("victim", ["executor", "training process", "feeding worker"])
def test_a_killed_part_is_started_anew_and_the_same_is_learnt(
    spark, processes, undisturbed, tmp_path, victim
):
    said, before = [], set(processes.find(""))

    def kill():
        os.kill(find_victim(processes, victim), signal.SIGKILL)

    config = {"recipe": LONGER, "checkpoints": str(tmp_path / "checkpoints")}
    result = train_on_cluster(
        training(write_rows(tmp_path), **config), settings(spark, 2), kill_once(said, 2, kill)
    )
    kinds = [event["kind"] for event in said]
    assert kinds.count("recovery") == 1
    # At most the epoch that was under way is done twice.
    assert kinds.count("epoch") <= LONGER["epochs"] + 1
    for one, other in zip(result["weights"], undisturbed["weights"], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    deadline = time.monotonic() + 60
    while left := set(processes.find("")) - before:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
