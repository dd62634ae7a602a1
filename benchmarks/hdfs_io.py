"""How fast many small files, and the same in shards, go to HDFS and come back; against the plain client.

    uv run python -m benchmarks.hdfs_io [COUNT]

Starts a NameNode and two DataNodes on this machine; each file has two replicas.
"""

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.provenance import describe
from hdfs import InsecureClient
from tests.servers.hdfs import Hdfs
from tests.servers.processes import Processes

from boneage_sparkrun import join, open_storage, read_shard, shard_name, write_shard
from boneage_sparkrun.java import find_java_home
from boneage_sparkrun.transfers import transfer

SIZE = 20_000  # bytes of a file, about what a radiograph of 256 pixels has as PNG
PER_SHARD = 50
THREADS = (1, 8)


def content(index: int) -> bytes:
    return hashlib.shake_128(str(index).encode()).digest(SIZE)


def seconds(work: Callable[[int], object], count: int, threads: int) -> float:
    started = time.perf_counter()
    transfer(work, range(count), threads)
    return time.perf_counter() - started


def measure(hdfs: Hdfs, count: int, threads: int) -> list[tuple[str, int, float, float]]:
    """Per way: seconds to write all and to read all."""
    os.environ["WEBHDFS_ADDRESS"] = hdfs.web
    folder = f"{hdfs.uri}/{threads}"
    client, storage = InsecureClient(hdfs.web), open_storage(folder)
    shards = -(-count // PER_SHARD)

    def path(index: int) -> str:
        return f"/{threads}/plain/{index}"

    def uri(index: int) -> str:
        return join(folder, "ours", str(index))

    def shard(index: int) -> str:
        return join(folder, "shards", shard_name(index, shards))

    def write_plain(index: int) -> None:
        client.write(path(index), content(index))

    def read_plain(index: int) -> None:
        with client.read(path(index)) as reader:
            assert reader.read() == content(index)

    def write_ours(index: int) -> None:
        storage.write(uri(index), content(index))

    def read_ours(index: int) -> None:
        assert storage.read(uri(index)) == content(index)

    def write_some(index: int) -> None:
        some = range(index * PER_SHARD, min((index + 1) * PER_SHARD, count))
        write_shard(shard(index), [{"case_id": str(i), "image": content(i)} for i in some])

    def read_some(index: int) -> None:
        for record in read_shard(shard(index)):
            assert record["image"] == content(int(record["case_id"]))

    ways = (
        ("plain client, a file each", write_plain, read_plain, count),
        ("storage, a file each", write_ours, read_ours, count),
        (f"shards of {PER_SHARD}", write_some, read_some, shards),
    )
    return [
        (name, threads, seconds(write, number, threads), seconds(read, number, threads))
        for name, write, read, number in ways
    ]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder), find_java_home()) as processes:
        hdfs = Hdfs(processes)
        measure(hdfs, min(count, 50), 3)  # the servers and their compilers warm up
        rows = [row for threads in THREADS for row in measure(hdfs, count, threads)]
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{count} files of {SIZE:,} bytes, {os.cpu_count()} cores, load average at the end {load}.")
    print(describe())
    print("| way | threads | write, s | files/s | read, s | files/s |\n|---|---|---|---|---|---|")
    for name, threads, written, read in rows:
        print(
            f"| {name} | {threads} | {written:.1f} | {count / written:.0f} | {read:.1f} | {count / read:.0f} |"
        )


if __name__ == "__main__":
    main()
