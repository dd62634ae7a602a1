"""Where WebHDFS answers, from what tells it; and HDFS's URIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_sparkrun import StorageError, join
from boneage_sparkrun.hdfs_addresses import find_addresses, hdfs_environment, split_uri

CORE = {"fs.defaultFS": "hdfs://cluster"}
PAIR = {
    "dfs.nameservices": "cluster,other",
    "dfs.ha.namenodes.cluster": "nn1, nn2",
    "dfs.namenode.http-address.cluster.nn1": "one:50070",
    "dfs.namenode.http-address.cluster.nn2": "two:50070",
    "dfs.namenode.https-address.cluster.nn1": "one:50470",
    "dfs.namenode.https-address.cluster.nn2": "two:50470",
}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Writes Hadoop's site files and points at them."""
    monkeypatch.delenv("WEBHDFS_ADDRESS", raising=False)
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))

    def write(core, hdfs):
        for name, settings in (("core", core), ("hdfs", hdfs)):
            lines = (
                f"<property><name>{key}</name><value>{value}</value></property>"
                for key, value in settings.items()
            )
            (tmp_path / f"{name}-site.xml").write_text(f"<configuration>{''.join(lines)}</configuration>")
        return tmp_path

    return write


def test_what_is_given_comes_first_then_the_environment(site, monkeypatch):
    site(CORE, PAIR)
    monkeypatch.setenv("WEBHDFS_ADDRESS", "http://a:1, https://b:2/")
    assert find_addresses("cluster", "http://c:3") == ["http://c:3"]
    assert find_addresses("cluster") == ["http://a:1", "https://b:2"]


def test_a_nameservice_has_several_namenodes(site):
    site(CORE, PAIR)
    assert find_addresses("cluster") == ["http://one:50070", "http://two:50070"]
    assert find_addresses("") == find_addresses("cluster")  # Hadoop's default
    site(CORE, PAIR | {"dfs.http.policy": "HTTPS_ONLY"})
    assert find_addresses("cluster") == ["https://one:50470", "https://two:50470"]


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({}, "http://host:9870"),
        ({"dfs.namenode.http-address": "web:123"}, "http://web:123"),
        ({"dfs.namenode.http-address": "0.0.0.0:123"}, "http://host:123"),
        ({"dfs.http.policy": "HTTPS_ONLY"}, "https://host:9871"),
        ({"dfs.http.policy": "HTTPS_ONLY", "dfs.namenode.https-address": "web:1"}, "https://web:1"),
    ],
)
def test_one_namenode_is_found_by_its_settings_or_hadoops_own_port(site, settings, address):
    site({"fs.defaultFS": "hdfs://host:8020/"}, settings)
    assert find_addresses("host:8020") == [address]
    assert find_addresses("elsewhere:8020") == ["http://elsewhere:9870"]


def test_a_worker_finds_what_its_driver_found_and_has_its_own_files_besides(site, monkeypatch):
    site(CORE, PAIR)
    monkeypatch.setenv("WEBHDFS_TOKEN", "a token")
    monkeypatch.setenv("HADOOP_USER_NAME", "driver")
    handed_on = hdfs_environment()
    assert {"HADOOP_USER_NAME": "driver", "WEBHDFS_TOKEN": "a token"}.items() <= handed_on.items()
    site({"fs.defaultFS": "hdfs://here:8020"}, {"dfs.namenode.http-address": "here:1"})
    assert find_addresses("") == ["http://here:1"]
    for name, value in handed_on.items():
        monkeypatch.setenv(name, value)
    assert find_addresses("") == find_addresses("cluster") == ["http://one:50070", "http://two:50070"]
    monkeypatch.delenv("HADOOP_CONF_DIR")
    assert find_addresses("") == find_addresses("cluster") == ["http://one:50070", "http://two:50070"]
    assert hdfs_environment() == handed_on


def test_without_site_files_it_is_hadoops_own_port_of_the_host(monkeypatch, tmp_path):
    monkeypatch.delenv("WEBHDFS_ADDRESS", raising=False)
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path / "nowhere"))
    assert find_addresses("host") == find_addresses("host:8020") == ["http://host:9870"]
    with pytest.raises(StorageError, match=r"fs\.defaultFS"):
        find_addresses("")


def test_a_damaged_site_file_is_named(site):
    (site(CORE, PAIR) / "core-site.xml").write_text("<configuration>")
    with pytest.raises(StorageError, match=r"core-site\.xml"):
        find_addresses("cluster")


@pytest.mark.parametrize(
    "uri",
    [
        "hdfs:/a",
        "hdfs://h/a/../b",
        "hdfs://h/./a",
        "hdfs://h/a:b",
        "hdfs://h/a;b",
        "hdfs://h/a\0",
        "file:///a",
    ],
)
def test_uris_that_hdfs_cannot_take_are_refused(uri):
    with pytest.raises(StorageError, match="received"):
        split_uri(uri)


@given(st.lists(st.text(max_size=20), max_size=3))
def test_a_joined_uri_leads_to_its_parts_or_is_refused(parts):
    try:
        authority, path = split_uri(join("hdfs://host:1/folder", *parts))
    except StorageError:
        assert any(not part or part in (".", "..") or set(part) & set("/\\\0:;") for part in parts)
        return
    assert authority == "host:1"
    assert path.split("/")[1:] == ["folder", *parts]
