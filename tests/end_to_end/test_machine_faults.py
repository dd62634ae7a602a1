"""Disks that are full, read-only or not one's own: one message, exit code 1, and the same command goes on."""

import ctypes
import os
import shlex
import subprocess

from .conftest import boneage
from .processes import COMMAND
from .run_files import files

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def in_new_mounts(script: str, timeout: int = 400) -> list[str]:
    """Runs a shell script that may mount what it likes; nobody else sees it.

    Returns:
        The lines that it printed.
    """
    as_root = [] if os.getuid() == 0 else ["--map-root-user"]
    done = subprocess.run(
        ["unshare", "--mount", *as_root, "sh", "-euc", script],
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def one_message(text: str, reason: str) -> bool:
    """Whether the last line tells the reason, and no traceback and no second message is there."""
    told = [line for line in text.splitlines() if line.startswith("boneage: ")]
    return len(told) == 1 and reason in told[0] and "Traceback" not in text


def test_a_full_disk_is_one_message_and_the_run_goes_on_when_there_is_room(run_folder, settings, tmp_path):
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    call = shlex.join([*COMMAND, "run", "all", "--config", str(settings), "--out", f"{disk}/run"])
    sizes = ("40k", "900k", "64m")
    lines = in_new_mounts(
        f"mount -t tmpfs -o size=40k disk {disk}\n"
        f"for size in {' '.join(sizes)}; do\n"
        f"  mount -o remount,size=$size {disk}\n"
        f"  code=0; {call} 2>{tmp_path}/$size.log || code=$?\n"
        "  echo code $code\n"
        "done\n"
        f"cp -r {disk}/run {copy}\n"
    )
    codes = [int(line.split()[1]) for line in lines if line.startswith("code ")]
    assert set(codes[:2]) == {1}
    assert codes[-1] == 0
    for size, code in zip(sizes, codes, strict=True):
        text = (tmp_path / f"{size}.log").read_text()
        assert "Traceback" not in text
        assert code == 0 or one_message(text, "No space left on device"), text
    assert files(copy) == files(run_folder)


def test_a_read_only_disk_is_one_message(settings, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    call = shlex.join([*COMMAND, "run", "all", "--config", str(settings), "--out", f"{disk}/run"])
    (line,) = in_new_mounts(
        f"mount -t tmpfs -o ro disk {disk}; code=0; {call} 2>{tmp_path}/log || code=$?; echo code $code"
    )
    assert line == "code 1"
    assert one_message((tmp_path / "log").read_text(), "Read-only file system")


def test_a_folder_without_permission_is_one_message(settings, tmp_path):
    folder = tmp_path / "not mine"
    folder.mkdir(mode=0o555)
    done = subprocess.run(
        [*COMMAND, "run", "all", "--config", str(settings), "--out", str(folder / "run")],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        preexec_fn=obey_permissions,
    )
    assert done.returncode == 1
    assert one_message(done.stderr, "Permission denied")
    assert not list(folder.iterdir())


def obey_permissions() -> None:
    """Takes root's right to write everywhere from the program that is started next."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_an_output_that_is_a_file_is_one_message(settings, tmp_path):
    (tmp_path / "run").write_text("something else")
    done = boneage("run", "all", "--config", settings, "--out", tmp_path / "run")
    assert done.code == 1
    assert one_message(done.err, "File exists")
