#!/usr/bin/env python
"""The one check: format, lint, types, arrows between packages, declared dependencies, and every test.

`uv run check.py` does it all; `uv run check.py imaging lint` only the named parts.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent
PACKAGES = ("imaging", "segmentation", "regression", "sparkrun", "cli")
Command = tuple[str, tuple[str, ...], Path]


def commands() -> dict[str, list[Command]]:
    """Every part of the check: its commands, each with a name and the folder it runs in."""
    pytest = ("pytest", "-q", "--durations=5")
    parts: dict[str, list[Command]] = {
        "lint": [
            ("format", ("ruff", "format", "--check", "."), ROOT),
            ("lint", ("ruff", "check", "."), ROOT),
            ("types", ("mypy",), ROOT),
            ("arrows between packages", ("lint-imports", "--no-cache"), ROOT),
            *((f"dependencies of {p}", ("deptry", "src"), ROOT / "packages" / p) for p in PACKAGES),
        ]
    }
    for package in PACKAGES:
        parts[package] = [
            (f"tests of {package}", (*pytest, f"tests/{package}"), ROOT),
            (f"examples of {package}", (*pytest, "--doctest-modules", f"packages/{package}/src"), ROOT),
        ]
    parts["end_to_end"] = [("tests from end to end", (*pytest, "tests/end_to_end"), ROOT)]
    return parts


def run(name: str, command: tuple[str, ...], folder: Path) -> bool:
    """Runs one command with this environment's tools; prints how it ended."""
    print(f"\n== {name}: {' '.join(command)}", flush=True)
    started = time.monotonic()
    tool = Path(sys.executable).with_name(command[0])
    code = subprocess.run((tool, *command[1:]), cwd=folder).returncode
    # pytest's 5: there are no examples in this package.
    good = code == 0 or (code == 5 and "--doctest-modules" in command)
    verdict = "good" if good else f"FAILED ({code})"
    print(f"== {name}: {verdict}, {time.monotonic() - started:.0f} s", flush=True)
    return good


def main() -> int:
    """Runs the parts named on the command line, or all; 1 if anything failed."""
    parts = commands()
    wanted = sys.argv[1:] or list(parts)
    unknown = [name for name in wanted if name not in parts]
    if unknown:
        print(f"there is no part {', '.join(unknown)}; there are {', '.join(parts)}")
        return 2
    chosen = [command for part in wanted for command in parts[part]]
    failed = [command[0] for command in chosen if not run(*command)]
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall good")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
