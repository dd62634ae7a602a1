import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from boneage_sparkrun import (
    EngineError,
    LocalEngine,
    MapResult,
    MapTask,
    ShardError,
    read_shard,
    shard_name,
    write_shard,
)

MEASURE = MapTask("measure", "sparkrun_work:setup", "sparkrun_work:measure", {"factor": 2})


def task(apply, **config):
    return MapTask(apply, "sparkrun_work:setup", f"sparkrun_work:{apply}", config)


@pytest.fixture
def sources(tmp_path):
    """Five shards of one to five records, two of the records bad."""
    uris = []
    for index in range(5):
        rows = [
            {"case_id": f"{index}-{n}", "text": "bad" if n == 3 else "word" * n} for n in range(index + 1)
        ]
        write_shard(tmp_path / "words" / shard_name(index, 5), rows)
        uris.append([tmp_path / "words" / shard_name(index, 5)])
    return uris


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def gone(pid, seconds):
    """Waits until a process has ended."""
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists():
        if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def children(folder, count):
    """Waits until as many workers have left a file with their number in the folder."""
    deadline = time.monotonic() + 60
    while len(pids := [int(path.name) for path in folder.iterdir()]) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return pids


# map


def test_one_two_and_three_workers_write_the_same_files(tmp_path, sources):
    results = {n: LocalEngine(n).map(MEASURE, sources, tmp_path / f"out{n}") for n in (1, 2, 3)}
    assert set(results.values()) == {MapResult(done=13, failed=2)}
    assert len(files(tmp_path / "out1")) == 10
    assert files(tmp_path / "out1") == files(tmp_path / "out2") == files(tmp_path / "out3")


def test_two_threads_write_the_files_of_one(tmp_path, sources):
    for threads in (1, 2):
        measure = replace(MEASURE, threads=threads)
        assert LocalEngine(1).map(measure, sources, tmp_path / f"out{threads}") == MapResult(13, 2)
    assert files(tmp_path / "out1") == files(tmp_path / "out2")


def test_two_threads_work_on_two_records_at_once(tmp_path, sources):
    meet = replace(task("wait_for_company"), threads=2)
    assert LocalEngine(1).map(meet, [sources[1], sources[3]], tmp_path / "out") == MapResult(6, 0)


def test_only_added_fields_are_written_and_failures_have_reasons(tmp_path, sources):
    LocalEngine(1).map(MEASURE, sources, tmp_path / "out")
    name = shard_name(3, 5)
    assert read_shard(tmp_path / "out" / name) == [
        {"case_id": f"3-{n}", "length": 8 * n, "shout": b"WORD" * n} for n in range(3)
    ]
    assert read_shard(tmp_path / "out" / "failures" / name) == [
        {"case_id": "3-3", "reason": "ValueError: cannot read 3-3"}
    ]
    assert read_shard(tmp_path / "out" / "failures" / shard_name(0, 5)) == []


def test_stages_are_merged_by_case_and_without_those_set_aside(tmp_path, sources):
    LocalEngine(1).map(MEASURE, sources, tmp_path / "measured")
    numbers = [{"case_id": f"4-{n}", "number": n} for n in (4, 2, 3, 1)]
    write_shard(tmp_path / "numbers.parquet", numbers)
    merged = [[sources[4][0], tmp_path / "measured" / shard_name(4, 5), tmp_path / "numbers.parquet"]]
    assert LocalEngine(1).map(task("add_number"), merged, tmp_path / "sums") == MapResult(3, 0)
    assert read_shard(tmp_path / "sums" / shard_name(0, 1)) == [
        {"case_id": "4-1", "sum": 9},
        {"case_id": "4-2", "sum": 18},
        {"case_id": "4-4", "sum": 36},
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_records_without_shards_are_done_or_set_aside_in_order(workers):
    parts = [
        [{"case_id": f"{part}-{n}", "text": "bad" if n == 1 else "a" * n} for n in range(3)]
        for part in (0, 1)
    ]
    reports = []
    done, failed = LocalEngine(workers).map_records(MEASURE, parts, lambda *counts: reports.append(counts))
    assert done == [
        {"case_id": f"{part}-{n}", "length": 2 * n, "shout": b"A" * n} for part in (0, 1) for n in (0, 2)
    ]
    assert failed == [
        {"case_id": f"{part}-1", "reason": f"ValueError: cannot read {part}-1"} for part in (0, 1)
    ]
    assert reports[-1] == (2, 2)
    assert LocalEngine(workers).map_records(MEASURE, []) == ([], [])


def test_records_without_shards_must_be_such_as_a_shard_could_hold():
    with pytest.raises(ShardError, match="case_id"):
        LocalEngine(1).map_records(MEASURE, [[{"no_id": 1}]])


@pytest.mark.parametrize("workers", [1, 2])
def test_setup_runs_once_per_process_and_map(tmp_path, sources, workers):
    engine = LocalEngine(workers)
    for turn in (1, 2):
        engine.map(task("mark_process"), sources, tmp_path / f"out{turn}")
        rows = [row for i in range(5) for row in read_shard(tmp_path / f"out{turn}" / shard_name(i, 5))]
        counts = {(row["pid"], row["setups"]) for row in rows}
        assert len(counts) == len({pid for pid, _ in counts}) <= workers
        assert (os.getpid() in {pid for pid, _ in counts}) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_counts_shards(tmp_path, sources, workers):
    seen = []
    LocalEngine(workers).map(MEASURE, sources, tmp_path / "out", lambda *counts: seen.append(counts))
    assert seen == [(done, 5) for done in range(6)]


@pytest.mark.parametrize(
    ("apply", "reason"),
    [
        ("return_nothing", "TypeError: apply must return a dict of fields; it returned NoneType"),
        ("change_id", "ValueError: apply must keep the case_id; it returned 'other'"),
        ("give_list", "ShardError: field 'values' of 0-0: received list"),
    ],
)
def test_a_wrong_result_sets_the_record_aside(tmp_path, sources, apply, reason):
    assert LocalEngine(1).map(task(apply), sources[:1], tmp_path / "out") == MapResult(0, 1)
    assert read_shard(tmp_path / "out" / shard_name(0, 1)) == []
    assert read_shard(tmp_path / "out" / "failures" / shard_name(0, 1))[0]["reason"].startswith(reason)


def test_two_stages_with_the_same_field_are_refused(tmp_path, sources):
    LocalEngine(1).map(task("double_field"), sources[:1], tmp_path / "again")
    with pytest.raises(EngineError, match="'text' of 0-0"):
        LocalEngine(1).map(MEASURE, [[*sources[0], tmp_path / "again" / shard_name(0, 1)]], tmp_path / "out")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_source_ends_the_map_and_is_named(tmp_path, sources, workers):
    damaged = sources[2][0]
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with pytest.raises(EngineError, match=rf"ShardError: .*{damaged.name}"):
        LocalEngine(workers).map(MEASURE, sources, tmp_path / "out")


def test_a_map_of_nothing_is_done(tmp_path):
    assert LocalEngine(2).map(MEASURE, [], tmp_path / "out") == MapResult(0, 0)


def test_a_killed_worker_is_an_error_within_seconds_and_ends_the_map(tmp_path, sources):
    started = time.monotonic()
    with pytest.raises(EngineError, match=r"killed by SIGKILL in task 3 of 5"):
        LocalEngine(2).map(task("kill_itself", victim="2-1"), sources, tmp_path / "out")
    assert time.monotonic() - started < 20
    assert not (tmp_path / "out" / shard_name(2, 5)).exists()


@pytest.mark.parametrize(
    ("what", "reason"),
    [("memory", "MemoryError"), ("library", "std::bad_alloc"), ("disk", "No space left on device")],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_want_of_memory_or_disk_is_no_records_fault_and_ends_the_map(
    tmp_path, sources, what, reason, workers
):
    with pytest.raises(EngineError, match=rf"{reason}.*in task 4 of 5"):
        LocalEngine(workers).map(task("run_out", victim="3-2", what=what), sources, tmp_path / "out")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_map_that_was_cut_off_goes_on_with_the_shards_that_are_not_there(tmp_path, sources, workers):
    out, undisturbed, seen = tmp_path / "out", tmp_path / "undisturbed", []
    whole = LocalEngine(workers).map(MEASURE, sources, undisturbed)
    LocalEngine(workers).map(MEASURE, sources, out)
    (out / shard_name(1, 5)).unlink()
    (out / shard_name(3, 5)).unlink()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("shard-*")}
    again = LocalEngine(workers).map(MEASURE, sources, out, lambda *counts: seen.append(counts))
    assert again == whole
    assert files(out) == files(undisturbed)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert seen == [(3, 5), (4, 5), (5, 5)]


def test_a_shard_without_its_failures_is_done_again_and_a_damaged_one_is_told(tmp_path, sources):
    out = tmp_path / "out"
    whole = LocalEngine(1).map(MEASURE, sources, out)
    (out / "failures" / shard_name(2, 5)).unlink()
    assert LocalEngine(1).map(MEASURE, sources, out) == whole
    (out / shard_name(4, 5)).write_bytes((out / shard_name(4, 5)).read_bytes()[:-1])
    with pytest.raises(ShardError, match=shard_name(4, 5)):
        LocalEngine(1).map(MEASURE, sources, out)


# run


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers):
    seen = []
    results = LocalEngine(workers).run(
        "sparkrun_work:square", [{"x": x} for x in range(7)], lambda *counts: seen.append(counts)
    )
    assert [result["square"] for result in results] == [x**2 for x in range(7)]
    assert seen == [(done, 7) for done in range(8)]
    assert ({result["pid"] for result in results} == {os.getpid()}) == (workers == 1)


def test_workers_have_their_environment():
    def variable(engine):
        return engine.run("sparkrun_work:square", [{"x": 1}])[0]["omp"]

    assert variable(LocalEngine(2)) == "1"
    assert variable(LocalEngine(2, {"OMP_NUM_THREADS": "3"})) == "3"
    assert LocalEngine(2).run("sparkrun_work:square", []) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_comes_back_with_its_traceback(workers):
    with pytest.raises(EngineError, match=r"ArithmeticError: three is too much \(in task 4 of 6 ") as caught:
        LocalEngine(workers).run("sparkrun_work:fail_on_three", [{"x": x} for x in range(6)])
    assert 'raise ArithmeticError("three is too much")' in caught.value.details
    assert caught.value.details in str(caught.value)


def test_a_worker_that_leaves_or_answers_nonsense_is_an_error():
    with pytest.raises(EngineError, match="SystemExit: 3"):
        LocalEngine(2).run("sparkrun_work:leave", [{"status": 3}])
    with pytest.raises(EngineError, match="task 1 of 1"):
        LocalEngine(2).run("sparkrun_work:give_lambda", [{}])
    with pytest.raises(EngineError, match="cannot be sent"):
        LocalEngine(2).run("sparkrun_work:square", [{"x": lambda: None}])


def test_a_killed_worker_takes_the_others_along(tmp_path):
    arguments = [{"x": x, "folder": str(tmp_path)} for x in range(3)]
    with pytest.raises(EngineError, match=r"killed by SIGKILL in task 2 of 3"):
        LocalEngine(2).run("sparkrun_work:kill_one_and_sleep", arguments)
    assert all(gone(pid, 5) for pid in children(tmp_path, 1))


_SLEEPERS = """
import signal
import sys
from boneage_sparkrun import LocalEngine
sys.path.insert(0, sys.argv[2])
# A shell that starts the tests in the background has all of them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    LocalEngine(2).run("sparkrun_work:sleep_long", [{"folder": sys.argv[1]}] * 2)
except KeyboardInterrupt:
    sys.exit(77)
"""


@pytest.mark.parametrize(("sign", "status"), [(signal.SIGINT, 77), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_or_killed_parent_leaves_no_worker_behind(tmp_path, sign, status):
    command = [sys.executable, "-c", _SLEEPERS, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(command) as parent:
        pids = children(tmp_path, 2)
        parent.send_signal(sign)
        assert parent.wait(10) == status
    assert all(gone(pid, 5) for pid in pids)


_CHATTER = """
import sys
from boneage_sparkrun import LocalEngine
sys.path.insert(0, sys.argv[1])
print(LocalEngine(2).run("sparkrun_work:chatter", [{}])[0]["main"])
"""


def test_workers_need_no_main_guard_and_print_nothing_on_our_stdout(tmp_path):
    script = tmp_path / "script_without_guard.py"
    script.write_text(_CHATTER)
    command = [sys.executable, str(script), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "chatter" not in done.stdout
    assert "chatter on stdout" in done.stderr
    assert done.stdout.strip().endswith("worker.py")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("square", "module:function"),
        (":square", "module:function"),
        ("__main__:square", "module:function"),
        ("sparkrun_absent:square", "No module named"),
        ("sparkrun_work:absent", "no function"),
        ("sparkrun_work:setups", "no function"),
    ],
)
def test_a_function_that_is_not_there_is_refused(tmp_path, name, reason):
    with pytest.raises(EngineError, match=reason):
        LocalEngine(2).run(name, [{}])
    with pytest.raises(EngineError, match=reason):
        LocalEngine(2).map(MapTask("x", "sparkrun_work:setup", name), [], tmp_path)


def test_no_workers_are_refused():
    with pytest.raises(EngineError, match="at least 1; received 0"):
        LocalEngine(0)
    assert LocalEngine().threads(1) >= 1


def test_a_map_imports_neither_tensorflow_nor_keras():
    code = (
        "import sys; from boneage_sparkrun import *; from boneage_sparkrun import worker;"
        "sys.exit(bool({'tensorflow', 'keras', 'pyspark', 'pyarrow'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tasks_share_the_threads():
    assert [LocalEngine(4).threads(tasks) for tasks in (1, 2, 3, 4, 9)] == [4, 2, 1, 1, 1]
