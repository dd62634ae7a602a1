"""The commands around a Spark cluster: a look at it, and the environment for its workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boneage_sparkrun.engine import Engine

__all__ = ["look_at_cluster", "pack"]

# What a worker needs for the stages that treat each case by itself.
_NEEDED = (
    "boneage-cli",
    "boneage-imaging",
    "boneage-regression",
    "boneage-segmentation",
    "boneage-sparkrun",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pyarrow",
)
_BYTES_PER_GIB = 1 << 30


def look_at_cluster(engine: Engine, folders: list[str]) -> tuple[dict[str, Any], list[str], bool]:
    """Looks at a cluster; see `boneage_sparkrun.cluster_check`.

    Returns:
        What was found: for machines, for people, and whether anything stands in the way.
    """
    from boneage_sparkrun.cluster_check import check_cluster
    from boneage_sparkrun.spark_engine import SparkEngine

    if not isinstance(engine, SparkEngine):
        raise TypeError(f"received {type(engine).__name__}; a SparkEngine would do")
    facts, wrong = check_cluster(engine, distributions=_NEEDED, folders=folders)
    lines = [
        f"{facts['slots']} slots on {facts['executors']} executors",
        f"{_gib(facts['executor_memory_bytes'])} for the Java of each executor",
        *dict.fromkeys(_line(worker) for worker in facts["workers"] if not worker["failure"]),
        *(f"{folder}: written and read by the driver and every worker" for folder in folders if not wrong),
        *wrong,
        "ready" if not wrong else f"{len(wrong)} things stand in the way",
    ]
    return {**facts, "wrong": wrong}, lines, bool(wrong)


def _line(worker: dict[str, Any]) -> str:
    versions = ", ".join(
        f"{name} {worker[key]}"
        for name, key in (("Python", "python"), ("Java", "java"), ("Spark", "spark"))
        if worker[key]
    )
    return f"{worker['host']}: {versions}, {_gib(worker['memory_bytes'])} of memory"


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / _BYTES_PER_GIB:.1f} GiB"


def pack(out: Path, *, training: bool) -> tuple[dict[str, Any], list[str]]:
    """Packs the environment; see `boneage_sparkrun.packing`."""
    from boneage_sparkrun.packing import pack_environment

    extras = "dicom,spark,train" if training else "spark"
    packed = pack_environment(out, [f"boneage-cli[{extras}]"])
    size = out.stat().st_size
    lines = [
        f"{len(packed)} distributions packed into {out}, {size / 1e6:.0f} MB",
        f"boneage run all --engine spark --environment {out} gives it to the workers",
    ]
    return {"archive": str(out), "bytes": size, "distributions": packed}, lines
