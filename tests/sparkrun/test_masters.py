"""Masters are dialled before Spark is started, each in turn."""

import re
import socket

import pytest

from boneage_sparkrun import EngineError
from boneage_sparkrun.masters import dial_master


@pytest.fixture
def port():
    """Where somebody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def yarn_site(tmp_path, monkeypatch):
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.setenv("YARN_CONF_DIR", str(tmp_path))

    def write(**settings):
        lines = (
            f"<property><name>yarn.resourcemanager.{key.replace('__', '.').replace('_', '-')}</name>"
            f"<value>{value}</value></property>"
            for key, value in settings.items()
        )
        (tmp_path / "yarn-site.xml").write_text(f"<configuration>{''.join(lines)}</configuration>")

    return write


def test_of_several_masters_one_must_answer(port):
    for master in ("127.0.0.1:{}", "127.0.0.1:1,127.0.0.1:{}", "127.0.0.1:{},no.such.host.invalid:7077"):
        assert dial_master(f"spark://{master.format(port)}") == "127.0.0.1"


def test_all_that_do_not_answer_are_told():
    master = "spark://127.0.0.1:1,no.such.host.invalid:7077"
    with pytest.raises(EngineError, match=f"{re.escape(master)}: Connection refused, .*ame"):
        dial_master(master)


@pytest.mark.parametrize(
    "master", ["local[2]", "local-cluster[2,1,1024]", "k8s://somewhere", "spark://no-port"]
)
def test_other_masters_have_nobody_to_dial(master):
    assert dial_master(master) is None


def test_yarn_is_found_by_its_site_file(port, yarn_site):
    yarn_site(address=f"127.0.0.1:{port}")
    assert dial_master("yarn") == "127.0.0.1"
    yarn_site(ha__rm_ids="rm1, rm2", address__rm1="127.0.0.1:1", address__rm2=f"127.0.0.1:{port}")
    assert dial_master("yarn") == "127.0.0.1"
    yarn_site(hostname="no.such.host.invalid")
    with pytest.raises(EngineError, match=r"no\.such\.host\.invalid:8032, by yarn-site\.xml"):
        dial_master("yarn")


def test_what_the_site_file_leaves_open_is_left_to_spark(yarn_site):
    yarn_site()
    assert dial_master("yarn") is None
    yarn_site(address="${env.RM}:8032")
    assert dial_master("yarn") is None


def test_without_a_site_yarn_cannot_be_found(monkeypatch):
    for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EngineError, match="HADOOP_CONF_DIR or YARN_CONF_DIR"):
        dial_master("yarn")
