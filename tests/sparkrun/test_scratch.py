"""Folders for a little while: none outlives its process for long, none is taken from a living one."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from boneage_sparkrun.scratch import scratch_folder, temporary_files_in_scratch

HOLDER = """
import sys, time
from boneage_sparkrun.scratch import scratch_folder

with scratch_folder() as folder:
    (folder / "below").mkdir()
    (folder / "below" / "file").write_text("large")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # it is remembered otherwise
    yield tmp_path
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_it_is_gone_at_the_end(temporary):
    with scratch_folder() as folder:
        (folder / "file").write_text("1")
        assert list(temporary.iterdir()) == [folder]
    assert not list(temporary.iterdir())


def test_a_killed_ones_is_swept_and_a_living_ones_is_not(temporary):
    stranger = temporary / "sparkrun-stranger"
    stranger.mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        theirs = Path(holder.stdout.readline().strip())
        with scratch_folder():
            assert (theirs / "below" / "file").read_text() == "large"
        holder.kill()
    assert theirs.exists()
    with scratch_folder() as folder:
        assert sorted(temporary.iterdir()) == sorted([folder, stranger])


def test_many_at_once_have_one_each(temporary):
    def use(number):
        for _ in range(20):
            with scratch_folder() as folder:
                (folder / "file").write_text(str(number))
                assert (folder / "file").read_text() == str(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))
    assert not list(temporary.iterdir())


def test_what_libraries_put_aside_for_a_while_goes_too(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    @temporary_files_in_scratch()
    def work():
        handle, name = tempfile.mkstemp()
        os.close(handle)
        return Path(name)

    names = [work(), work()]
    assert all(name.parent.parent == tmp_path for name in names)
    assert names[0].parent != names[1].parent
    assert tempfile.gettempdir() == str(tmp_path)
    assert not list(tmp_path.iterdir())
