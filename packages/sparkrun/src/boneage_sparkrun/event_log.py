"""A training's epochs as TensorBoard reads them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["tensorboard_events"]


def tensorboard_events(epochs: Iterable[dict[str, Any]]) -> bytes:
    """Makes an event file: TensorBoard shows it under a name with "tfevents" in it.

    More epochs give a file that begins with the same bytes, so that one that is being watched can be replaced.

    Args:
        epochs: What `boneage_sparkrun.training.fit` says of epochs that are done, each with ended_at (seconds since
            1970).

    Returns:
        TFRecords of tensorflow.Event: loss, rows_per_second and each metric, by epoch.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events"
        with tf.io.TFRecordWriter(str(file)) as writer:
            for number, epoch in enumerate(epochs):
                if number == 0:
                    version = tf.compat.v1.Event(wall_time=epoch["ended_at"], file_version="brain.Event:2")
                    writer.write(version.SerializeToString())
                figures = {
                    "loss": epoch["loss"],
                    "rows_per_second": epoch["rows_per_second"],
                    **epoch["metrics"],
                }
                values = [tf.compat.v1.Summary.Value(tag=name, simple_value=v) for name, v in figures.items()]
                event = tf.compat.v1.Event(
                    wall_time=epoch["ended_at"],
                    step=epoch["epoch"],
                    summary=tf.compat.v1.Summary(value=values),
                )
                writer.write(event.SerializeToString())
        return file.read_bytes()
