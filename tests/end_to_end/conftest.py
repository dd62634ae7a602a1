"""One small run, made once, by the command itself; and the real servers."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..servers.fixtures import hdfs, processes, spark, whole_hdfs, yarn

__all__ = ["PATIENT", "SMALL", "Done", "boneage", "hdfs", "processes", "spark", "whole_hdfs", "yarn"]

SMALL = """
shard_size = 8
[phantoms]
count = 24
height = 160
width = 128
[split]
folds = 2
[segmentation]
epochs = 1
size = [64, 64]
base = 8
depth = 3
[prepare]
height = 64
width = 64
[regression]
epochs = 1
[acceptance]
jaccard = 0.0
mad_share = 100.0
"""


# What a loaded machine needs to start executors.
PATIENT = "--spark-conf=spark.scheduler.maxRegisteredResourcesWaitingTime=180s"


@dataclass(frozen=True)
class Done:
    """What a command left."""

    code: int
    out: str
    err: str


def boneage(*arguments: object, timeout: int = 900) -> Done:
    """Runs the command as a person would."""
    command = [sys.executable, "-c", "from boneage_cli.main import main; main()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def settings(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "small.toml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory) -> Path:
    """The phantoms that the small run draws, as files."""
    folder = tmp_path_factory.mktemp("phantoms") / "data"
    done = boneage("phantom", folder, "--count", 24, "--seed", 0, "--size", 160, 128)
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory, settings) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "small"
    done = boneage("run", "all", "--config", settings, "--out", folder)
    assert done.code == 0, done.err
    return folder
