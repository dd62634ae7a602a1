"""`boneage upload` to a real HDFS, as a person calls it."""

import os
import subprocess
import sys

import pytest

from boneage_sparkrun import join, open_storage, read_shard, shard_uris


def boneage(*arguments, **environment):
    command = [sys.executable, "-c", "from boneage_cli.main import main; main()", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms") / "data"
    assert boneage("phantom", folder, "--count", 6, "--size", 64, 64, "--workers", 1).returncode == 0
    return folder


def test_radiographs_are_packed_into_hdfs(hdfs, phantoms, monkeypatch):
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
    for form in ("parquet", "csv"):
        out = f"{hdfs.uri}/data/{form}"
        done = boneage("upload", phantoms, out, "--format", form, "--shard-size", 4, "--size", 32, 32)
        assert done.returncode == 0, done.stderr
        assert "6 cases in 2 shards" in done.stdout
    out = f"{hdfs.uri}/data/parquet"
    records = [record for uri in shard_uris(out) for record in read_shard(uri)]
    assert [record["image_file"] for record in records] == [
        (phantoms / "images" / f"{record['case_id']}.png").read_bytes() for record in records
    ]
    names = open_storage(out).list(join(f"{hdfs.uri}/data", "csv"))
    assert names == ["rows-00000-of-00002.csv", "rows-00001-of-00002.csv"]
    again = boneage("upload", phantoms, out)
    assert (again.returncode, "there already" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"WEBHDFS_ADDRESS": "http://127.0.0.1:9"}, "http://127.0.0.1:9 does not answer"),
        ({"HADOOP_USER_NAME": "stranger"}, "Permission denied: user=stranger"),
    ],
)
def test_what_hdfs_refuses_is_one_clear_message(hdfs, phantoms, environment, said):
    settings = {"HADOOP_CONF_DIR": str(hdfs.configuration), **environment}
    done = boneage("upload", phantoms, f"{hdfs.uri}/refused", **settings)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
