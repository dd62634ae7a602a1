"""The packages of this workspace, as their `pyproject.toml` declare them."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("imaging", "segmentation", "regression", "sparkrun", "cli")
"""In the order of the arrows between them: nobody needs a later one."""

Version = tuple[int, ...]
_SIBLING = re.compile(r"boneage-(\w+)(?:\[[^]]*\])?(?:>=([\d.]+),<([\d.]+))?")


@dataclass(frozen=True)
class Bounds:
    """Which versions of a sibling a package allows: from `lowest` on, below `end`."""

    lowest: str
    end: str

    def admit(self, version: str) -> bool:
        """Whether a version lies within them."""
        return parse_version(self.lowest) <= parse_version(version) < parse_version(self.end)


@dataclass(frozen=True)
class Package:
    """One package: its name without `boneage-`, its folder, and what it declares.

    Attributes:
        name: As in `packages/<name>`.
        folder: Where its `pyproject.toml` lies.
        version: The one that is worked on or was released last.
        extras: The names of its extras.
        siblings: The packages of this workspace that its base install needs, with the versions that it allows.
    """

    name: str
    folder: Path
    version: str
    extras: tuple[str, ...]
    siblings: dict[str, Bounds]


def parse_version(text: str) -> Version:
    """`"0.2.0"` as (0, 2, 0); trailing zeros do not count, as in PEP 440."""
    numbers = [int(number) for number in text.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def read_package(name: str, root: Path = ROOT) -> Package:
    """Reads one package's declaration.

    Raises:
        ValueError: A sibling stands there without a lower and an upper bound.
    """
    folder = root / "packages" / name
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    siblings = {}
    for requirement in project.get("dependencies", ()):
        if requirement.startswith("boneage-"):
            found = _SIBLING.fullmatch(requirement)
            if not found or not found[2]:
                raise ValueError(
                    f"{folder / 'pyproject.toml'} must say which versions it allows, like "
                    f"'boneage-imaging>=0.2,<0.3'. Received: {requirement!r}"
                )
            siblings[found[1]] = Bounds(found[2], found[3])
    extras = tuple(sorted(project.get("optional-dependencies", {})))
    return Package(name, folder, project["version"], extras, siblings)


def read_packages(root: Path = ROOT) -> dict[str, Package]:
    """All packages by name, in the order of the arrows."""
    return {name: read_package(name, root) for name in NAMES}


def needed_by(name: str, packages: dict[str, Package]) -> list[str]:
    """The packages of the workspace that `name` needs, near and far, in the order of the arrows."""
    near = packages[name].siblings
    return [other for other in NAMES if other in near or any(other in packages[n].siblings for n in near)]


def dependents_of(name: str, packages: dict[str, Package]) -> list[str]:
    """The packages that need `name`, near and far, in the order of the arrows."""
    return [other for other in NAMES if name in needed_by(other, packages)]
