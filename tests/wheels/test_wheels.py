"""What is built is what a reader installs: wheels in an empty environment, away from this repository."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from checks.packages import NAMES, ROOT, read_packages

UV = os.environ.get("UV", "uv")
PACKAGES = read_packages()


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """What a command printed; the test fails if the command does."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """A folder with every package's sdist, and the wheel that was built from that."""
    folder = tmp_path_factory.mktemp("built")
    run(UV, "build", "--all-packages", "--out-dir", folder)
    return folder


@pytest.fixture(scope="session")
def environment(built, tmp_path_factory) -> Path:
    """The environment of a reader who installed boneage-cli without extras; what is not ours, as it is locked."""
    folder = tmp_path_factory.mktemp("away") / "environment"
    locked = folder.parent / "locked.txt"
    run(
        *(UV, "export", "--quiet", "--locked", "--package", "boneage-cli", "--no-default-groups"),
        *("--no-emit-workspace", "--no-hashes", "--output-file", locked),
    )
    run(UV, "venv", "--python", sys.executable, folder)
    install = (UV, "pip", "install", "--python", folder / "bin" / "python", "--find-links", built)
    run(
        *install,
        "--no-sources",
        "--constraint",
        locked,
        f"boneage-cli=={PACKAGES['cli'].version}",
        cwd=folder,
    )
    return folder


@pytest.fixture(scope="session")
def call(environment):
    """Runs a command of that environment in a folder away from here, with nothing of ours in its surroundings."""

    def call_there(*command: str | Path, cwd: Path) -> str:
        surroundings = {"PATH": str(environment / "bin"), "HOME": str(cwd)}
        return run(environment / "bin" / command[0], *command[1:], cwd=cwd, env=surroundings)

    return call_there


@pytest.mark.parametrize("name", NAMES)
def test_the_wheel_holds_the_source_and_says_what_it_is(built, name):
    package = PACKAGES[name]
    (path,) = built.glob(f"boneage_{name}-{package.version}-*.whl")
    assert (built / f"boneage_{name}-{package.version}.tar.gz").is_file()
    with zipfile.ZipFile(path) as wheel:
        held = set(wheel.namelist())
        (metadata,) = (wheel.read(entry).decode() for entry in held if entry.endswith(".dist-info/METADATA"))
    listed = run("git", "ls-files", "src", cwd=package.folder).splitlines()
    assert {entry.removeprefix("src/") for entry in listed} <= held
    assert f"boneage_{name}/py.typed" in held
    assert "License-Expression: Apache-2.0" in metadata
    assert f"# boneage-{name}\n" in metadata  # the README


@pytest.mark.parametrize("name", NAMES)
def test_it_is_imported_from_its_wheel(call, environment, tmp_path, name):
    every_module = (
        "import importlib, pkgutil, sys; "
        f"package = importlib.import_module('boneage_{name}'); "
        "modules = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + '.')]; "
        "[importlib.import_module(m) for m in modules]; "
        "print(package.__file__, len(modules), *({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    place, count, *heavy = call("python", "-c", every_module, cwd=tmp_path).split()
    assert Path(place).is_relative_to(environment)
    assert int(count) > 5
    assert heavy == []


def test_the_command_alone_predicts(call, tmp_path):
    call("boneage", "phantom", "drawn", "--count", "1", cwd=tmp_path)
    (hand,) = (tmp_path / "drawn" / "images").iterdir()
    (answer,) = json.loads(call("boneage", "predict", hand, "--sex", "F", "--json", cwd=tmp_path))["answers"]
    assert answer["status"] in {"ok", "warning"}
    assert 0 <= answer["lower"] <= answer["age_months"] <= answer["upper"] <= 228
    facts = json.loads(call("boneage", "info", "--json", cwd=tmp_path))
    assert facts["packages"]["boneage-cli"] == PACKAGES["cli"].version
    assert facts["extras"]["train"]["tensorflow"] is None
