"""What TensorBoard gets to read, read back by TensorFlow's own reader."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boneage_sparkrun.event_log import tensorboard_events

# What is said of devices must be said before TensorFlow starts.
pytestmark = pytest.mark.usefixtures("strategy")

FIGURE = st.floats(-1e6, 1e6, width=32)
EPOCHS = st.lists(st.tuples(FIGURE, FIGURE, FIGURE), min_size=1, max_size=5)


def told(figures):
    return [
        {"kind": "epoch", "epoch": 1 + n, "loss": loss, "metrics": {"val_loss": val}, "rows_per_second": rate}
        | {"ended_at": 1.7e9 + n}
        for n, (loss, val, rate) in enumerate(figures)
    ]


@settings(max_examples=20, deadline=None)
@given(EPOCHS)
def test_every_figure_comes_back_under_its_epoch(tmp_path_factory, figures):
    import tensorflow as tf

    file = tmp_path_factory.mktemp("events") / "events.tfevents.log"
    file.write_bytes(tensorboard_events(told(figures)))
    version, *events = tf.compat.v1.train.summary_iterator(str(file))
    assert version.file_version == "brain.Event:2"
    assert [(event.step, event.wall_time) for event in events] == [
        (1 + n, 1.7e9 + n) for n in range(len(figures))
    ]
    back = [{value.tag: value.simple_value for value in event.summary.value} for event in events]
    assert back == [{"loss": loss, "val_loss": val, "rows_per_second": rate} for loss, val, rate in figures]


def test_a_longer_training_has_the_shorter_ones_beginning():
    figures = [(0.5, 0.6, 10.0), (0.4, 0.5, 11.0)]
    assert tensorboard_events(told(figures)).startswith(tensorboard_events(told(figures[:1])))
