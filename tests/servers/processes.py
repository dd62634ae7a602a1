"""The processes of a set of servers: started with a log each, killed, and never outliving their starter."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from . import keeper

__all__ = ["QUICK_JAVA", "Processes", "ServerError", "free_port", "wait_until"]


QUICK_JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""Options of a Java that starts quickly and will not run for long."""


class ServerError(RuntimeError):
    """A server did not start, or ended by itself."""


class Processes:
    """Server processes that end with this one, even if that is killed: a keeper watches.

    Args:
        folder: For logs and what servers keep; made if it is not there.
        java_home: Passed on to all of them.
    """

    def __init__(self, folder: Path, java_home: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.java = java_home / "bin" / "java"
        self._mark = uuid.uuid4().hex
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        # Nothing of the starter's own settings leaks in but what a machine has.
        kept = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME")
        self.environment = {name: os.environ[name] for name in kept if name in os.environ}
        self.mark = {keeper.MARK: self._mark}  # in the environment of whatever shall end with the rest
        self.environment |= {"JAVA_HOME": str(java_home), **self.mark}
        command = (sys.executable, "-I", "-S", str(Path(keeper.__file__)), self._mark)
        self._keeper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def start(self, name: str, command: Sequence[object], environment: dict[str, str] | None = None) -> None:
        """Starts a server; its output goes to `<folder>/<name>.log`."""
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment or self.environment,
                start_new_session=True,
            )

    def run(self, name: str, command: Sequence[object]) -> None:
        """Runs a tool to its end."""
        self.start(name, command)
        if self._running.pop(name).wait(120):
            raise ServerError(f"{name} failed:\n{self.tail(name)}")

    def log(self, name: str) -> Path:
        """A server's log."""
        return self.folder / f"{name}.log"

    def tail(self, name: str) -> str:
        """The end of a server's log."""
        return self.log(name).read_text(errors="replace")[-3000:]

    def names(self) -> list[str]:
        """The servers that were started and not killed."""
        return list(self._running)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Kills a server with -9, or sends another signal to it."""
        self._running[name].send_signal(number)
        if number == signal.SIGKILL:
            self._running.pop(name).wait()

    def find(self, words: str) -> list[int]:
        """The process ids of this set whose command line has these words: executors, containers."""
        found = []
        for pid in keeper.marked(self._mark):
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if words in line:
                found.append(pid)
        return found

    def check(self) -> None:
        """Raises ServerError if a server has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ServerError(f"{name} ended with {process.returncode}:\n{self.tail(name)}")

    def stop(self) -> None:
        """Ends them all, and what they started."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(60)
        for process in self._running.values():
            process.wait(60)
        self._running.clear()

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses just now."""
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        return int(here.getsockname()[1])


def wait_until(ready: Callable[[], bool], processes: Processes, what: str, seconds: float = 120) -> None:
    """Waits until a server really answers.

    Raises:
        ServerError: A server ended, or it took longer.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if ready():
                return
        except OSError:
            pass  # it does not listen yet
        processes.check()
        if time.monotonic() > deadline:
            raise ServerError(f"{what} not ready after {seconds:.0f} s; logs in {processes.folder}")
        time.sleep(0.1)
