"""When and at which commit a figure was measured."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]


def find_commit() -> str:
    """The checked-out commit, with `-dirty` where a tracked file differs from it."""
    call = ("git", "describe", "--always", "--dirty", "--exclude", "*")
    return subprocess.run(call, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def describe() -> str:
    """The first words over a table: `2026-11-23, commit 4a4e0fe`."""
    return f"{datetime.now(UTC):%Y-%m-%d}, commit {find_commit()}"
