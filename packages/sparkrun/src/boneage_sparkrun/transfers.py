"""Many files at once: what waits for servers, waits in several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

__all__ = ["transfer"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def transfer(function: Callable[[_Item], _Result], items: Iterable[_Item], threads: int = 8) -> list[_Result]:
    """Calls a function with each item, in several threads: to read or write many files.

    Args:
        function: Reads or writes one; holds no more in memory than that one.
        items: What it takes.
        threads: How many at a time.

    Returns:
        What it returned, in the order of the items.

    Raises:
        Exception: The first that the function raised; those that had not begun are left then.

    >>> transfer(lambda name: len(name), ["a", "bb"], threads=2)
    [1, 2]
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1; received {threads}")
    pool = ThreadPoolExecutor(threads)
    try:
        tasks = [pool.submit(function, item) for item in items]
        done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
        for task in done:
            task.result()
        return [task.result() for task in tasks]
    finally:
        pool.shutdown(cancel_futures=True)
