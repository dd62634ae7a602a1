"""Commands that are killed at a chosen moment, and what they leave behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

COMMAND = (sys.executable, "-c", "from boneage_cli.main import main; main()")
_PATIENCE_SECONDS = 240.0


def start(arguments: tuple[object, ...], log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Starts the command in a session of its own, with what it says in a file."""
    with log.open("wb") as file:
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env={**os.environ, **environment},
            # A shell that starts tests in the background has SIGINT ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )


def wait_for(moment: Callable[[], bool], what: str) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not moment():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def left_behind(session: int) -> list[int]:
    """The processes of a session that are still at work."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, _, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(its_session) == session and state != "Z":
                found.append(int(folder.name))
    return found
