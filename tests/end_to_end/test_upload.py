"""`boneage upload` to a real HDFS, as a person calls it."""

from boneage_sparkrun import join, open_storage, read_shard, shard_uris

from .conftest import boneage


def test_radiographs_are_packed_into_hdfs(hdfs, phantoms, monkeypatch):
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
    for form in ("parquet", "csv"):
        out = f"{hdfs.uri}/data/{form}"
        done = boneage("upload", phantoms, out, "--format", form, "--shard-size", 4, "--size", 32, 32)
        assert done.code == 0, done.err
        assert "24 cases in 6 shards" in done.out
    out = f"{hdfs.uri}/data/parquet"
    records = [record for uri in shard_uris(out) for record in read_shard(uri)]
    assert [record["image_file"] for record in records] == [
        (phantoms / "images" / f"{record['case_id']}.png").read_bytes() for record in records
    ]
    names = open_storage(out).list(join(f"{hdfs.uri}/data", "csv"))
    assert names == [f"rows-{index:05d}-of-00006.csv" for index in range(6)]
    again = boneage("upload", phantoms, out)
    assert (again.code, "there already" in again.err) == (2, True)


def test_what_hdfs_refuses_is_one_clear_message(hdfs, phantoms, monkeypatch):
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
    monkeypatch.setenv("HADOOP_USER_NAME", "stranger")
    done = boneage("upload", phantoms, f"{hdfs.uri}/refused")
    assert done.code == 1
    assert "Permission denied: user=stranger" in done.err
    assert len(done.err.strip().splitlines()) == 1
