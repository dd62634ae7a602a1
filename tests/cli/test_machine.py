"""What the code runs on: told where it is known, and never another's commit."""

import shutil
import subprocess
import sys
from pathlib import Path

import boneage_cli
from boneage_cli.machine import describe_commit, describe_machine, versions

ASK = "from boneage_cli.machine import _checked_out; print(_checked_out())"


def git(folder, *arguments):
    name = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(("git", "-C", folder, *name, *arguments), check=True, capture_output=True)


def asked(folder):
    command = (sys.executable, "-c", ASK)
    done = subprocess.run(
        command, capture_output=True, text=True, env={"PYTHONPATH": str(folder)}, timeout=60
    )
    return done.stdout.strip()


def test_the_machine_is_told():
    found = describe_machine()
    assert found["cores"] >= 1
    assert found["architecture"]
    assert versions()["boneage-cli"]


def test_a_commit_is_a_hash_or_not_known():
    found = describe_commit()
    assert found["commit"] is None or len(bytes.fromhex(found["commit"])) == 20


def test_the_commit_is_that_of_the_repository_in_which_the_package_is_tracked(tmp_path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "somebody else's work")
    target = tmp_path / "packages" / "boneage_cli"
    shutil.copytree(Path(boneage_cli.__file__).parent, target, ignore=shutil.ignore_patterns("__pycache__"))
    assert asked(target.parent) == "None"
    git(tmp_path, "add", "packages")
    git(tmp_path, "commit", "-q", "-m", "the package's own")
    assert "'changed': False" in asked(target.parent)
    (target / "machine.py").write_text((target / "machine.py").read_text() + "\n# changed\n")
    assert "'changed': True" in asked(target.parent)
