"""What a training writes of its epochs, and what a person sees of it."""

from boneage_cli.progress import Progress
from boneage_cli.training_log import EpochLog, read_events
from boneage_sparkrun.place import Place


def event(epoch: int, kind: str = "epoch", step: int = 4) -> dict[str, object]:
    said = {"kind": kind, "epoch": epoch, "epochs": 3, "step": step, "steps": 4, "loss": 0.25}
    return {**said, "metrics": {"val_loss": 0.5}, "rows_per_second": 12.0}


def test_each_epoch_is_a_line_and_a_point_for_tensorboard(tmp_path):
    import tensorflow as tf

    log = EpochLog(Place(tmp_path / "training-0.jsonl"))
    for said in (event(1), event(2, "step", 1), event(2), event(3), event(2)):  # cut off, and gone on
        log(said)
    assert [line["epoch"] for line in read_events(log.place)] == [1, 2]
    file = tmp_path / "tensorboard" / "training-0" / "events.tfevents.log"
    assert [point.step for point in tf.compat.v1.train.summary_iterator(str(file))] == [0, 1, 2]


def test_without_a_terminal_a_training_is_told_of_now_and_then(capsys):
    progress = Progress()
    for step in (1, 2):
        progress.trained(event(2, "step", step))
    assert capsys.readouterr().err == "epoch 2 of 3, loss 0.25, 12.0 rows/s; 5 of 12 steps\n"
