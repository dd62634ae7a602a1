"""The check of releases, tried on a small repository of its own."""

import subprocess
import tomllib

import pytest
from checks.packages import read_package
from checks.releases import digest_source, find_faults, read_releases, record

from .repository import git

PROJECT = '[project]\nname = "boneage-imaging"\nversion = "{}"\n'


def declare(root, version):
    (root / "packages" / "imaging" / "pyproject.toml").write_text(PROJECT.format(version))


def tell(root, *versions):
    sections = "".join(f"\n## {version}\n\n- Something.\n" for version in versions)
    (root / "packages" / "imaging" / "CHANGELOG.md").write_text(f"# Changelog\n{sections}")


def faults(root):
    return find_faults(read_package("imaging", root), read_releases(root).get("imaging", []))


@pytest.fixture
def source(tmp_path):
    """The one module of a package whose 0.1.0 is released; its repository is `tmp_path`."""
    module = tmp_path / "packages" / "imaging" / "src" / "boneage_imaging" / "__init__.py"
    module.parent.mkdir(parents=True)
    module.write_text("ONE = 1\n")
    (tmp_path / ".gitignore").write_text("__pycache__/\n")
    declare(tmp_path, "0.1.0")
    tell(tmp_path, "0.1.0")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    record("imaging", tmp_path)
    return module


@pytest.mark.usefixtures("source")
def test_a_release_as_it_was_recorded_is_good(tmp_path):
    (release,) = read_releases(tmp_path)["imaging"]
    head = subprocess.run(("git", "rev-parse", "HEAD"), cwd=tmp_path, capture_output=True, text=True).stdout
    assert (release.version, release.commit) == ("0.1.0", head.strip())
    assert faults(tmp_path) == []


def test_a_changed_file_needs_a_new_version_and_a_line_about_it(tmp_path, source):
    source.write_text("ONE = 2\n")
    (fault,) = faults(tmp_path)
    assert "raise the version in packages/imaging/pyproject.toml" in fault
    assert "released as 0.1.0" in fault
    declare(tmp_path, "0.1.1")
    (fault,) = faults(tmp_path)
    assert "add '## 0.1.1'" in fault
    tell(tmp_path, "0.1.1", "0.1.0")
    assert faults(tmp_path) == []
    source.write_text("ONE = 3\n")
    assert faults(tmp_path) == []


@pytest.mark.parametrize("change", ["new", "removed", "renamed"])
def test_new_removed_and_renamed_files_are_changes_too(tmp_path, source, change):
    other = source.with_name("other.py")
    match change:
        case "new":
            other.write_text("")
        case "removed":
            source.unlink()
        case "renamed":
            source.rename(other)
    assert "raise the version" in faults(tmp_path)[0]


def test_what_git_ignores_is_no_change(tmp_path, source):
    cache = source.with_name("__pycache__")
    cache.mkdir()
    (cache / "x.pyc").write_bytes(b"1")
    assert faults(tmp_path) == []


@pytest.mark.usefixtures("source")
def test_a_version_below_the_last_release_is_refused(tmp_path):
    declare(tmp_path, "0.0.9")
    tell(tmp_path, "0.0.9")
    (fault,) = faults(tmp_path)
    assert "below the released 0.1.0" in fault


@pytest.mark.usefixtures("source")
def test_a_heading_without_a_word_tells_nothing(tmp_path):
    declare(tmp_path, "0.2.0")
    changelog = tmp_path / "packages" / "imaging" / "CHANGELOG.md"
    for text in (
        "# Changelog\n\n## 0.2.0\n\n## 0.1.0\n\n- x\n",
        "# Changelog\n\n## 0.2.0\n\n",
        "# Changelog\n",
    ):
        changelog.write_text(text)
        assert "add '## 0.2.0'" in faults(tmp_path)[0]


def test_a_release_is_recorded_once_and_only_as_it_was_committed(tmp_path, source):
    with pytest.raises(ValueError, match="recorded already"):
        record("imaging", tmp_path)
    source.write_text("ONE = 2\n")
    declare(tmp_path, "0.1.10")
    tell(tmp_path, "0.1.10", "0.1.0")
    with pytest.raises(ValueError, match="commit first"):
        record("imaging", tmp_path)
    git(tmp_path, "commit", "-am", "second")
    record("imaging", tmp_path)
    declare(tmp_path, "0.1.9")
    assert [release.version for release in read_releases(tmp_path)["imaging"]] == ["0.1.0", "0.1.10"]
    assert "below the released 0.1.10" in faults(tmp_path)[0]
    written = tomllib.loads((tmp_path / "releases.toml").read_text())
    assert written["imaging"]["0.1.10"]["src"] == digest_source(read_package("imaging", tmp_path))
