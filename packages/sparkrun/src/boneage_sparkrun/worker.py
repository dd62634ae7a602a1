"""The other end of the pool: a process that takes tasks from a pipe until it is closed."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

from .functions import find_function

__all__ = ["main"]


def main() -> None:
    """Serves the pipe whose number is the first argument; the second is the parent's process id."""
    pipe: Connection[Any, Any] = Connection(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent ends its workers.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_follow_parent, args=(int(sys.argv[2]),), daemon=True).start()
    try:
        sys.path[:] = pipe.recv()
        while True:
            function, argument = pipe.recv()
            _answer(pipe, function, argument)
    except (EOFError, ConnectionError):
        return


def _answer(pipe: Connection[Any, Any], function: str, argument: dict[str, Any]) -> None:
    try:
        pipe.send((find_function(function)(argument), None, ""))
    except ConnectionError:
        raise
    except BaseException as error:
        # Also SystemExit, and a result that cannot be sent: the parent decides what follows.
        pipe.send((None, f"{type(error).__name__}: {error}", traceback.format_exc()))


def _follow_parent(parent: int) -> None:
    """Ends this process when the parent is gone, in the middle of a task too."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
