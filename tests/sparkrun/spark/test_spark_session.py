"""An application of Spark: its master found, its slots counted, its log where it was asked for."""

import subprocess
import sys
import time

import pytest

from boneage_sparkrun import EngineError
from boneage_sparkrun.spark_session import Slots, SparkSettings, slots_of, spark_context

from .test_spark_engine import CONF

SESSION = """
import sys
from pathlib import Path
from boneage_sparkrun.spark_session import SparkSettings, slots_of, spark_context

master, log = sys.argv[1:]
conf = {"spark.executor.memory": "512m", "spark.driver.memory": "512m", "spark.driver.extraJavaOptions": "-Dours=1"}
settings = SparkSettings(master=master, conf=conf, log=Path(log), total_cores=1, start_seconds=120)
with spark_context("session", settings) as context:
    print(slots_of(context), context._jvm.java.lang.System.getProperty("ours"))
"""

TWO_SESSIONS = """
from boneage_sparkrun.spark_session import SparkSettings, spark_context

for conf in ({"spark.task.maxFailures": "1"}, {}):
    with spark_context("session", SparkSettings(master="local[1]", conf=conf)) as context:
        print(context.getConf().get("spark.task.maxFailures"))
"""


def test_a_driver_of_its_own(spark, tmp_path):
    """One of two masters answers, one slot of two is taken, and the log's name has blanks and quotes."""
    log = tmp_path / 'a "log" of mine' / "spark log.txt"
    master = spark.uri.replace("spark://", "spark://127.0.0.1:1,")
    done = subprocess.run(
        [sys.executable, "-c", SESSION, master, log], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["Slots(executors=1, slots=1) 1"]
    assert done.stderr == ""
    assert " WARN " in log.read_text()


def test_the_settings_of_one_application_are_not_the_next_ones():
    """Both have the same Java process, which keeps what it was started with."""
    done = subprocess.run(
        [sys.executable, "-c", TWO_SESSIONS], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.split() == ["1", "None"]


@pytest.mark.parametrize(("master", "slots"), [("local[1]", 1), ("local[3,2]", 3)])
def test_slots_of_this_machine(master, slots):
    with spark_context("slots", SparkSettings(master=master, conf=CONF)) as context:
        assert slots_of(context) == Slots(1, slots)


def test_an_executor_is_counted_as_soon_as_its_slot_is(spark):
    settings = SparkSettings(spark.uri, 2, conf=CONF, start_seconds=120, allow_fewer=True)
    with spark_context("slots", settings) as context:
        deadline, seen = time.monotonic() + 120, [slots_of(context)]
        while seen[-1].slots < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
            seen.append(slots_of(context))
    assert all(found.executors >= found.slots for found in seen)
    assert seen[-1] == Slots(2, 2)


def test_tasks_of_two_cores_have_half_the_slots():
    conf = CONF | {"spark.task.cpus": "2"}
    with spark_context("slots", SparkSettings(master="local[5]", conf=conf, total_cores=4)) as context:
        assert slots_of(context) == Slots(1, 2)
    with pytest.raises(EngineError, match=r"spark\.task\.cpus=many; a whole number"):
        SparkSettings(conf={"spark.task.cpus": "many"}).threads  # noqa: B018


def test_spark_says_itself_how_long_to_wait():
    key = "spark.scheduler.maxRegisteredResourcesWaitingTime"
    given = ("500ms", "7", "90s", "2m", "1min")
    found = [SparkSettings(conf={key: text}).waiting_seconds for text in given]
    assert found == [0.5, 7, 90, 120, 60]
    assert SparkSettings(start_seconds=3).waiting_seconds == 3
    assert (
        SparkSettings(master="yarn").waiting_seconds
        > SparkSettings(master="spark://h:1").waiting_seconds
        > 10
    )
    with pytest.raises(EngineError, match=f"{key}=soon; a time such as 90s"):
        SparkSettings(conf={key: "soon"}).waiting_seconds  # noqa: B018


def test_one_slot_is_not_taken_for_two():
    settings = SparkSettings(master="local[1]", conf=CONF, total_cores=2, start_seconds=1)
    with (
        pytest.raises(EngineError, match="2 slots are needed and 1 found on local"),
        spark_context("slots", settings),
    ):
        pass


def test_what_answers_and_is_no_master_is_not_waited_for_long(hdfs):
    master = hdfs.web.replace("http:", "spark:")
    settings = SparkSettings(master=master, conf=CONF, start_seconds=3)
    with (
        pytest.raises(EngineError, match=rf"{master}: what answers there .* is it the master of a Spark 4\."),
        spark_context("stranger", settings),
    ):
        pass
    # Nor does it stand in the way of the next.
    with spark_context("slots", SparkSettings(master="local[1]", conf=CONF)) as context:
        assert slots_of(context).slots == 1


def test_a_driver_that_cannot_start_says_why(tmp_path):
    session = SESSION.replace('"spark.driver.memory": "512m"', '"spark.driver.memory": "512x"')
    for _ in range(2):  # the log holds what was told before
        done = subprocess.run(
            [sys.executable, "-c", session, "local[1]", tmp_path / "log"],
            capture_output=True,
            text=True,
            timeout=300,
        )
        last = done.stderr.splitlines()[-1]
        assert last.endswith(
            "EngineError: Spark did not start on local[1]: Invalid maximum heap size: -Xmx512x"
        )
