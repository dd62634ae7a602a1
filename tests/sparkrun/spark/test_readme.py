"""The README's program for a cluster, run as a reader would: his function, his files, a cluster and HDFS."""

import os
import re
import subprocess
import sys

import pytest

from boneage_sparkrun import open_storage, read_shard

from ..readme import programs, write_texts


@pytest.fixture
def run(hdfs, tmp_path):
    """Runs a program of the README, beside the others."""
    for name, code in programs().items():
        (tmp_path / name).write_text(code)

    def run(*command):
        environment = {**os.environ, "HADOOP_CONF_DIR": str(hdfs.configuration)}
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_the_example_for_a_cluster_counts_the_same_words(spark, hdfs, run, tmp_path):
    write_texts(tmp_path / "texts")
    folder = f"{hdfs.uri}/readme"
    here, there = run("words.py"), run("cluster.py", spark.uri, folder)
    assert there[0] == "6 counted, 1 set aside"
    assert there == [line for line in here if "was set aside" not in line]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
        for name in ("counts/shard-00000-of-00004.parquet", "counts/failures/shard-00000-of-00004.parquet"):
            assert read_shard(f"{folder}/{name}") == read_shard(tmp_path / "run" / name)


def test_the_example_of_a_model_is_trained_by_a_cluster(spark, hdfs, run):
    (told,) = run("together.py", spark.uri, f"{hdfs.uri}/curve")
    assert float(re.fullmatch(r"epoch \d+: (0\.\d+) off on average", told)[1]) < 0.05
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
        assert open_storage(hdfs.uri).read(f"{hdfs.uri}/curve/curve.keras").startswith(b"PK")
