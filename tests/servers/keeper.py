"""Ends all processes of a set of servers when the one that started them is gone, however it went.

Run as a program with the mark that the processes bear in their environment; standard input is the starter's
end of a pipe. The mark finds what servers start themselves, too: Spark's executors, YARN's containers.
"""

import os
import signal
import sys
import time
from pathlib import Path

MARK = "BONEAGE_SERVERS"


def marked(mark: str) -> list[int]:
    """The processes that bear this mark, without this one."""
    entry = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                if entry in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:
                continue  # it ended meanwhile, or is not ours
    return found


def end(mark: str) -> None:
    """Kills until none is left: one may just be starting another."""
    while pids := marked(mark):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()  # until the starter closes it, or dies
    end(sys.argv[1])
