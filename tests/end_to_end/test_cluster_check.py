"""`boneage check --engine spark`, as a person calls it before hours are spent."""

import json
import os
import platform
import shlex
import socket
import sys
import tarfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from boneage_sparkrun.java import find_java_home

from ..servers.processes import Processes
from ..servers.spark import Spark
from .conftest import PATIENT, boneage

SMALL = (PATIENT, "--spark-conf", "spark.executor.memory=512m", "--spark-conf", "spark.driver.memory=512m")


def check(spark, *arguments):
    return boneage("check", "--engine", "spark", "--master", spark.uri, *SMALL, *arguments)


def test_a_good_cluster_tells_its_facts(spark, hdfs, monkeypatch):
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
    done = check(spark, "--out", f"{hdfs.uri}/checked", "--json")
    assert (done.code, done.err) == (0, "")
    facts = json.loads(done.out)
    assert facts["wrong"] == []
    assert (facts["executors"], facts["slots"], len(facts["workers"])) == (2, 2, 2)
    assert facts["executor_memory_bytes"] == 512 << 20
    for machine in (facts["driver"], *facts["workers"]):
        assert machine["python"] == platform.python_version()
        assert machine["spark"].startswith("4.")
        assert int(machine["java"].partition(".")[0]) >= 17
        assert machine["memory_bytes"] > 1 << 30
        assert machine["versions"]["onnxruntime"] == distribution("onnxruntime").version


@pytest.fixture
def mixed_cluster(tmp_path):
    """A good worker, and one on another host, where a distribution is missing and a folder cannot be written."""
    lacking = Path(str(distribution("onnxruntime").locate_file("")))
    (info,) = lacking.glob("onnxruntime-*.dist-info")
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder").mkdir()
    script = (
        f"mount --bind {shlex.quote(str(tmp_path / 'empty'))} {shlex.quote(str(info))}; "
        f"mount -t tmpfs -o ro none {shlex.quote(str(tmp_path / 'folder'))}; "
        'hostname another-host; exec "$@"'
    )
    as_root = [] if os.getuid() == 0 else ["--map-root-user"]
    with Processes(tmp_path / "servers", find_java_home()) as processes:
        spark = Spark(processes, workers=1)
        spark.start_worker("unshare", *as_root, "--mount", "--uts", "sh", "-euc", script, "sh")
        yield spark, tmp_path / "folder"


def test_what_one_worker_lacks_is_told_with_its_host(mixed_cluster):
    spark, folder = mixed_cluster
    done = check(spark, "--out", folder)
    assert (done.code, done.err) == (1, "")
    version = distribution("onnxruntime").version
    *_, lacking, unwritable, last = done.out.splitlines()
    assert lacking == f"another-host has onnxruntime not at all, the driver {version}"
    assert unwritable.startswith("another-host: cannot write ")
    assert unwritable.endswith("Read-only file system")
    assert last == "2 things stand in the way"
    assert f"{socket.gethostname()}: Python {platform.python_version()}, Java " in done.out


# An interpreter of another machine: it calls itself another version.
OTHER_PYTHON = f"""#!/bin/sh
shift
program=$1
shift
exec {sys.executable} -c "import platform, sys
platform.python_version = lambda: '3.10.4'
exec(compile(sys.argv.pop(1), 'program', 'exec'))" "$program" "$@"
"""


def test_another_python_and_a_folder_without_permission_are_told(spark, hdfs, tmp_path, monkeypatch):
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
    monkeypatch.setenv("HADOOP_USER_NAME", "stranger")
    program, archive = tmp_path / "python", tmp_path / "environment.tar.gz"
    program.write_text(OTHER_PYTHON)
    program.chmod(0o755)
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(program, "bin/python")
    done = check(spark, "--out", f"{hdfs.uri}/refused", "--environment", archive)
    assert (done.code, done.err) == (1, "")
    *_, refused, python, last = done.out.splitlines()
    assert refused.startswith(f"the driver: cannot write {hdfs.uri}/refused/")
    assert "user=stranger" in refused
    assert python == (
        f"{socket.gethostname()} has Python 3.10.4, the driver {platform.python_version()}: pack an environment"
    )
    assert last == "2 things stand in the way"
