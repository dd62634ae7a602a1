"""How fast rows reach the workers of a training cluster: `python -m benchmarks.feed_speed [--rows 912]`.

Starts Spark with two workers of one core on this machine. In one run: the report's CNN at 256 x 256, fed by Spark and
from memory in turn (spark, memory, memory, spark; the first epoch of each left out); and feeding alone, rows of
256 x 256 as bytes and as Python's numbers (which is what the report's CSV rows were), with 1, 10 and 100 rows an item.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from benchmarks.feed_work import draw_row
from benchmarks.provenance import describe
from tests.servers.processes import Processes
from tests.servers.spark import Spark

from boneage_sparkrun import shard_name, write_shard
from boneage_sparkrun.cluster_training import ClusterTraining, train_on_cluster
from boneage_sparkrun.java import find_java_home
from boneage_sparkrun.spark_session import SparkSettings

WORKERS, SHARDS, BATCH, EPOCHS = 2, 8, 16, 3
PER_ITEM = (1, 10, 100)
NUMBERS_ROWS = 400  # a row of numbers is some 600 KB


def call(spark: Spark, folder: Path, function: str, batch_size: int, **config: object) -> dict:
    conf = {
        "spark.executor.memory": "1g",
        "spark.driver.memory": "512m",
        "spark.executorEnv.PYTHONPATH": str(Path(__file__).parents[1]),
    }
    training = ClusterTraining(
        function,
        [[str(folder / shard_name(index, SHARDS))] for index in range(SHARDS)],
        "benchmarks.feed_work:select",
        f"benchmarks.feed_work:{function}",
        batch_size=batch_size,
        config={"batch_size": batch_size, **config},
    )
    return train_on_cluster(training, SparkSettings(spark.uri, total_cores=WORKERS, conf=conf), recoveries=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=912)
    rows = parser.parse_args().rows
    print(f"{describe()}, {os.cpu_count()} cores", end="")
    print(f", load average at the start {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as name, Processes(Path(name), find_java_home()) as processes:
        folder = Path(name) / "rows"
        for index in range(SHARDS):
            write_shard(folder / shard_name(index, SHARDS), [draw_row(n) for n in range(index, 4000, SHARDS)])
        spark = Spark(processes, workers=WORKERS, memory="3g")
        tell_training(call(spark, folder, "train", BATCH, rows=rows, epochs=EPOCHS), rows)
        tell_feeding(spark, folder)
    print(f"\nload average at the end {os.getloadavg()[0]:.1f}")


def tell_training(seconds: dict[str, list[float]], rows: int) -> None:
    print(f"The report's CNN, 256 x 256, {WORKERS} workers, {rows} images an epoch, {BATCH} a step:\n")
    print("| fed from | images per second, by epoch | median |\n|---|---|---|")
    medians = {}
    for kind, each in seconds.items():
        rates = [rows / second for second in each]
        medians[kind] = statistics.median(rates)
        print(f"| {kind} | {', '.join(f'{rate:.1f}' for rate in rates)} | {medians[kind]:.1f} |")
    print(f"\nSpark over memory: {medians['spark'] / medians['memory']:.3f} (at least 0.9)\n", flush=True)


def tell_feeding(spark: Spark, folder: Path) -> None:
    print("Feeding alone, rows per second and worker:\n")
    print("| rows an item | bytes | Python's numbers | times |\n|---|---|---|---|")
    rates = {}
    for per_item in PER_ITEM:
        for numbers, rows in ((False, 4000), (True, NUMBERS_ROWS)):
            found = call(spark, folder, "take", per_item * WORKERS, rows=rows, numbers=numbers)
            rates[per_item, numbers] = found["rows_per_second"]
        ratio = rates[per_item, False] / rates[per_item, True]
        print(
            f"| {per_item} | {rates[per_item, False]:.0f} | {rates[per_item, True]:.0f} | {ratio:.1f} |",
            flush=True,
        )
    reports = rates[1, True]
    print(
        f"\nBytes, {PER_ITEM[1]} an item, over the report's way: {rates[PER_ITEM[1], False] / reports:.1f} (at least 5)"
    )


if __name__ == "__main__":
    main()
