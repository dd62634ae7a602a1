"""Real servers on this machine, for tests and trials: HDFS, Spark, YARN.

`uv run python -m tests.servers up` starts them and prints their addresses; `down` ends them.
Linux only: what they start is found by /proc.
"""
