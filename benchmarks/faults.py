"""A training on a cluster with each of its parts killed once with -9, at a random step: what became of it.

    python -m benchmarks.faults [--seed N] [VICTIM ...]

Starts HDFS (two DataNodes) and Spark (three workers of one core, two of them trained on) on this machine. Rows and
checkpoints are on HDFS. Each training has 3 epochs of 20 steps of 8 rows, a checkpoint every 5 steps, SGD; the kill
comes at a step between 20 and 80 % of the second epoch. Ends with 1 if anything is not as it must be.
"""

import io
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks.provenance import describe
from tests.servers.hdfs import Hdfs
from tests.servers.processes import Processes
from tests.servers.spark import Spark

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "sparkrun"))

from sparkrun_recipe import make_rows  # noqa: E402
from tests.sparkrun.spark.disturbed import Kill, Story, Trial  # noqa: E402

from boneage_sparkrun import join, open_storage, shard_name, write_shard  # noqa: E402
from boneage_sparkrun.java import find_java_home  # noqa: E402

# The worker daemon is last: nobody starts it again, and the spare one takes its place.
VICTIMS = ("executor", "training process", "feeding worker", "DataNode", "driver", "worker daemon")
STEPS, EVERY = 20, 5
ROWS = STEPS * 8 * 10 // 9 + 1  # every tenth is for validation
RECIPE = {"epochs": 3, "batch_size": 8, "averaging": 0.5, "pace_seconds": 0.1}
MOST_SECONDS, MOST_OFF = 10, 1e-6


def train(
    trial_of, name: str, folder: str, scratch: Path, kills: list[Kill]
) -> tuple[Story, float, list[str]]:
    """Trains once; the story, its seconds, and what is wrong with the files it left."""
    place, started = join(folder, name.replace(" ", "-")), time.monotonic()
    sources = [[join(place, "rows", shard_name(index, 4))] for index in range(4)]
    rows = make_rows(ROWS)
    for index, uris in enumerate(sources):
        write_shard(uris[0], rows[index::4])
    config = {
        "recipes": [RECIPE],
        "checkpoints": join(place, "checkpoints"),
        "every_steps": EVERY,
        "steps": str(scratch / name),
    }
    story = trial_of(sources, config).run(kills)
    return story, time.monotonic() - started, find_damage(config["checkpoints"])


def find_damage(folder: str) -> list[str]:
    """Files that are no whole checkpoint."""
    storage, damaged = open_storage(folder), []
    for name in storage.list(folder):
        try:
            with np.load(io.BytesIO(storage.read(join(folder, name)))) as file:
                [file[key] for key in file]
        except Exception:
            damaged.append(name)
    return damaged


def weights(story: Story) -> list[np.ndarray]:
    return [np.array(weight) for weight in story.result["results"][0]["weights"]]


def main() -> int:
    arguments = sys.argv[1:]
    seed = int(arguments.pop(1)) if arguments[:1] == ["--seed"] and arguments.pop(0) else 0
    chosen = [victim for victim in VICTIMS if not arguments or victim in arguments]
    draw = random.Random(seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as scratch, Processes(Path(scratch), find_java_home()) as processes:
        hdfs, spark = Hdfs(processes), Spark(processes, workers=3)
        os.environ["HADOOP_CONF_DIR"] = str(hdfs.configuration)

        def trial_of(sources: list, config: dict) -> Trial:
            return Trial(processes, spark, hdfs, sources, config)

        def run(name: str, kills: list[Kill]) -> tuple[Story, float, list[str]]:
            return train(trial_of, name, f"{hdfs.uri}/faults", Path(scratch), kills)

        print(f"{describe()}, {os.cpu_count()} cores, seed {seed}", end="")
        print(f", load average at the start {os.getloadavg()[0]:.1f}\n")
        undisturbed, seconds, _ = run("undisturbed", [])
        print(
            "| killed | at step | noticed after, s | clusters | steps done twice | weights off by | left | took, s |"
        )
        print("|---|---|---|---|---|---|---|---|")
        print(f"| nothing | | | 1 | {undisturbed.doubled} | | none | {seconds:.0f} |", flush=True)
        wrong = []
        for victim in chosen:
            step = draw.randint(STEPS // 5, STEPS * 4 // 5)
            story, seconds, damaged = run(victim, [Kill(victim, 2, step)])
            off = max(
                float(np.abs(a - b).max()) for a, b in zip(weights(story), weights(undisturbed), strict=True)
            )
            again = 0 if victim == "DataNode" else 1
            noticed = max(story.noticed_seconds, default=0.0)
            recoveries = 0 if victim == "driver" else again
            good = (
                (len(story.recoveries), len(damaged), len(story.left)) == (recoveries, 0, 0)
                and noticed <= MOST_SECONDS
                and off <= MOST_OFF
                and story.doubled <= EVERY
                and set(story.steps) == set(undisturbed.steps)
            )
            if not good:
                wrong.append(victim)
            told = f"{noticed:.1f}" if story.noticed_seconds else "goes on" if not again else "same command"
            left = ", ".join([*damaged, *(f"process {pid}" for pid in story.left)]) or "none"
            print(
                f"| {victim} | 2, {step} of {STEPS} | {told} | {1 + again} | {story.doubled} | {off:.1e} | {left} "
                f"| {seconds:.0f} |",
                flush=True,
            )
            if victim == "DataNode":
                hdfs.start_datanode(0)
                hdfs.wait_for(2)
    print(f"\nload average at the end {os.getloadavg()[0]:.1f}")
    print(f"not as they must be: {', '.join(wrong) or 'none'}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
