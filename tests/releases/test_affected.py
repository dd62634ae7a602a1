"""A change runs what it can affect, and what is not known runs everything."""

import json
import subprocess
import sys

import check
import pytest
from checks.affected import PARTS, find_parts
from checks.packages import ROOT, read_packages

PACKAGES = read_packages()
WHOLE = ["releases", "wheels", "end_to_end"]


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ([], ["lint"]),
        (["README.md", "docs/experiments.md", "benchmarks/startup.py"], ["lint"]),
        (
            ["packages/imaging/src/boneage_imaging/codec.py"],
            ["lint", "imaging", "segmentation", "regression", "cli", *WHOLE],
        ),
        (["packages/segmentation/pyproject.toml"], ["lint", "segmentation", "cli", *WHOLE]),
        (["packages/regression/README.md"], ["lint", "regression", "cli", *WHOLE]),
        (["packages/sparkrun/src/boneage_sparkrun/pool.py"], ["lint", "sparkrun", "cli", *WHOLE]),
        (["packages/cli/src/boneage_cli/main.py"], ["lint", "cli", *WHOLE]),
        (["tests/imaging/dicom/test_dicom.py"], ["lint", "imaging"]),
        (["tests/wheels/test_wheels.py", "tests/cli/test_config.py"], ["lint", "cli", "wheels"]),
        *(
            ([path], list(PARTS))
            for path in (
                "uv.lock",
                "pyproject.toml",
                "releases.toml",
                "check.py",
                "checks/lowest.py",
                ".ci/run",
                ".github/workflows/check.yml",
                "tests/conftest.py",
                "tests/servers/fetching.py",
                "packages/new/src/boneage_new/__init__.py",
                "tests/imaging",
                "something",
            )
        ),
    ],
)
def test_a_change_runs_what_it_can_affect(changed, parts):
    assert find_parts(changed, PACKAGES) == parts


def test_every_part_of_the_check_can_be_affected():
    assert tuple(check.commands()) == PARTS


def tell(base):
    command = (sys.executable, "check.py", "--changed", base)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name: json.loads(value) for name, value in (line.split("=") for line in done.stdout.splitlines())}


def test_nothing_changed_since_the_last_commit_itself():
    assert tell("HEAD") == {"packages": [], "others": ["lint"]}


@pytest.mark.parametrize("base", ["0" * 40, "", "no-such-branch", "--output=x"])
def test_a_commit_that_is_not_known_runs_everything(base):
    told = tell(base)
    assert told == {"packages": list(PACKAGES), "others": [part for part in PARTS if part not in PACKAGES]}
