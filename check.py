#!/usr/bin/env python
"""The one check: format, lint, types, arrows between packages, releases, and every test, each package's in isolation.

`uv run check.py` does it all; `uv run check.py imaging lint` only the named parts; `python check.py --changed COMMIT`
tells, as JSON, which parts a change since that commit can affect.
"""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from checks.affected import PARTS, find_parts, list_changed
from checks.packages import NAMES, ROOT, Package, read_packages

UV = os.environ.get("UV", "uv")
WORKFLOW = ".github/workflows/check.yml"
PYTEST = ("pytest", "-q", "--durations=5")
END_TO_END = ROOT / "tests" / "end_to_end"
ON_A_CLUSTER = "tests on a cluster from end to end"
Command = tuple[str, tuple[str, ...], Path]
_PRINTING = threading.Lock()


def commands() -> dict[str, list[Command]]:
    """Every part of the check: its commands, each with a name and the folder it runs in."""
    packages = read_packages()
    parts = {
        "lint": [
            ("format", tool("ruff", "format", "--check", "."), ROOT),
            ("lint", tool("ruff", "check", "."), ROOT),
            ("types", tool("mypy"), ROOT),
            ("types of the check", tool("mypy", "check.py", "checks"), ROOT),
            (
                "workflow",
                tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOW),
                ROOT,
            ),
            ("arrows between packages", tool("lint-imports", "--no-cache"), ROOT),
            *((f"dependencies of {p.name}", tool("deptry", "src"), p.folder) for p in packages.values()),
        ],
        **{name: package_commands(package) for name, package in packages.items()},
        "releases": [
            ("releases", (sys.executable, "-m", "checks.releases"), ROOT),
            ("tests of the check", tool(*PYTEST, "tests/releases"), ROOT),
        ],
        "wheels": [("tests of the wheels", tool(*PYTEST, "tests/wheels"), ROOT)],
        "end_to_end": [
            (ON_A_CLUSTER, tool(*PYTEST, *map(str, sorted(END_TO_END.glob("test_cluster*.py")))), ROOT),
            ("tests from end to end", tool(*PYTEST, "--ignore-glob=*/test_cluster*", str(END_TO_END)), ROOT),
        ],
    }
    return {name: parts[name] for name in PARTS}


def package_commands(package: Package) -> list[Command]:
    """A package's tests with its base install, with its extras, and with the lowest versions that it allows."""
    tests, source = f"tests/{package.name}", f"packages/{package.name}/src"
    alone = (
        *(UV, "run", "--locked", "--isolated", "--python", sys.executable),
        *("--package", f"boneage-{package.name}", "--group", "test"),
    )
    extras = tuple(word for extra in package.extras for word in ("--extra", extra))
    told = ",".join(package.extras)
    return [
        (f"{package.name}, base install", (*alone, *PYTEST, "--extras=", tests), ROOT),
        (
            f"{package.name} with {told}, and its examples",
            (*alone, *extras, *PYTEST, f"--extras={told}", "--doctest-modules", tests, source),
            ROOT,
        ),
        (f"{package.name}, lowest versions", (sys.executable, "-m", "checks.lowest", package.name), ROOT),
    ]


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    """A command of the environment that this runs in."""
    return (str(Path(sys.executable).with_name(name)), *arguments)


def run(name: str, command: tuple[str, ...], folder: Path) -> bool:
    """Runs one command; prints what it said when it has ended, so that two at a time do not talk at once."""
    print(f"== {name} ...", flush=True)
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ended = "good" if done.returncode == 0 else f"FAILED ({done.returncode})"
    said = done.stdout.decode(errors="replace")
    with _PRINTING:
        print(f"\n== {name}: {' '.join((Path(command[0]).name, *command[1:]))}\n{said}", end="")
        print(f"== {name}: {ended}, {time.monotonic() - started:.0f} s", flush=True)
    return done.returncode == 0


def tell_affected(base: str) -> int:
    """Prints the parts that a change since a commit can affect, packages apart; all if the commit is not known."""
    changed = list_changed(base)
    parts = list(PARTS) if changed is None else find_parts(changed, read_packages())
    print(f"packages={json.dumps([part for part in parts if part in NAMES])}")
    print(f"others={json.dumps([part for part in parts if part not in NAMES])}")
    return 0


def main() -> int:
    """Runs the parts named on the command line, or all; 1 if anything failed."""
    if len(sys.argv) == 3 and sys.argv[1] == "--changed":
        return tell_affected(sys.argv[2])
    parts = commands()
    wanted = sys.argv[1:] or list(parts)
    unknown = [name for name in wanted if name not in parts]
    if unknown:
        print(f"there is no part {', '.join(unknown)}; there are {', '.join(parts)}")
        return 2
    chosen = [command for part in wanted for command in parts[part]]
    # Servers and what waits for them have a core; all else has the other.
    with_servers = [
        *(c for c in parts["end_to_end"] if c[0] == ON_A_CLUSTER),
        *(c for c in parts["sparkrun"] if "--extra" in c[1]),
    ]
    lanes = [[c for c in chosen if c in with_servers], [c for c in chosen if c not in with_servers]]
    with ThreadPoolExecutor(min(len(lanes), os.cpu_count() or 1)) as pool:
        ended = pool.map(lambda lane: [(command[0], run(*command)) for command in lane], lanes)
        failed = [name for lane in ended for name, is_good in lane if not is_good]
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall good")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
