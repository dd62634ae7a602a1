"""What the packages declare fits together."""

import tomllib

import pytest
from checks.lowest import EXTRAS
from checks.packages import (
    NAMES,
    ROOT,
    Bounds,
    dependents_of,
    needed_by,
    parse_version,
    read_package,
    read_packages,
)

PACKAGES = read_packages()


def test_the_arrows_are_those_that_the_linter_holds():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    heights = {
        name.removeprefix("boneage_"): height
        for height, layer in enumerate(reversed(layers))
        for name in layer.split(" | ")
    }
    assert set(heights) == set(NAMES)
    for name, package in PACKAGES.items():
        assert all(heights[sibling] < heights[name] for sibling in package.siblings)
    assert needed_by("imaging", PACKAGES) == needed_by("sparkrun", PACKAGES) == []
    assert needed_by("cli", PACKAGES) == ["imaging", "segmentation", "regression", "sparkrun"]
    assert dependents_of("imaging", PACKAGES) == ["segmentation", "regression", "cli"]
    assert dependents_of("sparkrun", PACKAGES) == ["cli"]


@pytest.mark.parametrize("name", NAMES)
def test_siblings_are_allowed_as_they_are_here(name):
    for sibling, bounds in PACKAGES[name].siblings.items():
        assert bounds.admit(PACKAGES[sibling].version)


@pytest.mark.parametrize("name", NAMES)
def test_every_extra_is_known_to_the_tests(name, request):
    known = set(request.config.getoption("--extras").split(","))
    assert set(PACKAGES[name].extras) <= known
    assert set(EXTRAS) <= known


@pytest.mark.parametrize("requirement", ["boneage-imaging", "boneage-imaging>=0.2", "boneage-imaging==0.2.0"])
def test_a_sibling_without_both_bounds_is_refused(tmp_path, requirement):
    folder = tmp_path / "packages" / "cli"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        f'[project]\nversion = "1.0"\ndependencies = ["numpy", "{requirement}"]\n'
    )
    with pytest.raises(ValueError, match="must say which versions it allows"):
        read_package("cli", tmp_path)


def test_bounds_and_versions():
    bounds = Bounds("0.2", "0.10")
    assert [v for v in ("0.1.9", "0.2", "0.2.0", "0.9.3", "0.10.0", "1.0") if bounds.admit(v)] == [
        "0.2",
        "0.2.0",
        "0.9.3",
    ]
    assert parse_version("0.2.0") == parse_version("0.2") < parse_version("0.10")


def test_imaging_reads_the_versions_that_it_promises():
    project = tomllib.loads((ROOT / "packages" / "imaging" / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == ["numpy>=1.26", "opencv-python-headless>=4.8"]
