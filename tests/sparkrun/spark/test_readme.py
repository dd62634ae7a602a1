"""The README's program for a cluster, run as a reader would: his function, his files, a cluster and HDFS."""

import os
import subprocess
import sys

import pytest

from boneage_sparkrun import read_shard

from ..readme import programs, write_texts


def test_the_example_for_a_cluster_counts_the_same_words(spark, hdfs, tmp_path):
    for name in ("words.py", "cluster.py"):
        (tmp_path / name).write_text(programs()[name])
    write_texts(tmp_path / "texts")

    def run(*command):
        environment = {**os.environ, "HADOOP_CONF_DIR": str(hdfs.configuration)}
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    folder = f"{hdfs.uri}/readme"
    here, there = run("words.py"), run("cluster.py", spark.uri, folder)
    assert there[0] == "6 counted, 1 set aside"
    assert there == [line for line in here if "was set aside" not in line]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
        for name in ("counts/shard-00000-of-00004.parquet", "counts/failures/shard-00000-of-00004.parquet"):
            assert read_shard(f"{folder}/{name}") == read_shard(tmp_path / "run" / name)
