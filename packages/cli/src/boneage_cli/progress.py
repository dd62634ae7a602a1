"""What a person sees while the work goes on: rich bars on a terminal, plain lines elsewhere, on stderr."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Console

from boneage_cli.training_log import read_events
from boneage_sparkrun.errors import StorageError
from boneage_sparkrun.place import Place

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

__all__ = ["Progress"]

_POLL_SECONDS = 0.5
_QUIET_SECONDS = 20.0  # between two plain lines about one training


class Progress:
    """Shows stages, counts within them, and training epochs read from the logs that trainings write.

    Args:
        quiet: Show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False, markup=False)
        self._bars: Bars | None = None
        self._task: Any = None
        self._told = float("-inf")

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Shows one stage from its begin to its end, with the time it took."""
        started = time.monotonic()
        if not self.console.is_terminal:
            self.console.print(f"{name} ...")
        with self._bars_shown(name):
            yield
        self.console.print(f"{name}: done in {time.monotonic() - started:.1f} s")

    @contextlib.contextmanager
    def _bars_shown(self, name: str) -> Iterator[None]:
        if not self.console.is_terminal:
            yield
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bars

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self.console, transient=True) as self._bars:
            self._task = self._bars.add_task(name, total=None)
            try:
                yield
            finally:
                self._bars = None

    def count(self, done: int, total: int) -> None:
        """Tells how much of the present stage is done."""
        if self._bars is not None:
            self._bars.update(self._task, completed=done, total=total)

    def trained(self, event: dict[str, Any]) -> None:
        """Tells how far a training is; where there is no terminal, now and then.

        Args:
            event: What `boneage_sparkrun.training.fit` says of a step or an epoch.
        """
        done = (event["epoch"] - 1) * event["steps"] + event["step"]
        total = event["epochs"] * event["steps"]
        text = (
            f"epoch {event['epoch']} of {event['epochs']}, loss {event['loss']:.4g}, "
            f"{event['rows_per_second']:.1f} rows/s"
        )
        if self._bars is not None:
            self._bars.update(self._task, completed=done, total=total, description=text)
        elif time.monotonic() > self._told + _QUIET_SECONDS:
            self._told = time.monotonic()
            self.console.print(f"{text}; {done} of {total} steps")

    def skipped(self, name: str) -> None:
        """Tells that a stage was found done."""
        self.console.print(f"{name}: done already")

    def note(self, text: str) -> None:
        """Tells something in passing."""
        self.console.print(text)

    @contextlib.contextmanager
    def following(self, logs: list[Place], total_epochs: int) -> Iterator[None]:
        """Shows the epochs of trainings that write their events as JSON lines into these files.

        Args:
            logs: One file a training; they may not be there yet.
            total_epochs: Of all trainings together.
        """
        stop = threading.Event()
        thread = threading.Thread(target=self._follow, args=(logs, total_epochs, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _follow(self, logs: list[Place], total: int, stop: threading.Event) -> None:
        seen = 0
        while not stop.wait(_POLL_SECONDS):
            # What cannot be read now is read the next time.
            with contextlib.suppress(StorageError, ValueError):
                events = [event for log in logs for event in read_events(log)]
                if len(events) > seen:
                    seen = len(events)
                    self.count(seen, total)
