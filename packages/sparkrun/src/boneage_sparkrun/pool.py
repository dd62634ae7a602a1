"""A pool of worker processes without threads: a dead worker is an error at once, never a wait.

Workers are fresh Python processes that import the task's module by name. They never import the caller's main
script, so that needs no guard, and what it imports stays out of them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from .errors import EngineError
from .functions import find_function

__all__ = ["TaskProgress", "run_tasks"]

TaskProgress = Callable[[int, int], None]
_PATIENCE_SECONDS = 5.0


def run_tasks(
    function: str,
    arguments: Sequence[dict[str, Any]],
    *,
    workers: int,
    environment: Mapping[str, str],
    progress: TaskProgress | None = None,
) -> list[Any]:
    """Calls a function once per argument.

    Args:
        function: "module:function"; it is called with one dict.
        arguments: The dicts.
        workers: Processes; 1: all is done in this process.
        environment: Added to the workers' environment.
        progress: Called with (done, total) at the start and after each task.

    Returns:
        The results, in the arguments' order.

    Raises:
        EngineError: A task failed (the worker's traceback is in the message) or a worker died.
    """
    find_function(function)
    report = progress or _ignore
    report(0, len(arguments))
    if workers == 1:
        return _run_here(function, arguments, report)
    if os.name != "posix":
        raise EngineError("several workers need Linux or macOS; workers=1 does everything in this process")
    pool: list[_Worker] = []
    try:
        return _run_in_pool(pool, function, arguments, min(workers, len(arguments)), environment, report)
    except BaseException:
        for worker in pool:
            # Not SIGTERM, which TensorFlow may catch. Files are whole or not there at all, so this is safe.
            worker.process.kill()
        raise
    finally:
        for worker in pool:
            worker.pipe.close()  # The end of the pipe is the end of the work.
        for worker in pool:
            worker.end()


def _ignore(_done: int, _total: int) -> None:
    pass


def _run_here(function: str, arguments: Sequence[dict[str, Any]], report: TaskProgress) -> list[Any]:
    results = []
    for index, argument in enumerate(arguments):
        try:
            results.append(find_function(function)(argument))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise _failure(function, index, len(arguments), reason, traceback.format_exc()) from error
        report(len(results), len(arguments))
    return results


def _run_in_pool(
    pool: list[_Worker],
    function: str,
    arguments: Sequence[dict[str, Any]],
    workers: int,
    environment: Mapping[str, str],
    report: TaskProgress,
) -> list[Any]:
    total, done = len(arguments), 0
    results: list[Any] = [None] * total
    waiting = iter(enumerate(arguments))
    for _ in range(workers):
        pool.append(_start_worker(environment))
        pool[-1].give(function, next(waiting), total)
    while done < total:
        for worker in _ready(pool):
            result, reason, details = worker.take(function, total)
            if reason is not None:
                raise _failure(function, worker.task, total, reason, details)
            results[worker.task] = result
            done += 1
            report(done, total)
            worker.give(function, next(waiting, None), total)
    return results


def _ready(pool: Sequence[_Worker]) -> list[_Worker]:
    """Waits for workers that have answered or died."""
    busy = {worker.pipe: worker for worker in pool if worker.task >= 0}
    while True:
        # A dead worker's pipe ends at once, unless a process of its own still holds it: so look, too.
        answered = wait(list(busy), timeout=1.0)
        ready = [
            worker for pipe, worker in busy.items() if pipe in answered or worker.process.poll() is not None
        ]
        if ready:
            return ready


@dataclass
class _Worker:
    """One process and this end of its pipe; task is -1 while it has none."""

    process: subprocess.Popen[bytes]
    pipe: Connection[Any, Any]
    task: int = -1

    def give(self, function: str, task: tuple[int, dict[str, Any]] | None, total: int) -> None:
        if task is None:
            self.task = -1
            return
        self.task, argument = task
        try:
            self.pipe.send((function, argument))
        except ConnectionError as error:
            raise self._death(function, total) from error
        except Exception as error:
            raise EngineError(
                f"the argument of task {self.task + 1} of {total} of {function} cannot be sent: {error}"
            ) from error

    def take(self, function: str, total: int) -> tuple[Any, str | None, str]:
        if self.process.poll() is not None and not self.pipe.poll():
            raise self._death(function, total)
        try:
            answer: tuple[Any, str | None, str] = self.pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise self._death(function, total) from error
        return answer

    def _death(self, function: str, total: int) -> EngineError:
        try:
            code = self.process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            how = "closed its pipe"
        else:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return EngineError(
            f"a worker process {how} in task {self.task + 1} of {total} of {function}; "
            "too little memory is a common cause: fewer workers may help"
        )

    def end(self) -> None:
        try:
            self.process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _start_worker(environment: Mapping[str, str]) -> _Worker:
    ours, theirs = Pipe()
    # A terminal's Ctrl-C reaches all its processes; until a worker has said that it ignores it, it waits.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = subprocess.Popen(  # noqa: S603 - this very Python and a module of ours
            # -P: the folder that happens to be the current one is no place to import from.
            [sys.executable, "-P", "-m", f"{__package__}.worker", str(theirs.fileno()), str(os.getpid())],
            env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=2,  # A worker's chatter must not mix with what the caller prints for machines.
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
    worker = _Worker(process, ours)
    try:
        ours.send(sys.path)
    except ConnectionError as error:
        raise worker._death("(start)", 0) from error
    return worker


def _failure(function: str, task: int, total: int, reason: str, details: str) -> EngineError:
    return EngineError(f"{reason} (in task {task + 1} of {total} of {function})", details)
