"""Feeding workers through TensorFlowOnSpark's queues, between processes: each row once, in its step, however parted."""

import multiprocessing
import threading
from multiprocessing.connection import wait

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflowonspark import TFManager

from boneage_sparkrun import ListFeed, TrainingError
from boneage_sparkrun.cluster_jobs import put_all
from boneage_sparkrun.cluster_node import Node, QueueFeed
from boneage_sparkrun.epoch_plan import EpochPlan

MOST_WORKERS = 3


def consume(address, key, pipe):
    """A training process that only takes: what it got of each epoch it is asked to want goes back."""
    feed = QueueFeed(Node(TFManager.connect(address, key)), 0)
    for epoch in iter(pipe.recv, None):
        pipe.send([[row["row"] for row in part] for part in feed.epoch(epoch)])


class Worker:
    """A manager with its queues, and a process that takes from them."""

    def __init__(self, index):
        key = f"worker {index}".encode()
        self.manager = TFManager.start(key, ["input", "error"])
        self.node = Node(self.manager)
        self.pipe, theirs = multiprocessing.Pipe()
        arguments = (self.manager.address, key, theirs)
        self.process = multiprocessing.get_context("fork").Process(
            target=consume, args=arguments, daemon=True
        )
        self.process.start()
        self.node.tell("pid", self.process.pid)
        self.granted = 0

    def feed(self, epoch, parts):
        """Waits for the next wish, which must be this epoch, and grants it."""
        wish = self.node.wait_for_wish(self.granted)
        assert (wish["wants"], wish["number"]) == ([epoch, 0], self.granted + 1)
        self.granted = wish["number"]
        put_all(self.node, self.granted, parts)


@pytest.fixture(scope="module")
def workers():
    started = [Worker(index) for index in range(MOST_WORKERS)]
    yield started
    for worker in started:
        worker.pipe.send(None)
        worker.process.join(30)
        worker.manager.shutdown()


PARTITIONS = st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(sum)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PARTITIONS, st.integers(1, MOST_WORKERS), st.integers(1, 9), st.integers(0, 2), st.integers(1, 3))
def test_each_row_reaches_one_worker_once_in_its_step(workers, partitions, count, batch_size, seed, epoch):
    rows = [{"row": index, "partition": p} for p, size in enumerate(partitions) for index in range(size)]
    rows = [row | {"row": index} for index, row in enumerate(rows)]
    plan = EpochPlan(len(rows), batch_size, count, seed)
    # As Spark does it: every partition sends each row to its worker, where they are sorted.
    places = plan.places(epoch).tolist()
    shuffled = [[] for _ in range(count)]
    for row in sorted(rows, key=lambda row: -row["partition"]):
        shuffled[plan.worker(places[row["row"]])].append((places[row["row"]], row))
    feeding = []
    for worker, keyed in zip(workers, shuffled, strict=False):
        worker.pipe.send(epoch)
        parts = plan.parts(sorted(keyed, key=lambda pair: pair[0]))
        feeding.append(threading.Thread(target=worker.feed, args=(epoch, parts)))
        feeding[-1].start()
    taken = []
    for worker in workers[:count]:
        assert wait([worker.pipe], 60)
        taken.append(worker.pipe.recv())
    for thread in feeding:
        thread.join()
    batches = [[row["row"] for row in batch] for batch in ListFeed(rows, batch_size, seed).epoch(epoch)]
    together = [[] for _ in batches]
    for parts in taken:
        for step, part in enumerate(parts):
            together[step] += part
    assert together == batches


def test_a_part_out_of_turn_is_refused(workers):
    node = workers[0].node
    for parts in ([(0, 1)], [(0, 0), (0, 0)], [(-1, 0)], [(1, 0)]):
        number = 1 + node.read("wish")["number"]
        for later, step in parts:
            node.put((number + later, step, []))
        with pytest.raises(TrainingError, match="was due"):
            list(node.parts([1, 0]))
        workers[0].granted = number


def test_a_training_process_that_has_died_is_noticed_by_who_feeds_it():
    worker = Worker(MOST_WORKERS)
    worker.process.kill()
    worker.process.join()
    with pytest.raises(TrainingError, match=f"process {worker.process.pid} of this worker has died"):
        put_all(worker.node, 1, ([{}] for _ in range(100)))
    with pytest.raises(TrainingError, match="has died"):
        worker.node.wait_for_wish(0)
    worker.manager.shutdown()
