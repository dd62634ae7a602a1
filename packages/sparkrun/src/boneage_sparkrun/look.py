"""What a machine has, told as JSON: sent as text to the Python of a worker, which may lack everything else."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["look"]


def look(executor: int, distributions: list[str]) -> dict[str, object]:
    """Tells the versions of Python, of the executor's Java and Spark, and of distributions; and the machine's memory.

    Args:
        executor: Its process id.
        distributions: Their names.
    """
    return {
        "python": platform.python_version(),
        "java": _java_version(executor),
        "spark": _spark_version(executor),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "versions": {name: _version(name) for name in distributions},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _java_version(process: int) -> str | None:
    """Of the Java that runs as this process, where it can be looked at."""
    try:
        java = Path(f"/proc/{process}/exe").readlink()
        told = subprocess.run([java, "-version"], stderr=subprocess.PIPE, timeout=30).stderr.decode()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "([^"]+)"', told)
    return found[1] if found else None


def _spark_version(process: int) -> str | None:
    """By the jar on the class path of this process."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_text().split("\0")
    except OSError:
        return None
    paths = ":".join([*words, os.environ.get("CLASSPATH", "")]).split(":")
    jars = [str(jar) for path in paths if path.endswith("/*") for jar in Path(path[:-2]).glob("spark-core_*")]
    found = re.search(r"spark-core_[\d.]+-([\w.]+?)\.jar", "\n".join([*jars, *paths]))
    return found[1] if found else None


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look(int(sys.argv[1]), sys.argv[2:])))
