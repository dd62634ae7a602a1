"""What the tasks of a training cluster's jobs do: read rows, and feed the worker on whose executor they run."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .cluster_node import Node, find_node
from .epoch_plan import EpochPlan
from .functions import find_function
from .mapping import merge_records
from .shards import read_shard

__all__ = ["Ask", "FeedEpoch", "FeedValidation", "Leave", "ReadRows", "put_all"]

_PER_PART = 32  # validation rows that travel together
Nodes = list[dict[str, Any]]
Answers = Iterator[dict[str, Any]]


@dataclass
class ReadRows:
    """Reads shards, and gives what is selected: (kind, row).

    Attributes:
        select: "module:function".
        config: For it.
        environment: What the driver knows of HDFS.
    """

    select: str
    config: dict[str, Any]
    environment: dict[str, str]

    def __call__(self, sources: Iterable[list[str]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields what is selected of every record."""
        os.environ.update(self.environment)
        select = find_function(self.select)
        for uris in sources:
            for record in merge_records([read_shard(uri) for uri in uris]):
                if (chosen := select(record, self.config)) is not None:
                    yield chosen


@dataclass
class Ask:
    """Asks the worker what it wants.

    Attributes:
        nodes: TensorFlowOnSpark's `cluster_info`.
    """

    nodes: Nodes

    def __call__(self, tasks: Iterable[int]) -> Answers:
        """Yields this worker's answer."""
        list(tasks)
        index, node = find_node(self.nodes)
        yield {"index": index, **node.wait_for_wish(0)}


@dataclass
class FeedEpoch:
    """Feeds the worker with an epoch, and waits for what it wants next.

    Attributes:
        nodes: TensorFlowOnSpark's `cluster_info`.
        number: Of the worker's wish.
        start: The steps of the epoch that are done.
        plan: Which row is in which step.
    """

    nodes: Nodes
    number: int
    start: int
    plan: EpochPlan

    def __call__(self, keyed: Iterable[tuple[int, dict[str, Any]]]) -> Answers:
        """Yields this worker's answer."""
        index, node = find_node(self.nodes)
        put_all(node, self.number, self.plan.parts(keyed), self.start)
        yield {"index": index, **node.wait_for_wish(self.number)}


@dataclass
class FeedValidation:
    """Feeds the worker with all validation rows.

    Attributes:
        nodes: TensorFlowOnSpark's `cluster_info`.
        number: Of the worker's wish.
        read: Reads the rows.
        sources: Where they are.
    """

    nodes: Nodes
    number: int
    read: ReadRows
    sources: list[list[str]]

    def __call__(self, tasks: Iterable[int]) -> Answers:
        """Yields this worker's answer."""
        list(tasks)
        index, node = find_node(self.nodes)
        rows = (row for kind, row in self.read(self.sources) if kind != "train")
        put_all(node, self.number, iter(lambda: list(itertools.islice(rows, _PER_PART)), []))
        yield {"index": index, **node.wait_for_wish(self.number)}


@dataclass
class Leave:
    """Tells the worker that all are done.

    Attributes:
        nodes: TensorFlowOnSpark's `cluster_info`.
    """

    nodes: Nodes

    def __call__(self, tasks: Iterable[int]) -> Answers:
        """Yields this worker's answer."""
        list(tasks)
        index, node = find_node(self.nodes)
        node.tell("leave", True)
        yield {"index": index, "number": 0, "done": True}


def put_all(node: Node, number: int, parts: Iterable[list[dict[str, Any]]], start: int = 0) -> None:
    """Feeds a worker with what it wanted, part by part, and says where that ends.

    Args:
        node: The worker's.
        number: Of its wish.
        parts: Of what it wants.
        start: The number of the first.
    """
    for step, rows in enumerate(parts, start):
        node.put((number, step, rows))
    node.put((number, -1, []))
