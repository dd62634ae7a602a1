"""The lowest sibling that a package allows may be one released long ago; it is built as it was then."""

import zipfile

from checks.lowest import build_releases
from checks.packages import Bounds, Package, read_package
from checks.releases import record

from .repository import git

PROJECT = """
[project]
name = "boneage-imaging"
version = "{}"
[build-system]
requires = ["uv_build>=0.9,<0.14"]
build-backend = "uv_build"
"""


def release(root, version):
    """A release of imaging whose only module tells its version."""
    folder = root / "packages" / "imaging"
    module = folder / "src" / "boneage_imaging" / "__init__.py"
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(f"VERSION = {version!r}\n")
    (folder / "pyproject.toml").write_text(PROJECT.format(version))
    (folder / "CHANGELOG.md").write_text(f"## {version}\n\n- Something.\n")
    git(root, "add", ".")
    git(root, "commit", "-m", version)
    record("imaging", root)
    git(root, "add", ".")
    git(root, "commit", "-m", f"record {version}")


def test_the_released_siblings_that_are_allowed_are_built_as_they_were(tmp_path):
    git(tmp_path, "init")
    for version in ("0.1.0", "0.2.0", "0.2.1", "0.3.0"):
        release(tmp_path, version)
    user = Package("cli", tmp_path, "1.0.0", (), {"imaging": Bounds("0.2", "0.4")})
    wheels = tmp_path / "scratch" / "wheels"
    wheels.mkdir(parents=True)
    build_releases("imaging", {"imaging": read_package("imaging", tmp_path), "cli": user}, wheels, tmp_path)
    # 0.1.0 is not allowed; 0.3.0 is what is here.
    built = sorted(wheels.glob("*.whl"))
    assert [path.name.split("-")[1] for path in built] == ["0.2.0", "0.2.1"]
    with zipfile.ZipFile(built[0]) as wheel:
        assert wheel.read("boneage_imaging/__init__.py") == b"VERSION = '0.2.0'\n"
