"""The Java process of Spark's driver: one for all applications of this process, quiet, and ended when it hangs."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .errors import EngineError

__all__ = ["ended_after", "start_driver", "was_submitted"]


def start_driver(conf: Any, log: Path | None) -> None:
    """Starts the process if there is none; what it says on standard error goes to the log.

    Args:
        conf: The pyspark.SparkConf of the first application.
        log: A file to write on; None: it is told only if the start fails.

    Raises:
        EngineError: It did not start, or the log cannot be written.
    """
    from pyspark import SparkContext
    from pyspark.java_gateway import launch_gateway

    if SparkContext._gateway is not None:
        return
    with _open_log(log) as said:
        start = said.seek(0, os.SEEK_END)
        try:
            SparkContext._gateway = launch_gateway(conf, {"stderr": said})
        except Exception as error:
            said.seek(start)
            reason = _reason(said.read().decode(errors="replace").splitlines()) or str(error).splitlines()[0]
            raise EngineError(f"Spark did not start on {conf.get('spark.master')}: {reason}") from error
    SparkContext._jvm = SparkContext._gateway.jvm
    if not was_submitted():
        _forget(conf, SparkContext._jvm)


def was_submitted() -> bool:
    """Whether spark-submit has started this process, and so knows the master."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _forget(conf: Any, jvm: Any) -> None:
    """Takes the first application's settings back: as properties of the process all later ones would have them."""
    for key, _ in conf.getAll():
        jvm.java.lang.System.clearProperty(key)


def _open_log(log: Path | None) -> IO[bytes]:
    if log is None:
        return tempfile.TemporaryFile()
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("a+b")
    except OSError as error:
        raise EngineError(f"cannot write the log {log}: {error.strerror}") from error


def _reason(lines: list[str]) -> str:
    """The first line that is no warning, no dated line of the log, and no part of a stack."""
    words = (line for line in lines if line.strip() and not line[0].isspace() and not line[0].isdigit())
    reason = next((line.strip() for line in words if not line.startswith("WARNING")), "")
    return re.sub(r'^Exception in thread "\S+" ([\w.$]+: )?', "", reason)


@contextlib.contextmanager
def ended_after(seconds: float | None) -> Iterator[threading.Event]:
    """Ends the process if the context lasts longer: what waits for its answer gets an error then.

    Args:
        seconds: How long; None: for ever.

    Yields:
        Set when it was ended.
    """
    ended = threading.Event()
    timer = threading.Timer(seconds or 0, _end, [ended])
    timer.daemon = True
    if seconds is not None:
        timer.start()
    try:
        yield ended
    finally:
        timer.cancel()


def _end(ended: threading.Event) -> None:
    from pyspark import SparkContext

    gateway: Any = SparkContext._gateway
    if gateway is not None and gateway.proc is not None:
        ended.set()
        gateway.proc.kill()
        SparkContext._gateway = SparkContext._jvm = None
