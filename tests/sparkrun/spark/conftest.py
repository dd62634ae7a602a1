"""The real servers, started once for all tests that ask for them."""

import pytest

from boneage_sparkrun.java import find_java_home

from ...servers.hdfs import Hdfs
from ...servers.processes import Processes
from ...servers.spark import Spark
from ...servers.yarn import Yarn


@pytest.fixture(scope="session")
def processes(tmp_path_factory):
    with Processes(tmp_path_factory.mktemp("servers"), find_java_home()) as running:
        yield running


@pytest.fixture(scope="session")
def hdfs(processes):
    return Hdfs(processes)


@pytest.fixture(scope="session")
def spark(processes):
    return Spark(processes)


@pytest.fixture(scope="session")
def yarn(processes, hdfs):
    return Yarn(processes, hdfs)


@pytest.fixture(scope="session")
def hdfs_folder(hdfs):
    """A folder on HDFS, found by the site files as on a cluster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
        yield f"{hdfs.uri}/storage"
