"""What goes wrong with HDFS is caught, outlived or said clearly; on the real servers."""

import hashlib
import os
import signal
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from boneage_sparkrun import StorageError, join
from boneage_sparkrun.hdfs_lock import hold
from boneage_sparkrun.hdfs_storage import HdfsStorage, open_hdfs
from boneage_sparkrun.transfers import transfer

from .relay import Relay


@pytest.fixture
def folder(hdfs):
    return f"{hdfs.uri}/faults/{uuid.uuid4().hex}"


@pytest.fixture
def storage(hdfs):
    return HdfsStorage([hdfs.web])


def impatient(hdfs, **settings):
    return HdfsStorage([hdfs.web], patience_s=1.0, timeout_s=5.0, **settings)


def contents(count, size):
    return {f"{index:04d}": hashlib.shake_128(str(index).encode()).digest(size) for index in range(count)}


@pytest.fixture
def answers(storage):
    """What HDFS answers the storage: each response, as it comes."""
    seen = []
    storage._client._session.hooks["response"].append(lambda answer, **_: seen.append(answer))
    return seen


def sent_to(answers):
    """Addresses of the DataNodes that the NameNode sent the storage to."""
    return [urlsplit(answer.headers["Location"]).netloc for answer in answers if answer.status_code == 307]


def test_a_large_file_is_whole_though_the_datanode_that_gives_it_is_killed(
    whole_hdfs, storage, folder, answers
):
    uri, large = join(folder, "large"), os.urandom(1 << 20) * 40
    storage.write(uri, large)
    answers.clear()
    chunks = storage.read_chunks(uri, 1 << 16)
    content = hashlib.sha256(next(chunks))
    (giver,) = sent_to(answers)
    whole_hdfs.kill_datanode(whole_hdfs.datanode_at(giver))
    for chunk in chunks:
        content.update(chunk)
    assert content.digest() == hashlib.sha256(large).digest()
    resumed = [answer.url for answer in answers if answer.status_code == 200 and "op=OPEN" in answer.url][1:]
    assert resumed
    assert all(urlsplit(url).netloc != giver and "offset=0&" not in f"{url}&" for url in resumed)


def test_a_large_file_is_whole_though_the_datanode_that_takes_it_is_killed(
    whole_hdfs, storage, folder, answers
):
    uri, large = join(folder, "large"), os.urandom(1 << 20) * 100
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(storage.write, uri, large)
        while not any(whole_hdfs.arrived_bytes(index) for index in range(2)):
            assert not writing.done()
            time.sleep(0.002)
        (taker,) = sent_to(answers)
        index = whole_hdfs.datanode_at(taker)
        whole_hdfs.kill_datanode(index)
        assert whole_hdfs.arrived_bytes(index) < len(large)
        assert not writing.done()
        writing.result()
    assert len(sent_to(answers)) > 1
    assert hashlib.sha256(storage.read(uri)).digest() == hashlib.sha256(large).digest()
    assert storage_names(whole_hdfs, folder) == ["large"]


def test_small_files_are_whole_though_a_datanode_is_killed_amid_reading_and_writing(
    whole_hdfs, storage, folder, answers
):
    files = contents(40, 300_000)
    transfer(lambda name: storage.write(join(folder, name), files[name]), files)
    with ThreadPoolExecutor(4) as pool:
        reading, writing = {}, {}
        for name, data in files.items():
            reading[name] = pool.submit(storage.read, join(folder, name))
            writing[name] = pool.submit(storage.write, join(folder, "new", name), data)
        while sum(task.done() for task in writing.values()) < 5:
            time.sleep(0.01)
        whole_hdfs.kill_datanode(0)
        answers.clear()
        for tasks in (reading, writing):
            assert not all(task.done() for task in tasks.values())
        assert {name: task.result() for name, task in reading.items()} == files
        for task in writing.values():
            task.result()
    # After its death, too, the NameNode sent us to it for a while.
    assert any(whole_hdfs.datanode_at(address) == 0 for address in sent_to(answers))
    assert storage.list(join(folder, "new")) == sorted(files)
    found = transfer(lambda name: hashlib.sha256(storage.read(join(folder, "new", name))).digest(), files)
    assert found == [hashlib.sha256(data).digest() for data in files.values()]


def test_a_file_that_hdfs_calls_created_and_that_is_empty_is_written_again(hdfs, folder):
    uri = join(folder, "file")
    with Relay(hdfs.web) as relay:
        storage = HdfsStorage([relay.web])
        storage.write(uri, b"before")
        relay.lose = 2
        storage.write(uri, b"whole")
        assert relay.lose == 0
        assert storage.read(uri) == b"whole"
        # Where it never arrives, that is said, and what was there stays.
        relay.lose = 1000
        with pytest.raises(StorageError, match="0 of 5 bytes arrived") as caught:
            HdfsStorage([relay.web], patience_s=1.0).write(uri, b"other")
        assert caught.value.kind == "no DataNode"
        assert storage.read(uri) == b"whole"
    assert storage_names(hdfs, folder) == ["file"]


def test_a_file_whose_block_no_datanode_takes_is_written_again(hdfs, folder):
    """HDFS refuses, and leaves an empty file."""
    uri = join(folder, "file")
    with Relay(hdfs.web) as relay:
        storage = HdfsStorage([relay.web])
        storage.write(uri, b"before")
        relay.refuse = 2
        storage.write(uri, b"whole")
        assert relay.refuse == 0
        relay.refuse = 1000
        with pytest.raises(
            StorageError, match="could only be written to 0 of the 1 minReplication"
        ) as caught:
            HdfsStorage([relay.web], patience_s=1.0).write(uri, b"other")
        assert caught.value.kind == "no DataNode"
        assert storage.read(uri) == b"whole"
    assert storage_names(hdfs, folder) == ["file"]


def storage_names(hdfs, folder):
    """All that lies in a folder, half-written files, too."""
    client = HdfsStorage([hdfs.web])._client
    return sorted(client.list(folder.removeprefix(hdfs.uri)))


def test_a_lost_answer_does_not_make_a_done_rename_fail(hdfs, folder):
    with Relay(hdfs.web) as relay:
        storage = HdfsStorage([relay.web])
        relay.forget = 1
        storage.write(join(folder, "one"), b"1")
        relay.forget = 1
        storage.rename(join(folder, "one"), join(folder, "two"))
        assert relay.forget == 0
        assert storage.list(folder) == ["two"]


def test_the_token_is_passed_on_in_place_of_the_user(hdfs, folder, monkeypatch):
    with Relay(hdfs.web) as relay:
        monkeypatch.setenv("WEBHDFS_ADDRESS", relay.web)
        monkeypatch.setenv("HADOOP_USER_NAME", "somebody")
        open_hdfs(folder).exists(folder)
        monkeypatch.setenv("WEBHDFS_TOKEN", "a-token")
        open_hdfs(folder).exists(folder)
    (_, by_name), (_, by_token) = relay.requests
    assert "user.name=somebody" in by_name
    assert "delegation=a-token" in by_token
    assert "user.name" not in by_token


def test_a_namenode_that_does_not_answer_is_passed_over(hdfs, folder):
    storage = HdfsStorage(["http://127.0.0.1:9", hdfs.web])
    storage.write(join(folder, "file"), b"1")
    assert storage.read(join(folder, "file")) == b"1"


def test_a_namenode_that_was_killed_is_waited_for(hdfs, storage, folder):
    storage.write(join(folder, "before"), b"1")
    hdfs.kill_namenode()
    starting = threading.Timer(1, hdfs.start_namenode, kwargs={"wait": False})
    starting.start()
    storage = HdfsStorage([hdfs.web], patience_s=60)
    storage.write(join(folder, "after"), b"2")
    assert [storage.read(join(folder, name)) for name in ("before", "after")] == [b"1", b"2"]
    starting.join()
    hdfs.wait_for(2)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:9", "does not answer"),
        ("http://no-such-host.invalid:9870", "does not answer"),
        ("127.0.0.1:9", "is no WebHDFS"),
        ("{rpc}", "is no WebHDFS"),
    ],
)
def test_a_wrong_address_is_said(hdfs, folder, address, said):
    rpc = hdfs.uri.replace("hdfs:", "http:")
    storage = HdfsStorage([address.format(rpc=rpc)], patience_s=1.0, timeout_s=5.0)
    with pytest.raises(StorageError, match=said) as caught:
        storage.read(join(folder, "file"))
    assert caught.value.kind == "unreachable"
    assert "WEBHDFS_ADDRESS" in str(caught.value)


def test_safe_mode_is_said(hdfs, storage, folder):
    storage.write(join(folder, "file"), b"1")
    hdfs.set_safe_mode(True)
    try:
        for refused in (
            lambda: impatient(hdfs).write(join(folder, "other"), b"1"),
            lambda: impatient(hdfs).remove(join(folder, "file")),
            lambda: impatient(hdfs).make_folder(join(folder, "new")),
        ):
            with pytest.raises(StorageError, match="safe mode") as caught:
                refused()
            assert caught.value.kind == "safe mode"
        assert storage.read(join(folder, "file")) == b"1"
    finally:
        hdfs.set_safe_mode(False)


def test_no_permission_and_a_full_quota_are_said_at_once_and_leave_nothing(hdfs, storage, folder):
    storage.write(join(folder, "file"), b"1")
    with pytest.raises(StorageError, match=r"user=stranger.*HADOOP_USER_NAME") as caught:
        HdfsStorage([hdfs.web], user="stranger").write(join(folder, "other"), b"1")
    assert caught.value.kind == "no permission"
    path = folder.removeprefix(hdfs.uri)
    hdfs.set_quota(path, names=2)
    with pytest.raises(StorageError, match="quota") as caught:
        storage.write(join(folder, "more"), b"1")
    assert caught.value.kind == "quota"
    hdfs.set_quota(path, names=100, size_bytes=1000)
    with pytest.raises(StorageError, match="quota") as caught:
        storage.write(join(folder, "more"), b"1")
    assert caught.value.kind == "quota"
    assert storage_names(hdfs, folder) == ["file"]


def test_no_datanode_is_said(whole_hdfs, storage, folder):
    storage.write(join(folder, "file"), b"1")
    for index in range(2):
        whole_hdfs.kill_datanode(index)
    for refused in (
        lambda: impatient(whole_hdfs).write(join(folder, "other"), b"1"),
        lambda: impatient(whole_hdfs).read(join(folder, "file")),
    ):
        with pytest.raises(StorageError, match="DataNode") as caught:
            refused()
        assert caught.value.kind == "no DataNode"
    assert storage_names(whole_hdfs, folder) == ["file"]


def test_a_datanode_that_hangs_is_left(whole_hdfs, folder):
    storage = HdfsStorage([whole_hdfs.web], timeout_s=5.0)
    files = contents(4, 1000)
    for name, data in files.items():
        storage.write(join(folder, name), data)
    whole_hdfs.signal("datanode0", signal.SIGSTOP)
    try:
        for name, data in files.items():
            assert storage.read(join(folder, name)) == data
    finally:
        whole_hdfs.signal("datanode0", signal.SIGCONT)


def test_of_many_who_want_a_dead_ones_lock_one_gets_it(hdfs, storage, folder):
    uri = join(folder, ".lock")
    storage.create(uri, b"a dead process 0")
    held = []

    def want(_):
        try:
            with hold(HdfsStorage([hdfs.web]), uri, beat_s=0.2, dead_after_s=1.5):
                held.append(1)
                assert len(held) == 1
                time.sleep(3)
                held.clear()
            return "held"
        except StorageError as error:
            return error.kind

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(want, range(4)))
    assert outcomes == ["held", "locked", "locked", "locked"]
    assert storage.list(folder) == []
