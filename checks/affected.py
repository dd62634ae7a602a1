"""Which parts of the check a change can affect, by the arrows that the packages declare."""

import subprocess
from collections.abc import Iterable
from pathlib import PurePosixPath

from checks.packages import NAMES, ROOT, Package, dependents_of

ALWAYS = ("lint",)
WHOLE = ("releases", "wheels", "end_to_end")
"""The parts that look at all packages together."""
PARTS = (*ALWAYS, *NAMES, *WHOLE)
READ_ONLY = ("docs", "benchmarks", "README.md", "CONTRIBUTING.md", "LICENSE")
"""Read by people; of the check only lint looks at them."""


def find_parts(changed: Iterable[str], packages: dict[str, Package]) -> list[str]:
    """The parts to be run after a change of these files, in the order of the check; all for a file that no rule knows.

    Args:
        changed: Paths from the root of the repository, with slashes.
        packages: As `read_packages` gives them.
    """
    wanted = set(ALWAYS)
    for path in changed:
        wanted.update(_parts_of(PurePosixPath(path).parts, packages))
    return [part for part in PARTS if part in wanted]


def _parts_of(path: tuple[str, ...], packages: dict[str, Package]) -> tuple[str, ...]:
    match path:
        case ("packages", name, _, *_) if name in packages:
            return (name, *dependents_of(name, packages), *WHOLE)
        case ("tests", name, _, *_) if name in PARTS:
            return (name,)
        case (name, *_) if name in READ_ONLY:
            return ()
    return PARTS


def list_changed(base: str) -> list[str] | None:
    """The files that differ between a commit and the work that went on from it; None for a commit that is not known."""
    known = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    if known is None:
        return None
    listed = _git("diff", "--name-only", "--no-renames", "-z", f"{known.strip()}...HEAD")
    return None if listed is None else [name for name in listed.split("\0") if name]


def _git(*arguments: str) -> str | None:
    """What git says; None if it fails."""
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True)
    return None if done.returncode else done.stdout
