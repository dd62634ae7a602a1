"""Training by several processes together, each with a part of the rows, as a cluster does it."""

import socket
from contextlib import ExitStack, closing

import numpy as np
import pytest
from sparkrun_recipe import SumRecipe, UnevenFeed, make_rows

from boneage_sparkrun import LocalEngine, fit


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.mark.usefixtures("strategy")
def test_two_uneven_workers_learn_each_row_once_and_agree():
    settings = {"epochs": 2, "batch_size": 4, "noisy": False, "averaging": 0.5}
    recipes = [{**settings, "kind": kind} for kind in ("dense", "rich")]
    ports, counts = free_ports(2), (11, 3)
    arguments = [
        {"ports": ports, "index": index, "rows": rows, "steps": 3, "recipes": recipes}
        for index, rows in enumerate(counts)
    ]
    first, second = LocalEngine(2).run("sparkrun_recipe:train_together", arguments)
    # Bit for bit, the moving statistics of "rich" among them.
    assert first == second
    assert first["dense"]["steps"] == [3, 3]
    parts = [make_rows(count, start=100 * index) for index, count in enumerate(counts)]
    together = [parts[0][:4] + parts[1], parts[0][4:8], parts[0][8:]]
    alone = fit(SumRecipe(**{**settings, "batch_size": 7}), Steps(together), validation=make_rows(10, 1000))
    losses = [entry["loss"] for entry in alone.history]
    assert first["dense"]["losses"] == pytest.approx(losses, abs=1e-6)
    for one, other in zip(first["dense"]["weights"], alone.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


class Steps(UnevenFeed):
    """Batches as they are given."""

    def __init__(self, batches):
        super().__init__([], 1, len(batches))
        self.batches = batches

    def epoch(self, _epoch, start=0):
        yield from self.batches[start:]
