"""One piece of work over many files: handed to the engine in small parts, bad files set aside."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boneage_cli.errors import CallError, DataError, RunError
from boneage_cli.files import plain, shown
from boneage_cli.progress import Progress
from boneage_cli.sources import image_files, is_safe_id, name_faults
from boneage_sparkrun.engine import LocalEngine, MapTask
from boneage_sparkrun.errors import EngineError
from boneage_sparkrun.storage import open_storage

__all__ = [
    "Batch",
    "Failures",
    "Records",
    "list_images",
    "make_folder",
    "map_cases",
    "map_files",
    "plain_reason",
    "refuse_overwriting",
    "working_folder",
]

Record = dict[str, Any]
Records = list[Record]
Failures = list[tuple[str, str]]  # (name, reason)
_FEW = 16  # so many files are done in this process before others have even started
_PART = 16


@dataclass(frozen=True)
class Batch:
    """A command over many cases.

    Attributes:
        name: Of the command; its functions are `folder_stages.setup_NAME` and `apply_NAME`.
        out: The folder that is written.
        folders: Folders below it that get a picture ID.png of each case; "" is OUT itself.
        config: What the functions need to know, JSON-able; `out` is added.
        workers: Processes; 0: one per core.
        quiet: Whether to show no progress.
        threads: How many cases a process works on at once, see `MapTask`.
    """

    name: str
    out: Path
    folders: tuple[str, ...] = ("",)
    config: dict[str, Any] = field(default_factory=dict)
    workers: int = 0
    quiet: bool = True
    threads: int = 1


def list_images(folder: Path) -> list[Path]:
    """The pictures of a folder, sorted by name.

    Raises:
        CallError: If the folder is not there.
        DataError: If there is no picture in it.
    """
    files = image_files(folder)
    if not files:
        raise DataError(f"{folder} holds no radiograph")
    return files


def refuse_overwriting(batch: Batch, *sources: Path | None) -> None:
    """Makes sure that no folder is read and written at once.

    Raises:
        CallError: If one is.
    """
    written = {(batch.out / folder).resolve() for folder in batch.folders}
    for source in sources:
        if source is not None and source.resolve() in written:
            raise CallError(f"received {source} to read from and to write to; another OUT would do")


def map_files(
    batch: Batch,
    files: Sequence[Path],
    more: dict[Path, Record] | None = None,
    faults: dict[Path, str] | None = None,
) -> tuple[Records, Failures]:
    """Works on files, each a case named by its stem.

    Args:
        batch: What to do.
        files: The files.
        more: Fields of some cases beside `case_id` and `uri`.
        faults: Why some files are to be set aside without a look into them, beside what their names tell.

    Returns:
        What is told of each file that was done, and (file name, reason) of each that was set aside, both in
        the order of the files.
    """
    faults = (faults or {}) | name_faults(files)
    good = [path for path in files if path not in faults]
    cases = [
        {"case_id": path.stem, "uri": str(path.absolute()), **(more or {}).get(path, {})} for path in good
    ]
    make_folder(batch.out)
    records, failed = map_cases(batch, cases)
    by_id = dict(failed)
    reasons = {path: faults.get(path) or by_id.get(path.stem) for path in files}
    bad = [(path, reason) for path, reason in reasons.items() if reason]
    _remove_outdated(batch, {path.stem for path, _ in bad} - {record["case_id"] for record in records})
    return records, [(shown(path.name), reason) for path, reason in bad]


def _remove_outdated(batch: Batch, case_ids: set[str]) -> None:
    """What an earlier call wrote for a file that is bad now must not pass for its result."""
    for case_id in filter(is_safe_id, case_ids):
        for folder in batch.folders:
            (batch.out / folder / f"{case_id}.png").unlink(missing_ok=True)


def map_cases(batch: Batch, cases: Sequence[Record]) -> tuple[Records, Failures]:
    """Works on cases, by the engine of this machine.

    Args:
        batch: What to do.
        cases: Records with a safe `case_id` each, all with the same fields.

    Returns:
        What is told of each case that was done, and (case_id, reason) of each that was set aside, in order.

    Raises:
        RunError: If the work could not go on.
    """
    parts = [cases[start : start + _PART] for start in range(0, len(cases), _PART)]
    stages = "boneage_cli.folder_stages"
    config = {**batch.config, "out": str(batch.out.absolute())}
    task = MapTask(
        batch.name,
        f"{stages}:setup_{batch.name}",
        f"{stages}:apply_{batch.name}",
        config,
        threads=batch.threads,
    )
    engine = LocalEngine(1 if len(cases) <= _FEW else batch.workers or None)
    progress = Progress(quiet=batch.quiet)

    def count(done: int, _total: int) -> None:
        progress.count(min(done * _PART, len(cases)), len(cases))

    try:
        with progress.stage(batch.name):
            records, failed = engine.map_records(task, parts, count)
    except EngineError as error:
        # Its message may carry a worker's whole traceback.
        raise RunError(f"{batch.name}: {str(error).splitlines()[0]}") from error
    for folder in batch.folders:
        if (batch.out / folder).is_dir():
            open_storage(batch.out).settle(batch.out / folder)
    return records, [(record["case_id"], plain_reason(record["reason"])) for record in failed]


def plain_reason(reason: str) -> str:
    """A reason without the name of its error's class, which tells a person nothing."""
    name, colon, text = reason.partition(": ")
    return plain(text if colon and name.isidentifier() and text else reason)


def make_folder(folder: Path) -> None:
    """Makes the folder to write to.

    Raises:
        CallError: If something else than a folder is there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise CallError(f"received {folder} to write to, which is no folder") from error


@contextlib.contextmanager
def working_folder(out: Path) -> Iterator[Path]:
    """A hidden folder inside OUT while the work goes on: sure to be writable and on the same file system."""
    with tempfile.TemporaryDirectory(prefix=".boneage-", dir=out) as name:
        yield Path(name)
