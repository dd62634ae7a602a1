"""Runs that are killed, interrupted and damaged: the same command goes on, to the same results."""

import contextlib
import os
import shutil
import signal

import pytest

from boneage_cli.pipeline import stage_names

from .conftest import boneage
from .processes import left_behind, start, wait_for
from .run_files import files, stages_done

# What shows that a stage is in the middle of its work: a file that it has written by then.
MOMENTS = {
    "ingest": "unfinished/ingest-*/output/shard-*",
    "split": "unfinished/split-*/output/shard-*",
    "train-segmentation": "unfinished/train-segmentation-*/output/training.jsonl",
    "segment": "unfinished/segment-*/output/shard-*",
    "prepare": "unfinished/prepare-*/output/shard-*",
    "train-regression": "unfinished/train-regression-*/output/training-0.jsonl",
    "evaluate": "unfinished/evaluate-*/output",
    "report": "unfinished/report-*/output",
}

SIGNALS = (signal.SIGKILL, signal.SIGINT)


def test_every_stage_has_its_moment():
    assert tuple(MOMENTS) == stage_names()


def cut_off(call, folder, name, sign, log, temporary):
    """Starts a run, sends it a signal in the middle of a stage, and tells how it ended."""
    process = start(call, log, TMPDIR=str(temporary))

    def is_time():
        said = log.read_text()
        # A quick stage, or one that was nearly done, may be over before anybody has looked.
        over = f"{name}: done in" in said
        return (
            process.poll() is not None or over or (f"{name} ..." in said and any(folder.glob(MOMENTS[name])))
        )

    wait_for(is_time, name)
    # A terminal's Ctrl-C reaches all processes of the command.
    send = os.killpg if sign == signal.SIGINT else os.kill
    with contextlib.suppress(ProcessLookupError):  # it is over: the exit code tells how
        send(process.pid, sign)
    code = process.wait(120)
    wait_for(lambda: not left_behind(process.pid), f"processes left in {name}")
    return code


def test_a_run_cut_off_in_each_stage_goes_on_to_the_same_results(run_folder, settings, tmp_path):
    folder, log, temporary = tmp_path / "run", tmp_path / "log", tmp_path / "temporary"
    temporary.mkdir()
    call = ("run", "all", "--config", settings, "--out", folder)
    told = {}
    for index, name in enumerate(MOMENTS):
        # Both where there is most to lose; one in each other stage, and the other in the next (benchmarks/kills.py
        # kills at random).
        for sign in SIGNALS if name.startswith("train") else SIGNALS[index % 2 :][:1]:
            expected = 1 if sign == signal.SIGINT else -sign
            code = cut_off(call, folder, name, sign, log, temporary)
            # The last stage may be over before the signal comes.
            assert code in ({expected, 0} if name == "report" else {expected}), log.read_text()
            assert "Traceback" not in log.read_text()
            assert ("boneage: interrupted" in log.read_text()) == (code == 1)
            told |= {path.name: path.read_text() for path in folder.glob("unfinished/*/output/*.jsonl")}
    done = boneage(*call)
    assert done.code == 0, done.err
    assert files(folder) == files(run_folder)
    assert not list(temporary.iterdir())
    # What an epoch told, its time too, stands as it did: it was not done again.
    assert "training-0.jsonl" in told
    assert told == {
        path.name: path.read_text() for path in folder.glob("train-*/*.jsonl") if path.name in told
    }


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("segment/shard-00001-of-00003.parquet", lambda path: path.unlink()),
        ("ingest/shard-00000-of-00003.parquet", lambda path: path.write_bytes(path.read_bytes()[:-1])),
        ("prepare/shard-00002-of-00003.parquet", lambda path: flip(path)),
        ("evaluate/metrics.json", lambda path: flip(path)),
    ],
    ids=["deleted", "cut short", "one byte", "one byte of figures"],
)
def test_damage_after_the_run_is_noticed_and_that_stage_redone(run_folder, settings, tmp_path, name, damage):
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    damage(folder / name)
    done = boneage("run", "all", "--config", settings, "--out", folder)
    assert done.code == 0, done.err
    assert stages_done(done.err) == [name.split("/")[0]]
    assert files(folder) == files(run_folder)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_two_runs_in_one_folder_are_one_too_many(settings, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log"
    call = ("run", "all", "--config", settings, "--out", folder)
    first = start(call, log)
    wait_for(lambda: any(folder.glob("unfinished/*")), "not begun")
    second = boneage(*call)
    first.kill()
    first.wait(60)
    assert second.code == 2
    assert f"another run works in {folder}" in second.err


def test_a_worker_killed_for_memory_is_one_message_and_the_run_goes_on(run_folder, settings, tmp_path):
    stage = "segment"
    folder, log = tmp_path / "run", tmp_path / "log"
    shutil.copytree(run_folder, folder)
    (folder / stage / "done.json").unlink()
    call = ("run", "all", "--config", settings, "--out", folder)
    process = start(call, log)
    wait_for(lambda: any(folder.glob(f"unfinished/{stage}-*")), "not begun")
    wait_for(lambda: len(left_behind(process.pid)) > 1, "no worker")
    worker = next(pid for pid in left_behind(process.pid) if pid != process.pid)
    os.kill(worker, signal.SIGKILL)
    assert process.wait(60) == 1
    told = [line for line in log.read_text().splitlines() if "was killed by SIGKILL" in line]
    assert len(told) == 1
    assert "too little memory" in told[0]
    done = boneage(*call)
    assert done.code == 0, done.err
    assert stages_done(done.err) == [stage]
    assert files(folder) == files(run_folder)
