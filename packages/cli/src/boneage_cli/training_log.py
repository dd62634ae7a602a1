"""What a training tells of its epochs: a file of JSON lines, for the driver to show and a person to read."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from boneage_sparkrun.place import Place

__all__ = ["EpochLog", "read_events"]


@dataclasses.dataclass(frozen=True)
class EpochLog:
    """Writes one JSON line an epoch; takes the events of `boneage_sparkrun.training.fit`.

    Attributes:
        place: The file. What an earlier call, cut off, wrote of the epochs before stays.
    """

    place: Place

    def __call__(self, event: dict[str, Any]) -> None:
        """Notes an epoch that is done."""
        if event["kind"] == "epoch":
            kept = [line for line in read_events(self.place) if line["epoch"] < event["epoch"]]
            lines = (json.dumps(line) + "\n" for line in [*kept, event])
            self.place.write_bytes("".join(lines).encode())


def read_events(log: Place) -> list[dict[str, Any]]:
    """The events of a training so far; none where there is no file yet."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
