"""The real servers as fixtures, started once for all tests of a session that ask for them.

A conftest takes what it needs: `from ..servers.fixtures import hdfs, processes, spark`.
"""

from collections.abc import Iterator

import pytest

from boneage_sparkrun.java import find_java_home

from .hdfs import Hdfs
from .processes import Processes
from .spark import Spark
from .yarn import Yarn

__all__ = ["hdfs", "hdfs_folder", "processes", "spark", "whole_hdfs", "yarn"]


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("servers"), find_java_home()) as running:
        yield running


@pytest.fixture(scope="session")
def hdfs(processes: Processes) -> Hdfs:
    return Hdfs(processes)


@pytest.fixture
def whole_hdfs(hdfs: Hdfs) -> Iterator[Hdfs]:
    """Both DataNodes up when the test is over, though it killed some."""
    yield hdfs
    for index in range(2):
        if f"datanode{index}" not in hdfs.running():
            hdfs.start_datanode(index)
    hdfs.wait_for(2)


@pytest.fixture(scope="session")
def spark(processes: Processes) -> Spark:
    return Spark(processes)


@pytest.fixture(scope="session")
def yarn(processes: Processes, hdfs: Hdfs) -> Yarn:
    return Yarn(processes, hdfs)


@pytest.fixture(scope="session")
def hdfs_folder(hdfs: Hdfs) -> Iterator[str]:
    """A folder on HDFS, found by the site files as on a cluster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
        yield f"{hdfs.uri}/storage"
