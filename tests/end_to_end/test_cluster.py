"""A run on a real cluster, its files in a real HDFS: the same as on one machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import boneage_cli

from ..servers.hadoop import pyspark_folder
from ..servers.processes import Processes
from ..servers.spark import Spark
from .conftest import PATIENT, boneage
from .processes import left_behind, start, wait_for
from .run_files import files, stages_done

SMALL_JVMS = (
    PATIENT,
    "--spark-conf=spark.driver.memory=512m",
    "--spark-conf=spark.executor.memory=512m",
    "--spark-conf=spark.yarn.am.memory=256m",
)


@pytest.fixture
def site(hdfs, monkeypatch):
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs.configuration))
    return hdfs.uri


@pytest.fixture
def cluster(spark):
    return ("--engine", "spark", "--master", spark.uri, "--total-cores", 2, *SMALL_JVMS)


@pytest.fixture
def copied_run(run_folder, tmp_path):
    """A run that is done, to do parts of it again."""
    shutil.copytree(run_folder, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def labelled(phantoms, site, tmp_path):
    """Radiographs with labels in HDFS; the hand is found by the shipped model, as there are no outlines."""
    shutil.copytree(phantoms / "images", tmp_path / "labelled")
    shutil.copy(phantoms / "labels.csv", tmp_path / "labelled")
    done = boneage("upload", tmp_path / "labelled", f"{site}/labelled", "--shard-size", 8)
    assert done.code == 0, done.err
    return f"{site}/labelled"


def test_a_run_whose_driver_was_killed_goes_on_to_the_files_of_one_machine(
    cluster, spark, site, labelled, settings, tmp_path
):
    here, there, log = tmp_path / "here", f"{site}/runs/killed", tmp_path / "log"
    call = ("run", "all", "--config", settings, "--data", labelled, "--out")
    driver = start((*call, there, *cluster), log)
    wait_for(lambda: driver.poll() is not None or "segment ..." in log.read_text().splitlines(), "no segment")
    wait_for(lambda: driver.poll() is not None or spark.executors(), "no executor")
    os.kill(driver.pid, signal.SIGKILL)
    assert driver.wait(60) == -signal.SIGKILL, log.read_text()
    wait_for(lambda: not left_behind(driver.pid) and not spark.executors(), "the driver's processes stay")
    done = boneage(*call, there, *cluster)
    assert done.code == 0, done.err
    assert stages_done(done.err)[0] == "segment"
    # Two folds side by side, a process and a thread each, as there: more threads sum in another order.
    alone = boneage(*call, here, "--workers", 2)
    assert alone.code == 0, alone.err
    assert files(there) == files(here)
    wait_for(lambda: not spark.executors(), "executors stay")


def test_two_workers_train_one_network_as_one_process_does(
    cluster, run_folder, copied_run, phantoms, settings
):
    done = boneage("run", "--only", "train-segmentation", "--config", settings, "--out", copied_run, *cluster)
    assert done.code == 0, done.err
    histories = [
        json.loads((run / "train-segmentation" / "history.json").read_bytes())
        for run in (run_folder, copied_run)
    ]
    for one, other in zip(*histories, strict=True):
        assert one == pytest.approx(other, rel=1e-3)
    model = copied_run / "train-segmentation" / "model"
    done = boneage("segment", phantoms / "images", copied_run.parent / "masks", "--model", model)
    assert done.code == 0, done.err


def test_packed_radiographs_in_hdfs_are_taken_in_by_the_workers(cluster, site, phantoms, settings, tmp_path):
    (phantoms / "images" / "broken.gif").write_bytes(b"GIF89a")
    assert boneage("upload", phantoms, f"{site}/packed", "--shard-size", 8).code == 0
    (phantoms / "images" / "broken.gif").unlink()
    here, there = tmp_path / "run", f"{site}/runs/packed"
    call = ("run", "--only", "ingest", "--config", settings, "--data", f"{site}/packed")
    for out, engine in ((here, ()), (there, cluster)):
        done = boneage(*call, "--out", out, *engine)
        assert done.code == 0, done.err
        assert "ingest: 1 of 25 cases set aside\n  broken.gif: a GIF is not read" in done.err
    assert files(there) == files(here)
    assert len(files(here)) > 8


def test_a_model_is_trained_from_rows_of_pixels_in_hdfs(site, phantoms, settings, tmp_path):
    out = tmp_path / "run"
    assert boneage("upload", phantoms, f"{site}/rows", "--format", "csv", "--size", 96, 96).code == 0
    done = boneage("run", "all", "--config", settings, "--data", f"{site}/rows", "--out", out)
    assert done.code == 0, done.err
    metrics = json.loads((out / "evaluate" / "metrics.json").read_bytes())
    assert "mad" in json.dumps(metrics)
    assert boneage("predict", phantoms / "images", "--model", out / "train-regression" / "model").code == 0


def test_workers_with_nothing_find_hands_from_the_archive_alone(
    processes, run_folder, copied_run, settings, tmp_path
):
    archive, home = tmp_path / "environment.tar.gz", tmp_path / "home"
    home.mkdir()
    assert boneage("pack-env", archive).code == 0
    (tmp_path / "spark").symlink_to(pyspark_folder())
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(home), "JAVA_HOME": processes.environment["JAVA_HOME"]}
    with Processes(tmp_path / "servers", Path(processes.environment["JAVA_HOME"])) as own:
        spark = Spark(own, home=tmp_path / "spark", environment=bare)
        call = (
            "run",
            "--only",
            "segment",
            "--config",
            settings,
            "--out",
            copied_run,
            "--environment",
            archive,
        )
        done = boneage(*call, "--engine", "spark", "--master", spark.uri, *SMALL_JVMS)
    assert done.code == 0, done.err
    assert stages_done(done.err) == ["segment"]
    assert files(copied_run) == files(run_folder)


def test_yarn_finds_hands(yarn, run_folder, copied_run, settings, monkeypatch):
    monkeypatch.setenv("HADOOP_CONF_DIR", str(yarn.configuration))
    # With its jars on the machine already, Spark need not upload them.
    jars = f"--spark-conf=spark.yarn.jars=local:{pyspark_folder()}/jars/*"
    call = ("run", "--only", "segment", "--config", settings, "--out", copied_run)
    done = boneage(*call, "--engine", "spark", "--master", "yarn", "--total-cores", 2, jars, *SMALL_JVMS)
    assert done.code == 0, done.err
    assert stages_done(done.err) == ["segment"]
    assert files(copied_run) == files(run_folder)


def test_spark_submit_prepares(spark, run_folder, copied_run, settings):
    submit = (pyspark_folder() / "bin" / "spark-submit", "--master", spark.uri, "--conf", "spark.cores.max=2")
    program = Path(boneage_cli.__file__).with_name("__main__.py")
    call = ("run", "--only", "prepare", "--config", settings, "--out", copied_run, "--engine", "spark")
    done = subprocess.run(
        [*map(str, (*submit, program, *call))],
        capture_output=True,
        text=True,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable},
    )
    assert done.returncode == 0, done.stderr
    assert stages_done(done.stdout) == ["prepare"]  # spark-submit puts both streams of a program into one
    assert files(copied_run) == files(run_folder)
