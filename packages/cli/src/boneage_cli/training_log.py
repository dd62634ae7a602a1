"""What a training tells of its epochs: a file of JSON lines, for the driver to show, and one for TensorBoard."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

from boneage_sparkrun.event_log import tensorboard_events
from boneage_sparkrun.place import Place

__all__ = ["EpochLog", "read_events"]


@dataclasses.dataclass(frozen=True)
class EpochLog:
    """Writes one JSON line an epoch, and TensorBoard's file anew; takes the events of `boneage_sparkrun.training.fit`.

    Attributes:
        place: The file, NAME.jsonl; TensorBoard's is tensorboard/NAME/events.tfevents.log beside it. What an earlier
            call, cut off, wrote of the epochs before stays.
    """

    place: Place

    def __call__(self, event: dict[str, Any]) -> None:
        """Notes an epoch that is done."""
        if event["kind"] == "epoch":
            kept = [line for line in read_events(self.place) if line["epoch"] < event["epoch"]]
            epochs = [*kept, {**event, "ended_at": time.time()}]
            self.place.write_bytes("".join(json.dumps(epoch) + "\n" for epoch in epochs).encode())
            self._tensorboard().write_bytes(tensorboard_events(epochs))

    def _tensorboard(self) -> Place:
        folder, _, name = self.place.uri.rpartition("/")
        return Place(folder) / f"tensorboard/{name.removesuffix('.jsonl')}/events.tfevents.log"


def read_events(log: Place) -> list[dict[str, Any]]:
    """The events of a training so far; none where there is no file yet."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
