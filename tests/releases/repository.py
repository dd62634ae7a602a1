"""A small git repository to try things in."""

import subprocess
from pathlib import Path


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(("git", *who, *arguments), cwd=root, check=True, capture_output=True)
