"""An environment in one archive: it runs on workers that have nothing."""

import hashlib
import subprocess
import tarfile
from pathlib import Path

import pytest

from boneage_sparkrun import EngineError
from boneage_sparkrun.packing import pack_environment
from boneage_sparkrun.spark_engine import SparkEngine
from boneage_sparkrun.spark_session import SparkSettings

from ...servers.hadoop import pyspark_folder
from ...servers.processes import Processes
from ...servers.spark import Spark
from .test_spark_engine import CONF


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "environment.tar.gz"
    packed = pack_environment(path, ["boneage-sparkrun"])
    assert {line.split("==")[0] for line in packed} == {"boneage-sparkrun", "numpy", "pyarrow"}
    return path


def test_the_archive_runs_anywhere_with_nothing_around_it(archive, tmp_path):
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    code = "import sys, boneage_sparkrun.shards, pyarrow.parquet, ssl; print(sys.prefix, boneage_sparkrun.__file__)"
    done = subprocess.run(
        [tmp_path / "bin" / "python", "-c", code], env={}, cwd="/", capture_output=True, text=True, check=True
    )
    assert [Path(path).is_relative_to(tmp_path) for path in done.stdout.split()] == [True, True]


def test_the_same_environment_gives_the_same_bytes(archive, tmp_path):
    again = tmp_path / "again.tar.gz"
    pack_environment(again, ["boneage-sparkrun"])
    first, second = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (archive, again))
    assert first == second


def test_what_is_not_installed_cannot_be_packed(tmp_path):
    with pytest.raises(EngineError, match="no-such-thing is not installed here"):
        pack_environment(tmp_path / "x.tar.gz", ["no-such-thing"])
    with pytest.raises(EngineError, match=r"ends in \.tar\.gz"):
        pack_environment(tmp_path / "x.zip", ["boneage-sparkrun"])
    assert not list(tmp_path.iterdir())


def test_bare_workers_work_from_the_archive_alone(processes, archive, tmp_path):
    """Workers with another home, another Spark, and no environment of ours."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "spark").symlink_to(pyspark_folder())
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(home), "JAVA_HOME": processes.environment["JAVA_HOME"]}
    with Processes(tmp_path / "servers", Path(processes.environment["JAVA_HOME"])) as own:
        spark = Spark(own, home=tmp_path / "spark", environment=bare)
        settings = SparkSettings(master=spark.uri, conf=CONF, archive=archive, start_seconds=120)
        answers = SparkEngine(settings).run("sparkrun_work:where", [{}, {}])
    for answer in answers:
        prefix = Path(answer["prefix"])
        assert prefix.name == "environment"
        assert prefix.is_relative_to(tmp_path / "servers")
        assert all(Path(path).is_relative_to(prefix) for path in answer["modules"])
        assert answer["home"] == str(home)
