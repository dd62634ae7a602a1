"""Where a run works: this machine, or a Spark cluster. The stages are the same."""

from __future__ import annotations

from pathlib import Path

from boneage_cli.errors import CallError
from boneage_sparkrun.engine import Engine, LocalEngine

__all__ = ["make_engine"]


def make_engine(
    kind: str,
    *,
    workers: int = 0,
    master: str | None = None,
    total_cores: int | None = None,
    cores_per_worker: int | None = None,
    environment: str | None = None,
    spark_conf: list[str] | None = None,
    allow_fewer: bool = False,
    log: Path | None = None,
) -> Engine:
    """Makes the engine that the command line asks for.

    Args:
        kind: local or spark.
        workers: Processes of the local one; 0: one per core.
        master: The cluster's URL; None: spark-submit has said it.
        total_cores: Slots to take.
        cores_per_worker: Of each executor.
        environment: The archive that `boneage pack-env` wrote; None: workers have this Python at this path.
        spark_conf: KEY=VALUE, Spark's own settings.
        allow_fewer: Begin with fewer slots than total_cores, where the cluster has no more.
        log: A file for what Spark tells.

    Raises:
        CallError: A setting does not fit the engine, or is no KEY=VALUE.
    """
    if kind == "local":
        given = {
            "--master": master,
            "--total-cores": total_cores,
            "--cores-per-worker": cores_per_worker,
            "--environment": environment,
            "--spark-conf": spark_conf,
            "--allow-fewer-workers": allow_fewer or None,
        }
        for name, value in given.items():
            if value is not None:
                raise CallError(f"received {name} without --engine spark; both or neither would do")
        return LocalEngine(workers or None)
    if workers:
        raise CallError("received --workers with --engine spark; --total-cores would do")
    from boneage_sparkrun.driver import was_submitted
    from boneage_sparkrun.spark_engine import SparkEngine
    from boneage_sparkrun.spark_session import SparkSettings

    if master is None and not was_submitted():
        raise CallError("received --engine spark without --master; spark://host:7077 or yarn would do")
    return SparkEngine(
        SparkSettings(
            master=master,
            total_cores=total_cores,
            cores_per_worker=cores_per_worker,
            archive=environment,
            conf=dict(_setting(text) for text in spark_conf or []),
            log=log,
            allow_fewer=allow_fewer,
        )
    )


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise CallError(f"received --spark-conf {text}; KEY=VALUE would do")
    return key, value
