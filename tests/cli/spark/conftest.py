"""A real HDFS, started once for the tests that ask for it."""

import pytest

from boneage_sparkrun.java import find_java_home

from ...servers.hdfs import Hdfs
from ...servers.processes import Processes


@pytest.fixture(scope="session")
def hdfs(tmp_path_factory):
    with Processes(tmp_path_factory.mktemp("servers"), find_java_home()) as processes:
        yield Hdfs(processes)
