"""What Spark says, in a line."""

import pytest

from boneage_sparkrun.spark_errors import told

ABORTED = (
    "org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times, "
    "most recent failure: Lost task 0.3 in stage 0.0 (TID 3) (10.0.0.7 executor 1): "
)
PYTHON = (
    "org.apache.spark.api.python.PythonException: [PYTHON_EXCEPTION] An exception was thrown from the Python worker: "
    'Traceback (most recent call last):\n  File "worker.py", line 1, in <module>\n'
)
STACK = "\n\tat org.apache.spark.scheduler.Task.run(Task.scala:147)\nCaused by: java.io.EOFException\n\t... 22 more\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            f"{ABORTED}ExecutorLostFailure (executor 3 exited caused by one of the running tasks) Reason: "
            f"Command exited with code 137{STACK}",
            "10.0.0.7: an executor was lost: Command exited with code 137; too little memory is a common cause: "
            "more memory an executor, or fewer cores of each, may help",
        ),
        (
            f"{ABORTED}java.lang.OutOfMemoryError: Java heap space{STACK}",
            "10.0.0.7: an executor is out of memory: Java heap space; more memory an executor, or fewer cores of each, "
            "may help",
        ),
        (
            f'{ABORTED}java.io.IOException: Cannot run program "./environment/bin/python": error=2{STACK}',
            "10.0.0.7: there is no ./environment/bin/python on the worker; an environment packed for the "
            "workers would do",
        ),
        (
            f"{PYTHON}pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python in "
            "worker has different version: 3.10 than that in driver: 3.11.\n",
            "the worker has Python 3.10, the driver 3.11; an environment packed for the workers would do",
        ),
        (f"{PYTHON}ValueError: that is no {{number}}\n SQLSTATE: 38000", "ValueError: that is no {number}"),
        ("org.apache.spark.SparkException: Master must be right", "Master must be right"),
        ("", "no reason was given"),
    ],
)
def test_the_deepest_cause_is_told_in_a_line(text, line):
    assert told(RuntimeError(text)) == line
