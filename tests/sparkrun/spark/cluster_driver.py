"""A program that trains on a cluster and tells how it goes as lines of JSON: to be disturbed from outside.

python cluster_driver.py '{"master": ..., "workers": ..., "conf": {...}, "sources": [...], "config": {...}, "log": ...}'
"""

import json
import sys
from pathlib import Path

from boneage_sparkrun import EngineError
from boneage_sparkrun.cluster_training import ClusterTraining, train_on_cluster
from boneage_sparkrun.spark_session import SparkSettings


def tell(event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    training = ClusterTraining(
        "train",
        given["sources"],
        select="sparkrun_recipe:select_row",
        function="sparkrun_recipe:fit_on_cluster",
        batch_size=8,
        seed=3,
        config=given["config"],
    )
    log = Path(given["log"]) if "log" in given else None
    settings = SparkSettings(given["master"], total_cores=given["workers"], conf=given["conf"], log=log)
    try:
        tell({"kind": "end", "result": train_on_cluster(training, settings, tell)})
    except EngineError as error:
        tell({"kind": "failed", "message": str(error), "details": error.details})
        sys.exit(1)
