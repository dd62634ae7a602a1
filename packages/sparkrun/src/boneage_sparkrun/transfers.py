"""Many files at once: what waits for servers, waits in several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
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
    failures: list[BaseException] = []

    def call(item: _Item) -> _Result | None:
        if failures:
            return None
        try:
            return function(item)
        except BaseException as error:
            failures.append(error)
            raise

    with ThreadPoolExecutor(threads) as pool:
        tasks = [pool.submit(call, item) for item in items]
        try:
            wait(tasks)
        except BaseException as error:  # Ctrl-C: nothing new is begun
            failures.append(error)
    if failures:
        raise failures[0]
    return [task.result() for task in tasks]  # type: ignore[misc]
