"""Kills processes when the one that started them is gone: a program of its own, so that nothing can end it with them.

python guard.py STARTER PID...
"""

import os
import signal
import sys
import time
from pathlib import Path

_POLL_SECONDS = 0.5


def _born(pid: int) -> str | None:
    """When a process was started, which with its number names it; None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def guard(starter: int, pids: list[int]) -> None:
    """Waits for the starter's end, or that of all the others, and kills what is left."""
    first = _born(starter)
    guarded = {pid: born for pid in pids if (born := _born(pid)) is not None}
    while first is not None and _born(starter) == first:
        if not any(_born(pid) == born for pid, born in guarded.items()):
            return
        time.sleep(_POLL_SECONDS)
    for pid, born in guarded.items():
        if _born(pid) == born:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


if __name__ == "__main__":
    guard(int(sys.argv[1]), [int(pid) for pid in sys.argv[2:]])
