"""What tests fetch is kept whole or not at all, and is what was pinned."""

import hashlib

import pytest

from ..servers.fetching import ChecksumError, keep, verify


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "boneage"


def test_what_is_kept_is_made_once(cache):
    calls = []

    def make(folder):
        calls.append(folder)
        (folder / "thing").write_text("here")

    first, second = keep("thing-1", make), keep("thing-1", make)
    assert first == second == cache / "thing-1"
    assert (first / "thing").read_text() == "here"
    assert len(calls) == 1


def test_what_fails_half_way_is_not_taken_for_whole(cache):
    def fail(folder):
        (folder / "half").write_text("x")
        raise OSError("the line broke")

    with pytest.raises(OSError, match="the line broke"):
        keep("thing-1", fail)
    assert not (cache / "thing-1").exists()
    made = keep("thing-1", lambda folder: (folder / "whole").write_text("y"))
    assert [path.name for path in made.iterdir()] == ["whole"]


def test_a_file_that_was_not_pinned_is_refused(tmp_path):
    (tmp_path / "a.jar").write_bytes(b"right")
    right = hashlib.sha512(b"right").hexdigest()
    verify(tmp_path / "a.jar", right)
    (tmp_path / "a.jar").write_bytes(b"wrong")
    with pytest.raises(ChecksumError, match=r"a\.jar"):
        verify(tmp_path / "a.jar", right)
