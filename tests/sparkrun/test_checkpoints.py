from dataclasses import replace

import numpy as np
import pytest
from sparkrun_recipe import SumRecipe

from boneage_sparkrun import CheckpointError, Checkpoints
from boneage_sparkrun.checkpoints import Checkpoint, Position, recipe_digest


def checkpoint(epochs, digest="d"):
    history = [
        {"epoch": epoch, "loss": 1 / epoch, "val_loss": float("inf")} for epoch in range(1, epochs + 1)
    ]
    arrays = {
        "trainable": [np.arange(6, dtype=np.float32).reshape(2, 3) * epochs, np.float32(0.5).reshape(())],
        "averages": [],
        "optimizer": [np.array(epochs, np.int64)],
    }
    return Checkpoint(digest, history, epochs, arrays)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_comes_back_and_only_some_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path / "run", keep=2)
    assert checkpoints.load("d") is None
    for epochs in (1, 2, 3):
        checkpoints.save(checkpoint(epochs))
    assert names(tmp_path / "run") == ["checkpoint-000002-00000000.npz", "checkpoint-000003-00000000.npz"]
    back, saved = Checkpoints((tmp_path / "run").as_uri()).load("d"), checkpoint(3)
    assert (back.digest, back.history, back.best_epoch) == ("d", saved.history, 3)
    for name, arrays in saved.arrays.items():
        assert len(arrays) == len(back.arrays[name])
        for one, other in zip(arrays, back.arrays[name], strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other, strict=True)
    checkpoints.clear()
    assert names(tmp_path / "run") == []


def test_what_was_reached_within_an_epoch_comes_after_its_begin(tmp_path):
    checkpoints = Checkpoints(tmp_path, every_steps=5)
    places = [
        (2, Position()),
        (2, Position(5, 40, 2.5, 0.1)),
        (2, Position(10, 80, 4.5, 0.2)),
        (3, Position()),
    ]
    for epochs, position in places:
        checkpoints.save(replace(checkpoint(epochs), position=position))
        assert checkpoints.load("d").position == position
        assert len(checkpoints.load("d").history) == epochs
    assert names(tmp_path) == ["checkpoint-000002-00000010.npz", "checkpoint-000003-00000000.npz"]
    assert [step for step in range(1, 12) if checkpoints.is_due_within(step)] == [5, 10]
    assert not Checkpoints(tmp_path).is_due_within(5)


def test_the_same_state_is_the_same_file(tmp_path):
    for name in "ab":
        Checkpoints(tmp_path / name).save(checkpoint(2))
    one, two = (tmp_path / name / "checkpoint-000002-00000000.npz" for name in "ab")
    assert one.read_bytes() == two.read_bytes()


def test_a_reader_never_writes(tmp_path):
    Checkpoints(tmp_path, keep=1).save(checkpoint(1))
    reader = Checkpoints(tmp_path, keep=1, read_only=True)
    reader.save(checkpoint(2))
    reader.clear()
    assert names(tmp_path) == ["checkpoint-000001-00000000.npz"]
    assert not reader.is_due(1)
    assert reader.load("d").best_epoch == 1


def test_every_counts_epochs(tmp_path):
    assert [Checkpoints(tmp_path, every=3).is_due(epoch) for epoch in range(1, 7)] == [False, False, True] * 2


def test_another_recipes_is_refused(tmp_path):
    Checkpoints(tmp_path).save(checkpoint(1, "one"))
    with pytest.raises(CheckpointError, match="another recipe") as caught:
        Checkpoints(tmp_path).load("other")
    assert caught.value.uri.endswith("checkpoint-000001-00000000.npz")


def test_a_damaged_one_is_refused(tmp_path):
    Checkpoints(tmp_path).save(checkpoint(1))
    path = tmp_path / "checkpoint-000001-00000000.npz"
    whole = path.read_bytes()
    for data in (b"", whole[:40], whole[:-30], whole[: len(whole) // 2], b"\x93NUMPY" + whole):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"damaged or no checkpoint"):
            Checkpoints(tmp_path).load("d")
    np.savez(path, other=np.zeros(3))
    with pytest.raises(CheckpointError, match="damaged"):
        Checkpoints(tmp_path).load("d")


def test_pickled_arrays_are_never_loaded(tmp_path):
    np.savez(tmp_path / "checkpoint-000001-00000000.npz", meta=np.array([{"version": 1}], object))
    with pytest.raises(CheckpointError, match="allow_pickle"):
        Checkpoints(tmp_path).load("d")


@pytest.mark.parametrize("settings", [{"keep": 0}, {"every": 0}])
def test_senseless_settings_are_refused(tmp_path, settings):
    with pytest.raises(CheckpointError, match="received"):
        Checkpoints(tmp_path, **settings)


def test_the_digest_tells_recipes_apart():
    recipe = SumRecipe()
    assert recipe_digest(recipe, 5) == recipe_digest(SumRecipe(), 5)
    others = [
        recipe_digest(recipe, 6),
        *(
            recipe_digest(replace(recipe, **change), 5)
            for change in ({"seed": 4}, {"rate": 0.1}, {"epochs": 9})
        ),
    ]
    assert len({recipe_digest(recipe, 5), *others}) == 5


def test_a_plain_object_is_a_recipe_too():
    class Plain:
        def __init__(self, rate):
            self.rate = rate

    assert recipe_digest(Plain(1), 5) == recipe_digest(Plain(1), 5) != recipe_digest(Plain(2), 5)
