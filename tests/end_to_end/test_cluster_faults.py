"""What stands in the way of a run on a cluster is one clear message, exit code 1 and no traceback."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from boneage_sparkrun.place import Place

from .cluster_faults import (
    FAULTS,
    Cluster,
    executor_out_of_memory,
    no_java,
    no_permission,
    quota_full,
    quota_full_on_workers,
    safe_mode,
    too_few_slots,
    wrong_hdfs_address,
    wrong_master,
)
from .conftest import PATIENT, boneage
from .processes import start, wait_for
from .run_files import files

# Together, as most of them wait; those in one list after each other, as they want the same slots.
ROUNDS = (
    ([wrong_hdfs_address], [no_permission, quota_full], [quota_full_on_workers]),
    ([safe_mode], [wrong_master, no_java], [executor_out_of_memory, too_few_slots]),
)


@pytest.fixture(scope="module")
def outcomes(hdfs, spark, tmp_path_factory):
    cluster = Cluster(hdfs, spark, tmp_path_factory.mktemp("faults"))
    found = {}
    for lists in ROUNDS:
        with ThreadPoolExecutor(len(lists)) as pool:
            for part in pool.map(lambda faults: {fault: fault(cluster) for fault in faults}, lists):
                found |= part
    return found


@pytest.mark.parametrize("fault", [fault for lists in ROUNDS for faults in lists for fault in faults])
def test_it_is_one_message(outcomes, fault):
    outcome = outcomes[fault]
    assert "Traceback" not in outcome.err
    (message,) = outcome.messages
    assert message.startswith("boneage: ")
    for words in FAULTS[fault]:
        assert words in message
    assert outcome.code == 1


MANY_SHARDS = """
shard_size = 2
[phantoms]
count = 24
height = 160
width = 128
"""


def test_a_run_outlives_a_datanode_that_is_killed_amid_it(whole_hdfs, spark, tmp_path):
    """One that had blocks of the sources to read, and of the results to write."""
    settings, out = tmp_path / "settings.toml", f"{whole_hdfs.uri}/runs/datanode"
    settings.write_text(MANY_SHARDS)
    call = ("run", "--only", "ingest", "--config", settings)
    cluster = (
        *("--engine", "spark", "--master", spark.uri, "--spark-conf=spark.executor.memory=512m"),
        *("--spark-conf=spark.driver.memory=512m", PATIENT),
    )
    site = {"HADOOP_CONF_DIR": str(whole_hdfs.configuration)}
    running = start((*call, "--out", out, *cluster), tmp_path / "log", **site)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HADOOP_CONF_DIR", site["HADOOP_CONF_DIR"])
        wait_for(lambda: running.poll() is not None or 2 <= shards_below(out) < 12, "no shard")
        whole_hdfs.kill_datanode(1)
        assert running.poll() is None, (tmp_path / "log").read_text()
        assert shards_below(out) < 12
        assert running.wait(240) == 0, (tmp_path / "log").read_text()
        assert boneage(*call, "--out", tmp_path / "run").code == 0
        assert files(out) == files(tmp_path / "run")


def shards_below(out):
    """How many shards of results are there, of 12."""
    unfinished = Place(out) / "unfinished"
    names = list(unfinished.files()) if unfinished.exists() else []
    return sum("/output/shard-" in name for name in names)
