import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_sparkrun import StorageError, join, open_storage

from .storage_contract import StorageContract


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    return str(tmp_path_factory.mktemp("storage"))


class TestLocal(StorageContract):
    """The folders of this machine."""


@pytest.fixture(params=["path", "file-uri", "path-like"])
def folder(request, tmp_path):
    place = tmp_path / "a place"
    return {"path": str(place), "file-uri": place.as_uri(), "path-like": place}[request.param]


def test_written_files_are_read_back_and_listed_in_order(folder):
    storage = open_storage(folder)
    for name in ("b.bin", "a b%20c.bin", "A.bin"):
        storage.write(join(folder, name), name.encode())
    storage.make_folder(join(folder, "deep", "deeper"))
    assert storage.list(folder) == ["A.bin", "a b%20c.bin", "b.bin", "deep"]
    assert storage.read(join(folder, "a b%20c.bin")) == b"a b%20c.bin"


def test_a_file_is_replaced_renamed_and_removed(folder):
    storage, one, two = open_storage(folder), join(folder, "one"), join(folder, "new", "two")
    storage.write(one, b"first")
    storage.write(one, b"")
    assert storage.read(one) == b""
    storage.rename(one, two)
    assert not storage.exists(one)
    assert storage.read(two) == b""
    storage.remove(join(folder, "new"))
    storage.remove(join(folder, "new"))
    assert not storage.exists(two)
    assert storage.exists(folder)


def test_failures_are_typed_name_the_place_and_leave_nothing(tmp_path):
    storage = open_storage(tmp_path)
    with pytest.raises(StorageError, match="missing") as caught:
        storage.read(tmp_path / "missing")
    assert caught.value.uri == str(tmp_path / "missing")
    with pytest.raises(StorageError):
        storage.list(tmp_path / "missing")
    with pytest.raises(StorageError):
        storage.rename(tmp_path / "missing", tmp_path / "other")
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(StorageError):
        storage.write(tmp_path / "folder", b"data")
    with pytest.raises(StorageError):
        storage.write(tmp_path / ("x" * 300), b"data")
    with pytest.raises(StorageError):
        storage.make_folder(join(tmp_path, "folder", "full", "x" * 300))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("uri", ["s3://bucket/data", "file://host/data"])
def test_other_places_are_refused_with_what_would_do(uri):
    with pytest.raises(StorageError, match=r"hdfs://|three strokes") as caught:
        open_storage(uri)
    assert uri in str(caught.value)


@pytest.mark.parametrize("uri", ["", "a\0b"])
def test_what_is_no_path_is_refused(uri):
    with pytest.raises(StorageError, match="path"):
        open_storage(uri)


@pytest.mark.parametrize("part", ["", ".", "..", "/etc", "a/b", "a\\b", "..\\x", "a\0b", "/", 7, None])
def test_join_refuses_what_leaves_the_folder(part):
    with pytest.raises(StorageError, match="name"):
        join("/data", "fine", part)


@given(st.lists(st.text(max_size=30), max_size=3), st.booleans())
def test_join_stays_in_the_folder_or_refuses(parts, as_uri):
    folder = Path("/data/run 1")
    try:
        joined = join(folder.as_uri() if as_uri else folder, *parts)
    except StorageError:
        assert any(part in ("", ".", "..") or set(part) & set("/\\\0") for part in parts)
        return
    if as_uri:
        assert joined.isascii()
        assert joined.startswith("file:///data/run%201")
        assert joined.count("/") == 4 + len(parts)
    else:
        assert Path(joined) == folder.joinpath(*parts)
        assert os.path.normpath(joined) == joined


_WRITER = """
import sys
from boneage_sparkrun import open_storage
storage = open_storage(sys.argv[1])
while True:
    for letter in b"ab":
        storage.write(sys.argv[1], bytes([letter]) * 2_000_000)
"""


def test_a_reader_and_a_killed_writer_never_leave_half_a_file(tmp_path):
    path = tmp_path / "file.bin"
    storage = open_storage(path)
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)]) as writer:
        deadline = time.monotonic() + 60
        while not path.exists():
            assert time.monotonic() < deadline
        for _ in range(100):
            data = storage.read(path)
            assert data in (b"a" * 2_000_000, b"b" * 2_000_000)
        writer.send_signal(signal.SIGKILL)
    assert storage.read(path) in (b"a" * 2_000_000, b"b" * 2_000_000)
    assert storage.list(tmp_path) == ["file.bin"]
