"""Runs record functions and Keras training, here or on a cluster; reads and writes local folders and HDFS."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoints import Checkpoints
    from .engine import Engine, LocalEngine, MapResult, MapTask
    from .errors import (
        CheckpointError,
        EngineError,
        ShardError,
        SparkrunError,
        StorageError,
        TrainingError,
    )
    from .feed import Feed, ListFeed
    from .recipes import Recipe
    from .shards import Record, read_shard, shard_name, shard_uris, write_shard
    from .storage import FileStatus, Storage, join, open_storage
    from .threads import limit_threads
    from .training import FitResult, fit
    from .transfers import transfer

__all__ = [
    "CheckpointError",
    "Checkpoints",
    "Engine",
    "EngineError",
    "Feed",
    "FileStatus",
    "FitResult",
    "ListFeed",
    "LocalEngine",
    "MapResult",
    "MapTask",
    "Recipe",
    "Record",
    "ShardError",
    "SparkrunError",
    "Storage",
    "StorageError",
    "TrainingError",
    "fit",
    "join",
    "limit_threads",
    "open_storage",
    "read_shard",
    "shard_name",
    "shard_uris",
    "transfer",
    "write_shard",
]

_HOMES = {
    "checkpoints": ["Checkpoints"],
    "engine": ["Engine", "LocalEngine", "MapResult", "MapTask"],
    "errors": [name for name in __all__ if name.endswith("Error")],
    "feed": ["Feed", "ListFeed"],
    "recipes": ["Recipe"],
    "shards": ["Record", "read_shard", "shard_name", "shard_uris", "write_shard"],
    "storage": ["FileStatus", "Storage", "join", "open_storage"],
    "threads": ["limit_threads"],
    "training": ["FitResult", "fit"],
    "transfers": ["transfer"],
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f".{home}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
