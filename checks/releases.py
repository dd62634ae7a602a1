"""Holds each package to what was released of it: a released version's `src` never changes.

`releases.toml` records every released version: the commit it was made of and a digest of its `src`. Work between
releases goes under a version above the last one recorded, and that version has its section in the CHANGELOG.

    python -m checks.releases                    checks
    python -m checks.releases record imaging     records imaging's version as released, as the last commit has it
"""

import hashlib
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from checks.packages import NAMES, ROOT, Package, parse_version, read_package, read_packages

RECORD = "releases.toml"
_HEAD = """\
# Every released version of every package: the commit it was made of, and the SHA-256 digest of its `src`.
# Written by `python -m checks.releases record PACKAGE`; no line here ever changes.
"""


@dataclass(frozen=True)
class Release:
    """One released version of one package."""

    version: str
    commit: str
    digest: str


def digest_source(package: Package) -> str:
    """SHA-256 of the names and contents of the files in a package's `src` that git knows or would add."""
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "src"),
        cwd=package.folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = sorted({name for name in listed.split("\0") if name})
    digest = hashlib.sha256()
    for name in names:
        path = package.folder / name
        if path.is_file():  # removed, but not yet from the index
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def read_releases(root: Path = ROOT) -> dict[str, list[Release]]:
    """The recorded releases by package, the oldest first."""
    path = root / RECORD
    record = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {
        name: sorted(
            (Release(version, entry["commit"], entry["src"]) for version, entry in versions.items()),
            key=lambda release: parse_version(release.version),
        )
        for name, versions in record.items()
    }


def find_faults(package: Package, releases: list[Release]) -> list[str]:
    """What keeps a package's state from being either a recorded release or work on a later one; a sentence each."""
    declared = f"packages/{package.name}/pyproject.toml"
    faults = []
    same = [release for release in releases if release.version == package.version]
    if same and same[0].digest != digest_source(package):
        faults.append(
            f"packages/{package.name}/src is not what was released as {package.version}: raise the version in "
            f"{declared} and add its section to packages/{package.name}/CHANGELOG.md, or take the change back"
        )
    if not same and releases and parse_version(package.version) < parse_version(releases[-1].version):
        faults.append(
            f"{declared} has {package.version}, below the released {releases[-1].version}: raise it"
        )
    if not _has_section(package.folder / "CHANGELOG.md", package.version):
        faults.append(
            f"packages/{package.name}/CHANGELOG.md tells nothing about {package.version}: "
            f"add '## {package.version}' and what changed"
        )
    return faults


def _has_section(changelog: Path, version: str) -> bool:
    """Whether a CHANGELOG has a line below the heading of a version."""
    lines = changelog.read_text(encoding="utf-8").splitlines()
    if f"## {version}" not in lines:
        return False
    below = lines[lines.index(f"## {version}") + 1 :]
    told = next((line for line in below if line.strip()), "")
    return bool(told) and not told.startswith("## ")


def record(name: str, root: Path = ROOT) -> Release:
    """Adds a package's present version to the record.

    Raises:
        ValueError: That version is recorded already, has a fault, or differs from the last commit.
    """
    package = read_package(name, root)
    known = read_releases(root)
    faults = find_faults(package, known.get(name, []))
    if any(release.version == package.version for release in known.get(name, [])):
        faults.append(f"{name} {package.version} is recorded already: raise the version first")
    if _git(root, "status", "--porcelain", "--", str(package.folder)):
        faults.append(f"packages/{name} differs from the last commit: commit first, then record")
    if faults:
        raise ValueError("; ".join(faults))
    release = Release(package.version, _git(root, "rev-parse", "HEAD"), digest_source(package))
    known.setdefault(name, []).append(release)
    (root / RECORD).write_text(_write(known), encoding="utf-8")
    return release


def _write(releases: dict[str, list[Release]]) -> str:
    entries = [
        f'\n[{name}."{release.version}"]\ncommit = "{release.commit}"\nsrc = "{release.digest}"\n'
        for name in NAMES
        for release in releases.get(name, [])
    ]
    return _HEAD + "".join(entries)


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def main(arguments: list[str]) -> int:
    """Checks, or records; 1 if something is wrong, 2 if called wrongly."""
    if arguments[:1] == ["record"] and arguments[1:] and set(arguments[1:]) <= set(NAMES):
        try:
            for name in arguments[1:]:
                print(f"recorded {name} {record(name).version} in {RECORD}")
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    if arguments:
        print(f"wanted nothing, or: record PACKAGE...; the packages are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    releases = read_releases()
    faults = [
        fault for name, p in read_packages().items() for fault in find_faults(p, releases.get(name, []))
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    for name, package in read_packages().items():
        last = releases[name][-1].version if releases.get(name) else "none"
        print(f"{name}: {package.version}, released last: {last}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
