"""What the code runs on: versions, the commit, the machine. Nothing heavy is imported for it."""

from __future__ import annotations

import functools
import importlib
import json
import os
import platform
import shutil
import subprocess
from importlib.metadata import Distribution, PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["describe_commit", "describe_machine", "versions"]

_PACKAGES = (
    "boneage-cli",
    "boneage-imaging",
    "boneage-segmentation",
    "boneage-regression",
    "boneage-sparkrun",
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
    "pyarrow",
    "tensorflow",
    "keras",
    "tf2onnx",
    "pyspark",
    "matplotlib",
)
_PATIENCE_SECONDS = 10


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that are installed."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe_machine() -> dict[str, Any]:
    """The machine: architecture, processor, cores that may be used, memory in GiB; None where it is not told."""
    return {
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
    }


def _processor() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


@functools.cache
def describe_commit() -> dict[str, Any]:
    """The commit that this package was installed from, or lies in.

    Returns:
        commit: its hash, None where it is not known; changed: whether the packages differ from it, None where
        that cannot be told.
    """
    return _recorded() or _checked_out() or {"commit": None, "changed": None}


def _recorded() -> dict[str, Any] | None:
    """From the installation's own record (PEP 610), where it came from a repository."""
    try:
        record = Distribution.from_name("boneage-cli").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    commit = json.loads(record or "{}").get("vcs_info", {}).get("commit_id")
    return {"commit": commit, "changed": False} if commit else None


def _checked_out() -> dict[str, Any] | None:
    """From git, where this very file is tracked: a package inside somebody else's repository is not."""
    folder = Path(str(importlib.import_module("boneage_cli").__file__)).parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit, top = _git(folder, "rev-parse", "HEAD"), _git(folder, "rev-parse", "--show-toplevel")
    if commit is None or top is None:
        return None
    changes = _git(Path(top), "status", "--porcelain", "--", "packages")
    return {"commit": commit, "changed": None if changes is None else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, None where there is no git or it says no."""
    program = shutil.which("git")
    if program is None:
        return None
    command = (program, "-C", str(folder), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
