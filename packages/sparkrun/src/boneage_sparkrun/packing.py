"""An environment in one archive, for workers that have none: this Python, its library, and what is installed."""

from __future__ import annotations

import gzip
import os
import sys
import sysconfig
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from .errors import EngineError, StorageError

__all__ = ["pack_environment"]

# Spark brings them along to every worker.
_BROUGHT_BY_SPARK = ("pyspark", "py4j")
# Of Python's own library: what no worker asks for.
_LEFT_OUT = {"__pycache__", "ensurepip", "idlelib", "lib2to3", "test", "tests", "tkinter", "turtledemo"}


def pack_environment(
    out: Path, requirements: Iterable[str], *, leave_out: Iterable[str] = _BROUGHT_BY_SPARK
) -> list[str]:
    """Packs this Python and some of what is installed, with all that they need, into one archive.

    Unpacked anywhere on a machine of the same kind (system, processor, C library), `bin/python` runs in it.
    The same environment gives the same bytes.

    Args:
        out: The archive to write, *.tar.gz; whole or not at all.
        requirements: Installed distributions, with extras where they are wanted: "package[extra]".
        leave_out: Distributions that the worker has from elsewhere.

    Returns:
        The distributions that are in it, as name==version, sorted.

    Raises:
        EngineError: A distribution is not installed, or the name of the archive does not end in .tar.gz.
        StorageError: The archive cannot be written.
    """
    if not out.name.endswith(".tar.gz"):
        raise EngineError(f"received {out}; the name of the archive ends in .tar.gz")
    chosen = _closure(requirements, {_normal(name) for name in leave_out})
    members = {**_interpreter(), **_library()}
    for found in chosen.values():
        members |= _installed(found)
    beside = out.with_name(f".{uuid.uuid4().hex}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write(beside, members)
            beside.replace(out)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror or error}", str(out)) from error
    return sorted(f"{name}=={found.version}" for name, found in chosen.items())


def _closure(requirements: Iterable[str], leave_out: set[str]) -> dict[str, Distribution]:
    """The distributions asked for and all that they need, by name."""
    from packaging.requirements import Requirement

    waiting = [Requirement(text) for text in requirements]
    seen: dict[tuple[str, str], None] = {}
    chosen: dict[str, Distribution] = {}
    while waiting:
        wanted = waiting.pop()
        name = _normal(wanted.name)
        extras = [extra for extra in ("", *sorted(wanted.extras)) if (name, extra) not in seen]
        if name in leave_out or not extras:
            continue
        seen |= dict.fromkeys((name, extra) for extra in extras)
        try:
            chosen[name] = distribution(name)
        except PackageNotFoundError as error:
            raise EngineError(f"{wanted} is not installed here, so it cannot be packed") from error
        for needed in map(Requirement, chosen[name].requires or []):
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return chosen


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _interpreter() -> dict[str, Path]:
    """The program itself, and its shared library where it is built with one."""
    program = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    members = {"bin/python": program}
    library = sysconfig.get_config_var("INSTSONAME")
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and library:
        members[f"lib/{library}"] = Path(sysconfig.get_config_var("LIBDIR")) / library
    return members


def _library() -> dict[str, Path]:
    """Python's own library, at the place where the program looks for it."""
    folder = Path(sysconfig.get_path("stdlib"))
    return {
        f"lib/{_version()}/{path.relative_to(folder).as_posix()}": path
        for path in _files(folder, _LEFT_OUT | {"site-packages", "dist-packages"})
        if not path.relative_to(folder).parts[0].startswith("config-")
    }


def _installed(found: Distribution) -> dict[str, Path]:
    """The files of a distribution; of one that is installed in place, its sources."""
    members: dict[str, Path] = {}
    for file in found.files or []:
        path = Path(str(found.locate_file(file)))
        if file.suffix == ".pth" and path.is_file():
            for folder in _folders_named(path):
                members |= {
                    _place(path.relative_to(folder)): path for path in _files(folder, {"__pycache__"})
                }
        elif ".." not in file.parts and "__pycache__" not in file.parts and path.is_file():
            members[_place(file)] = path
    return members


def _place(file: PurePosixPath | Path) -> str:
    return f"lib/{_version()}/site-packages/{file.as_posix()}"


def _folders_named(pth: Path) -> list[Path]:
    lines = pth.read_text(encoding="utf-8").splitlines()
    return [
        Path(line) for line in lines if line and not line.startswith(("import ", "#")) and Path(line).is_dir()
    ]


def _version() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _files(folder: Path, without: set[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in without:
            continue
        if path.is_dir():
            yield from _files(path, without)
        elif path.is_file():
            yield path


def _write(target: Path, members: dict[str, Path]) -> None:
    with (
        target.open("wb") as place,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=place, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, path in sorted(members.items()):
            info = archive.gettarinfo(path.resolve(), name)
            info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
            with path.open("rb") as file:
                archive.addfile(info, file)
