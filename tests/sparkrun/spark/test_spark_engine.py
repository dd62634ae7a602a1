"""The engine of a cluster, on a real standalone one: the same files as on one machine, whatever is killed."""

import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from boneage_sparkrun import EngineError, LocalEngine, MapResult, MapTask, read_shard, shard_name, write_shard
from boneage_sparkrun.spark_engine import SparkEngine
from boneage_sparkrun.spark_session import SparkSettings

from ...servers.processes import QUICK_JAVA

WORK = str(Path(__file__).parents[1])
CONF = {
    "spark.executor.memory": "512m",
    "spark.driver.memory": "512m",
    "spark.driver.extraJavaOptions": QUICK_JAVA,
    "spark.executor.extraJavaOptions": QUICK_JAVA,
    "spark.executorEnv.PYTHONPATH": WORK,
}
ONE_FAILURE = CONF | {"spark.task.maxFailures": "1"}  # a task is not tried again
MEASURE = MapTask("measure", "sparkrun_work:setup", "sparkrun_work:measure", {"factor": 2})


@pytest.fixture(scope="module")
def engine(spark):
    return SparkEngine(SparkSettings(master=spark.uri, conf=CONF, start_seconds=120))


@pytest.fixture
def sources(tmp_path):
    """Six shards of one to six records, three of the records bad."""
    uris = []
    for index in range(6):
        rows = [
            {"case_id": f"{index}-{n}", "text": "bad" if n == 3 else "word" * n} for n in range(index + 1)
        ]
        write_shard(tmp_path / "words" / shard_name(index, 6), rows)
        uris.append([tmp_path / "words" / shard_name(index, 6)])
    return uris


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wait_for(moment, seconds=120):
    deadline = time.monotonic() + seconds
    while not moment():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_cluster_writes_the_same_files_as_one_machine(engine, sources, tmp_path):
    seen = []
    there = engine.map(MEASURE, sources, tmp_path / "there", lambda *counts: seen.append(counts))
    here = LocalEngine(1).map(MEASURE, sources, tmp_path / "here")
    assert there == here == MapResult(done=18, failed=3)
    assert files(tmp_path / "there") == files(tmp_path / "here")
    assert seen[0] == (0, 6)
    assert seen[-1] == (6, 6)
    assert seen == sorted(seen)


def test_a_map_that_was_cut_off_goes_on(engine, sources, tmp_path):
    LocalEngine(1).map(MEASURE, sources, tmp_path / "out")
    undisturbed = files(tmp_path / "out")
    (tmp_path / "out" / shard_name(4, 6)).unlink()
    assert engine.map(MEASURE, sources, tmp_path / "out") == MapResult(done=18, failed=3)
    assert files(tmp_path / "out") == undisturbed


def test_functions_run_side_by_side_and_answer_in_order(engine):
    answers = engine.run("sparkrun_work:square", [{"x": x} for x in range(5)])
    assert [answer["square"] for answer in answers] == [x**2 for x in range(5)]
    assert {answer["omp"] for answer in answers} == {"1"}
    assert os.getpid() not in {answer["pid"] for answer in answers}


def test_an_exception_comes_back_with_its_traceback(engine):
    with pytest.raises(EngineError, match=r"ArithmeticError: three is too much \(in task 4 of 5 ") as caught:
        engine.run("sparkrun_work:fail_on_three", [{"x": x} for x in range(5)])
    assert 'raise ArithmeticError("three is too much")' in caught.value.details


@pytest.mark.parametrize(
    ("function", "on_cluster", "said"),
    [
        (
            "kill_parents",
            True,
            r"127\.0\.0\.1: an executor was lost: Command exited with code 137; too little memory",
        ),
        ("end_with_memory", False, ": a worker's Python was ended from outside; too little memory"),
        ("want_memory", False, "a worker is out of memory: MemoryError: ; more memory"),
    ],
)
def test_a_want_of_memory_is_one_message(spark, function, on_cluster, said):
    master = spark.uri if on_cluster else "local[1]"
    engine = SparkEngine(SparkSettings(master=master, conf=ONE_FAILURE, start_seconds=120))
    with pytest.raises(EngineError, match=said) as caught:
        engine.run(f"sparkrun_work:{function}", [{"x": 1}])
    assert "\n" not in str(caught.value).partition("\nTraceback")[0]


def test_a_worker_without_our_package_says_so(spark, tmp_path):
    program, archive = tmp_path / "python", tmp_path / "environment.tar.gz"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    program.chmod(0o755)
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(program, "bin/python")
    settings = SparkSettings(master=spark.uri, conf=ONE_FAILURE, archive=archive, start_seconds=120)
    with pytest.raises(EngineError, match="No module named 'boneage_sparkrun'; an environment packed"):
        SparkEngine(settings).run("sparkrun_work:square", [{"x": 1}])


def test_an_executor_killed_in_a_map_loses_and_doubles_nothing(engine, spark, sources, tmp_path):
    slow = MapTask("slow", "sparkrun_work:setup", "sparkrun_work:sleep_and_mark", {"seconds": 0.3})
    done = []
    job = threading.Thread(target=lambda: done.append(engine.map(slow, sources, tmp_path / "out")))
    job.start()
    wait_for(lambda: any((tmp_path / "out").glob("shard-*")))
    killed = spark.kill_executor()
    job.join(120)
    assert killed
    assert done == [MapResult(done=21, failed=0)]
    ids = [
        record["case_id"]
        for index in range(6)
        for record in read_shard(tmp_path / "out" / shard_name(index, 6))
    ]
    assert ids == [f"{index}-{n}" for index in range(6) for n in range(index + 1)]
    assert not list((tmp_path / "out").rglob(".*"))


DRIVER = """
import sys
from boneage_sparkrun import MapTask
from boneage_sparkrun.spark_engine import SparkEngine
from boneage_sparkrun.spark_session import SparkSettings

master, source, out, work = sys.argv[1:]
conf = {"spark.executor.memory": "512m", "spark.driver.memory": "512m", "spark.executorEnv.PYTHONPATH": work}
sys.path.insert(0, work)
task = MapTask("slow", "sparkrun_work:setup", "sparkrun_work:sleep_and_mark", {"seconds": 60})
SparkEngine(SparkSettings(master=master, conf=conf)).map(task, [[source]], out)
"""


def test_a_killed_driver_leaves_no_process_behind(spark, sources, tmp_path):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, spark.uri, sources[0][0], tmp_path / "out", WORK],
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: len(spark.executors()) == 2)
    jvm = gateway_of(driver.pid)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_for(lambda: not spark.executors() and not Path(f"/proc/{jvm}").exists())


def gateway_of(pid):
    """The process id of a driver's JVM."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(stat[1]) == pid:
                found.append(int(folder.name))
    assert len(found) == 1
    return found[0]


def test_a_task_has_the_threads_of_its_slot_and_no_more():
    assert [SparkEngine(SparkSettings(total_cores=8)).threads(tasks) for tasks in (1, 2, 16)] == [1, 1, 1]
    wide = SparkSettings(total_cores=8, cores_per_worker=4, conf={"spark.task.cpus": "2"})
    assert [SparkEngine(wide).threads(tasks) for tasks in (1, 2, 16)] == [2, 2, 2]
    assert wide.needed_slots == 4


def test_too_few_slots_are_told_with_what_was_found(spark):
    settings = SparkSettings(master=spark.uri, conf=CONF, total_cores=9, start_seconds=8)
    with pytest.raises(EngineError, match=r"9 slots are needed and [012] found"):
        SparkEngine(settings).run("sparkrun_work:square", [{"x": 1}])


@pytest.mark.parametrize("master", ["spark://127.0.0.1:1", "spark://no.such.host.invalid:7077", "nonsense"])
def test_a_wrong_master_is_one_message(master):
    with pytest.raises(EngineError, match=re.escape(master)) as caught:
        SparkEngine(SparkSettings(master=master, conf=CONF)).run("sparkrun_work:square", [{"x": 1}])
    assert "\n" not in str(caught.value)


def test_no_master_is_one_message():
    with pytest.raises(EngineError, match="no Spark master was named"):
        SparkEngine(SparkSettings(conf=CONF)).run("sparkrun_work:square", [{"x": 1}])
