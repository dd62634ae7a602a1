"""Runs a package's tests with the lowest versions that it and its siblings declare, as wheels, outside the lock.

    python -m checks.lowest imaging

The siblings come as the lowest versions that the package allows: one that was released is built from the commit in
`releases.toml`, one that is being worked on from here.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from checks.packages import NAMES, ROOT, Package, needed_by, read_packages
from checks.releases import read_releases

EXTRAS = ("dicom", "train")
"""Those that are tested with their lowest versions; `spark` is tested with one version, that of the servers."""
INDEX_DATE = "2026-11-24"
"""What was uploaded later is not looked at, so that a commit is tested with the same versions whenever it is."""
UV = os.environ.get("UV", "uv")


def run_lowest(name: str) -> int:
    """The exit status of `name`'s tests with the lowest versions.

    Raises:
        subprocess.CalledProcessError: A wheel cannot be built or something cannot be installed.
    """
    packages = read_packages()
    package = packages[name]
    extras = [extra for extra in package.extras if extra in EXTRAS]
    with tempfile.TemporaryDirectory(prefix="boneage-lowest-") as scratch:
        wheels, environment = Path(scratch) / "wheels", Path(scratch) / "environment"
        build_wheels(wheels)
        for sibling in needed_by(name, packages):
            build_releases(sibling, packages, wheels)
        python = _install(package, packages, extras, wheels, environment)
        tests = ("pytest", "-q", "--durations=5", f"--extras={','.join(extras)}", f"tests/{name}")
        return subprocess.run((python, "-m", *tests), cwd=ROOT).returncode


def build_wheels(folder: Path) -> None:
    """Builds a wheel of every package as it is here."""
    _run(UV, "build", "--quiet", "--all-packages", "--wheel", "--out-dir", folder, cwd=ROOT)


def build_releases(sibling: str, packages: dict[str, Package], wheels: Path, root: Path = ROOT) -> None:
    """Adds the wheels of a sibling's released versions that a package here allows.

    Those need the commits that they were made of: `git fetch --unshallow` brings them into a shallow clone.
    """
    bounds = [package.siblings[sibling] for package in packages.values() if sibling in package.siblings]
    for release in read_releases(root).get(sibling, []):
        if release.version == packages[sibling].version or not any(b.admit(release.version) for b in bounds):
            continue
        source = wheels.parent / f"{sibling}-{release.version}"
        source.mkdir()
        archive = wheels.parent / f"{sibling}-{release.version}.tar"
        _run("git", "archive", f"--output={archive}", f"{release.commit}:packages/{sibling}", cwd=root)
        shutil.unpack_archive(archive, source, filter="data")
        _run(UV, "build", "--quiet", "--wheel", "--out-dir", wheels, source, cwd=source)


def _install(
    package: Package, packages: dict[str, Package], extras: list[str], wheels: Path, environment: Path
) -> Path:
    """Makes the environment; its Python."""
    python = environment / "bin" / "python"
    install = (
        *(UV, "pip", "install", "--quiet", "--python", python, "--find-links", wheels),
        *("--no-sources", "--exclude-newer", INDEX_DATE),
    )
    # Those of the siblings, too: else a sibling's newest OpenCV, say, would push up numpy.
    declared = [packages[name].folder / "pyproject.toml" for name in needed_by(package.name, packages)]
    declared.append(package.folder / "pyproject.toml")
    lowest = [
        *(argument for path in declared for argument in ("--requirement", path)),
        *(argument for extra in extras for argument in ("--extra", extra)),
    ]
    _run(UV, "venv", "--quiet", "--python", sys.executable, environment)
    _run(*install, "--resolution", "lowest-direct", *lowest)
    _run(*install, "--no-deps", f"boneage-{package.name}=={package.version}")
    _run(*install, "--group", f"{declared[-1]}:test")
    _run(UV, "pip", "list", "--python", python)
    return python


def _run(*command: str | Path, cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in NAMES:
        sys.exit(f"wanted one package of {', '.join(NAMES)}")
    sys.exit(run_lowest(sys.argv[1]))
