"""Damaged files through the commands: no traceback, no crash, no hang, nothing lost, nothing written elsewhere.

python benchmarks/fuzz.py [--inputs 5000] [--seed 1] [--out DIR]

Every command runs as a person would call it, in a child process with 4 GiB of address space and a time limit.
A batch that was done is not done again, so a run that was stopped goes on. What went wrong is traced to the
single file and kept in DIR/found. The last lines are the table for benchmarks/results/fuzz.md. Exits 1 if
anything went wrong.
"""

import argparse
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenance import describe

MEMORY_BYTES = 4 << 30
LIMIT_SECONDS = 120.0
PER_BATCH = 100
SHARES = {"pictures": 0.78, "tables": 0.1, "outlines": 0.08, "model folders": 0.02, "settings": 0.02}
# A message of Python's to programmers, where a person should have been told what to do.
UNCLEAR = re.compile(
    r"Traceback|has no attribute|NoneType|out of range|subscriptable|codec can't|\[Errno|<class|object at 0x"
    r"|unexpected keyword|positional argument|maximum recursion|not iterable|std::"
)


@dataclass
class Result:
    """What one command did: its exit code (below 0: the signal that ended it), and what it wrote."""

    code: int
    seconds: float
    out: str
    err: str
    megabytes: int = 0


@dataclass
class Tally:
    """What came out of all batches of a kind."""

    inputs: int = 0
    commands: int = 0
    done: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    megabytes: int = 0
    faults: list[str] = field(default_factory=list)


def call_commands(place: Path) -> None:
    """The child: calls the commands of `place`/commands.json one after the other, in this one process."""
    from boneage_cli.main import main as boneage

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for index, arguments in json.loads((place / "commands.json").read_text()):
        for descriptor, name in ((1, f"{index}.out"), (2, f"{index}.err")):
            handle = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, descriptor)
            os.close(handle)
        (place / f"{index}.begun").touch()
        sys.argv = ["boneage", *arguments]
        started = time.monotonic()
        try:
            boneage()
            code: Any = 0
        except SystemExit as end:
            code = end.code or 0
        sys.stdout.flush()
        sys.stderr.flush()
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        facts = {"code": code, "seconds": time.monotonic() - started, "megabytes": megabytes}
        (place / "ended.partial").write_text(json.dumps(facts))
        (place / "ended.partial").rename(place / f"{index}.ended")


def run_commands(folder: Path, commands: list[list[str]]) -> list[Result]:
    """Runs commands in child processes: a new one after each that crashed or did not end."""
    place = folder / "calls"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    left = list(enumerate(commands))
    while left:
        (place / "commands.json").write_text(json.dumps(left))
        code = _run_child(folder, place, [index for index, _ in left])
        first = next((index for index, _ in left if not (place / f"{index}.ended").exists()), None)
        if first is not None:
            (place / f"{first}.ended").write_text(json.dumps({"code": code, "seconds": 0.0, "megabytes": 0}))
        left = [entry for entry in left if first is not None and entry[0] > first]
    return [_result(place, index) for index in range(len(commands))]


def _run_child(folder: Path, place: Path, indices: list[int]) -> int:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TMPDIR": str(folder / "tmp"),
    }
    child = subprocess.Popen(
        [sys.executable, __file__, "--child", str(place)],
        cwd=folder / "cwd",
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    for index in indices:
        since = time.monotonic()
        while not (place / f"{index}.ended").exists():
            try:
                code = child.wait(timeout=0.01)
            except subprocess.TimeoutExpired:
                if time.monotonic() - since > LIMIT_SECONDS:
                    child.kill()
                    child.wait()
                    return -signal.SIGALRM
            else:
                if not (place / f"{index}.ended").exists():
                    return code or -1
    return child.wait()


def _result(place: Path, index: int) -> Result:
    facts = json.loads((place / f"{index}.ended").read_text())
    out, err = ((place / f"{index}.{name}") for name in ("out", "err"))
    texts = [path.read_text(errors="replace") if path.exists() else "" for path in (out, err)]
    return Result(facts["code"], facts["seconds"], *texts, facts["megabytes"])


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and time."""
    stats = {str(path.relative_to(folder)): path.lstat() for path in folder.rglob("*")}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def faults_of(arguments: list[str], result: Result, pictures: int) -> list[str]:
    """What one command did that it must not do."""
    faults = []
    if result.code == -signal.SIGALRM:
        faults.append(f"no end after {LIMIT_SECONDS:.0f} s")
    elif result.code < 0:
        faults.append(f"ended by signal {-result.code}")
    elif result.code not in (0, 1, 2):
        faults.append(f"exit code {result.code}")
    if found := UNCLEAR.search(result.out + result.err):
        line = next(line for line in (result.out + result.err).splitlines() if found[0] in line)
        faults.append(f"told {line.strip()[:200]!r}")
    if result.code == 1 and not (result.out + result.err).strip():
        faults.append("failed without a word")
    if pictures and result.code in (0, 1):
        told, good = accounted(arguments[0], result.out)
        if told != pictures:
            faults.append(f"told of {told} of {pictures} pictures")
        if good < (2 if "good-png.png" in result.err + result.out else 0) and arguments[0] != "check":
            faults.append("good pictures were lost")
    return faults


def accounted(command: str, out: str) -> tuple[int, int]:
    """Of how many files a command's JSON tells, and how many of them it could read."""
    try:
        told = json.loads(out)
    except ValueError:
        return 0, 0
    if command == "check":
        return told["images"]["readable"] + len(told["images"]["unreadable"]), told["images"]["readable"]
    if command == "predict":
        return len(told["answers"]), sum(answer["status"] != "refused" for answer in told["answers"])
    return told["done"] + len(told["failed"]), told["done"]


def run_batch(seed: int, number: int, count: int, kind: str, folder: Path) -> Tally:
    """Makes a batch, runs it, and traces what went wrong."""
    from fuzz_batches import make_batch

    started = time.monotonic()
    batch = make_batch(seed, number, count, kind, folder)
    before = snapshot(folder / "data")
    results = run_commands(folder, batch.commands)
    tally = Tally(count, len(results))
    for index, (arguments, result) in enumerate(zip(batch.commands, results, strict=True)):
        pictures = batch.pictures.get(index, 0)
        tally.slowest = max(tally.slowest, result.seconds)
        tally.megabytes = max(tally.megabytes, result.megabytes)
        done = accounted(arguments[0], result.out)[1] if pictures else int(result.code == 0)
        tally.done += done
        tally.refused += (pictures or 1) - done
        for fault in faults_of(arguments, result, pictures):
            culprits = trace(folder, kind, arguments, fault)
            tally.faults.append(f"{kind} {number}: {' '.join(arguments[:1])}: {fault}; {culprits}")
    if snapshot(folder / "data") != before:
        tally.faults.append(f"{kind} {number}: the data were changed")
    for name in ("cwd", "tmp"):
        if stray := sorted(snapshot(folder / name)):
            tally.faults.append(f"{kind} {number}: left in {name}: {stray[:3]}")
    # A run's folder keeps its lock and its mark, also when the run was refused.
    kept = (".lock", ".boneage-run")
    names = [Path(name).name for name in snapshot(folder / "out")]
    hidden = [name for name in names if name.startswith(".") and not name.endswith(kept)]
    if hidden:
        tally.faults.append(f"{kind} {number}: left in out: {hidden[:3]}")
    tally.seconds = time.monotonic() - started
    return tally


def trace(folder: Path, kind: str, arguments: list[str], fault: str) -> str:
    """Which file it was: the command on each picture alone; all others are about one file anyway."""
    found = folder.parent / "found"
    found.mkdir(exist_ok=True)
    named = [
        Path(a)
        for a in arguments
        if Path(a).is_absolute() and (Path(a).is_file() or "model-" in Path(a).name)
    ]
    culprits = [path for path in named if path.is_relative_to(folder / "data")]
    if kind == "pictures":
        culprits = _alone(folder, arguments[0], arguments)
    for path in culprits:
        target = found / f"{folder.name}-{path.name}"
        shutil.copytree(path, target, dirs_exist_ok=True) if path.is_dir() else shutil.copy(path, target)
    return ", ".join(path.name for path in culprits) or fault


def _alone(folder: Path, name: str, arguments: list[str]) -> list[Path]:
    """The pictures on which a command goes wrong by themselves; all are tried in one process if none ends it."""
    from fuzz_batches import Batch, add_picture_commands

    place = folder.parent / "alone"
    shutil.rmtree(place, ignore_errors=True)
    paths, commands = sorted((folder / "data" / "images").iterdir()), []
    for number, path in enumerate(paths):
        alone = Batch("pictures", place / str(number), 1)
        for part in ("data/images", "out"):
            (alone.folder / part).mkdir(parents=True)
        shutil.copy(path, alone.folder / "data" / "images")
        add_picture_commands(alone)
        modes = [command for command in alone.commands if command[0] == name]
        commands.append(modes[-1] if "contrast" in arguments else modes[0])
    for part in ("cwd", "tmp"):
        (place / part).mkdir()
    results = run_commands(place, commands)
    pairs = zip(paths, commands, results, strict=True)
    return [path for path, command, result in pairs if faults_of(command, result, 1)]


def plan(inputs: int) -> list[tuple[str, int, int]]:
    """The batches: kind, number, how many inputs."""
    batches = []
    for kind, share in SHARES.items():
        left, number = max(1, round(inputs * share)), 0
        while left > 0:
            batches.append((kind, number, min(left, PER_BATCH)))
            left, number = left - PER_BATCH, number + 1
    return batches


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("--kinds", nargs="+", choices=list(SHARES), default=list(SHARES))
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        call_commands(arguments.child)
        return 0
    out = arguments.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    tallies = {kind: Tally() for kind in SHARES if kind in arguments.kinds}
    for kind, number, count in [batch for batch in plan(arguments.inputs) if batch[0] in tallies]:
        record = out / f"{arguments.seed}-{kind.replace(' ', '-')}-{number}-{count}.json"
        if not record.exists():
            tally = run_batch(arguments.seed, number, count, kind, out / "batch")
            record.write_text(json.dumps(vars(tally)))
            print(f"{kind} {number}: {tally.seconds:.0f} s, {len(tally.faults)} faults", flush=True)
        add(tallies[kind], Tally(**json.loads(record.read_text())))
    shutil.rmtree(out / "batch", ignore_errors=True)
    shutil.rmtree(out / "alone", ignore_errors=True)
    return report(tallies, arguments)


def add(total: Tally, tally: Tally) -> None:
    for name in ("inputs", "commands", "done", "refused", "seconds", "faults"):
        setattr(total, name, getattr(total, name) + getattr(tally, name))
    for name in ("slowest", "megabytes"):
        setattr(total, name, max(getattr(total, name), getattr(tally, name)))


def report(tallies: dict[str, Tally], arguments: argparse.Namespace) -> int:
    faults = [fault for tally in tallies.values() for fault in tally.faults]
    print("\n".join(faults))
    print(f"{describe()}, seed {arguments.seed}\n")
    print(
        "| damaged | inputs | calls | read or done | refused | minutes | slowest call | most memory | faults |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for kind, tally in tallies.items():
        print(
            f"| {kind} | {tally.inputs} | {tally.commands} | {tally.done} | {tally.refused} | "
            f"{tally.seconds / 60:.1f} | {tally.slowest:.1f} s | {tally.megabytes} MB | {len(tally.faults)} |"
        )
    total = sum(tally.inputs for tally in tallies.values())
    print(f"\n{total} inputs, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
