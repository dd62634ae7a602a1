"""What holds of every storage: one test class, run over local folders and over HDFS."""

import multiprocessing
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boneage_sparkrun import StorageError, join, open_storage

CONTENTS = st.binary(max_size=5000)


def hold_lock(uri: str, seconds: float, started: object) -> None:
    """In a process of its own: holds a lock."""
    import time

    with open_storage(uri).lock(uri):
        started.set()  # type: ignore[attr-defined]
        time.sleep(seconds)


class StorageContract:
    """Over the fixture `root`, a folder of the storage in question, and `names`, which that storage takes."""

    names = st.text(
        st.characters(blacklist_characters="/\\\0", blacklist_categories=["Cs"]), min_size=1, max_size=40
    )

    @pytest.fixture
    def folder(self, root):
        return join(root, uuid.uuid4().hex)

    @settings(max_examples=12)
    @given(data=st.data())
    def test_any_bytes_under_any_legal_name_come_back_whole_and_listed_in_order(self, root, data):
        files = data.draw(st.dictionaries(self.names, CONTENTS, max_size=3))
        folder = join(root, uuid.uuid4().hex)
        storage = open_storage(folder)
        storage.make_folder(folder)
        legal = {}
        for name, content in files.items():
            if name not in (".", ".."):
                storage.write(join(folder, name), content)
                legal[name] = content
        assert storage.list(folder) == sorted(legal)
        for name, content in legal.items():
            assert storage.read(join(folder, name)) == content
            assert b"".join(storage.read_chunks(join(folder, name), 700)) == content
            assert storage.status(join(folder, name)).size_bytes == len(content)

    @settings(max_examples=12)
    @given(first=CONTENTS, second=CONTENTS)
    def test_a_file_is_replaced_whole_and_its_digest_tells_whether_it_is_the_same(self, root, first, second):
        folder = join(root, uuid.uuid4().hex)
        uri, other = join(folder, "file"), join(folder, "other")
        storage = open_storage(uri)
        storage.write(uri, first)
        before = storage.digest(uri)
        storage.write(uri, second)
        storage.write(other, first)
        assert storage.read(uri) == second
        assert storage.list(folder) == ["file", "other"]
        assert (storage.digest(uri) == before) == (first == second)
        assert storage.digest(other) == before

    def test_files_whose_names_need_not_last_at_once_are_whole_too(self, folder):
        storage = open_storage(folder)
        for name in ("one", "two"):
            storage.write(join(folder, name), name.encode(), lasting=False)
        storage.settle(folder)
        assert [storage.read(join(folder, name)) for name in storage.list(folder)] == [b"one", b"two"]

    @settings(max_examples=12)
    @given(name=st.text(max_size=20), way=st.sampled_from(["..", ".", "", "/", "a/b", "..\\x", "\0"]))
    def test_names_that_leave_the_folder_are_refused(self, root, name, way):
        with pytest.raises(StorageError, match="name"):
            join(root, name + way if "/" in way or "\\" in way or "\0" in way else way)

    def test_folders_are_made_renamed_and_removed_with_all_in_them(self, folder):
        storage = open_storage(folder)
        storage.write(join(folder, "one", "deep", "file"), b"1")
        storage.make_folder(join(folder, "one", "empty"))
        storage.make_folder(join(folder, "one", "empty"))
        storage.rename(join(folder, "one"), join(folder, "new", "two"))
        assert storage.list(folder) == ["new"]
        assert storage.list(join(folder, "new", "two")) == ["deep", "empty"]
        assert storage.read(join(folder, "new", "two", "deep", "file")) == b"1"
        assert storage.status(join(folder, "new")).is_folder
        storage.remove(join(folder, "new"))
        storage.remove(join(folder, "new"))
        assert storage.list(folder) == []
        assert storage.exists(folder)
        assert not storage.exists(join(folder, "new"))

    def test_rename_never_replaces(self, folder):
        storage = open_storage(folder)
        for name in ("one", "two"):
            storage.write(join(folder, name), name.encode())
            storage.write(join(folder, f"{name}s", "file"), name.encode())
        for source, target in (("one", "two"), ("ones", "twos"), ("one", "twos"), ("ones", "two")):
            with pytest.raises(StorageError, match="cannot rename") as caught:
                storage.rename(join(folder, source), join(folder, target))
            assert caught.value.kind == "there already"
        assert storage.read(join(folder, "two")) == b"two"
        assert storage.list(join(folder, "twos")) == ["file"]

    def test_failures_name_the_place_and_leave_nothing(self, folder):
        storage, missing, file = open_storage(folder), join(folder, "missing"), join(folder, "file")
        storage.write(file, b"1")
        storage.write(join(folder, "full", "file"), b"1")
        for failing in (storage.read, storage.list, storage.status, storage.digest):
            with pytest.raises(StorageError, match="missing") as caught:
                failing(missing)
            assert (caught.value.uri, caught.value.kind) == (missing, "missing")
        for refused in (
            lambda: storage.rename(missing, join(folder, "other")),
            lambda: storage.write(join(folder, "full"), b"data"),
            lambda: storage.write(join(file, "under a file"), b"data"),
            lambda: storage.write(join(folder, "x" * 300), b"data"),
            lambda: storage.make_folder(file),
            lambda: storage.list(file),
            lambda: storage.read(join(folder, "full")),
            lambda: list(storage.read_chunks(missing)),
        ):
            with pytest.raises(StorageError, match=r"cannot|received"):
                refused()
        assert not storage.exists(join(file, "under a file"))
        assert storage.list(folder) == ["file", "full"]

    def test_a_lock_is_held_by_one(self, folder):
        uri = join(folder, ".lock")
        storage = open_storage(uri)
        context = multiprocessing.get_context("spawn")
        started = context.Event()
        with storage.lock(uri):
            pass
        holder = context.Process(target=hold_lock, args=(uri, 600, started))
        holder.start()
        assert started.wait(60)
        with pytest.raises(StorageError) as caught, storage.lock(uri):
            pass
        assert caught.value.kind == "locked"
        holder.kill()
        holder.join()
        with storage.lock(uri):  # the dead holds none
            pass
