"""`python -m tests.servers up [hdfs] [spark] [yarn]`, `down`: servers for trials, kept until they are ended."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from boneage_sparkrun.java import find_java_home

from .fetching import cache_folder
from .hdfs import Hdfs
from .processes import Processes
from .spark import Spark
from .yarn import Yarn

_KINDS = ("hdfs", "spark", "yarn")


def main() -> int:
    """Runs the command; 0: done, 1: failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("up", "start them, print their addresses"), ("serve", "the same, in the foreground")):
        command = commands.add_parser(name, help=text)
        command.add_argument("kinds", nargs="*", default=["hdfs", "spark"], metavar="hdfs, spark, yarn")
    commands.add_parser("down", help="end them")
    arguments = parser.parse_args()
    if arguments.command == "down":
        return _down()
    unknown = set(arguments.kinds) - set(_KINDS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(_KINDS)}")
    return _up(arguments.kinds) if arguments.command == "up" else _serve(arguments.kinds)


def _up(kinds: list[str]) -> int:
    if _state().exists():
        _say(_state().read_text() + "they are up already: `down` ends them")
        return 1
    folder = Path(tempfile.mkdtemp(prefix="boneage-servers-"))
    with (folder / "serve.log").open("wb") as log:
        command = (sys.executable, "-m", __spec__.parent, "serve", *kinds)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    while not _state().exists():
        if process.poll() is not None:
            _say((folder / "serve.log").read_text())
            return 1
        time.sleep(0.1)
    _say(_state().read_text())
    return 0


def _down() -> int:
    try:
        pid = json.loads(_state().read_text())["pid"]
        os.kill(pid, signal.SIGTERM)
    except FileNotFoundError:
        _say("no servers are up")
        return 0
    except ProcessLookupError:
        _state().unlink(missing_ok=True)  # it was killed; its keeper has ended the rest
        return 0
    while _state().exists():
        time.sleep(0.1)
    return 0


def _serve(kinds: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = Path(tempfile.mkdtemp(prefix="boneage-servers-"))
    try:
        with Processes(folder, find_java_home()) as processes:
            addresses: dict[str, object] = {"pid": os.getpid(), "logs": str(folder)}
            if "hdfs" in kinds or "yarn" in kinds:
                hdfs = Hdfs(processes)
                addresses |= {
                    "hdfs": hdfs.uri,
                    "hdfs_web": hdfs.web,
                    "HADOOP_CONF_DIR": str(hdfs.configuration),
                }
            if "spark" in kinds:
                spark = Spark(processes)
                addresses |= {"spark": spark.uri, "spark_web": spark.web}
            if "yarn" in kinds:
                addresses |= {"yarn_web": Yarn(processes, hdfs).web}
            beside = _state().with_suffix(".part")
            beside.write_text(json.dumps(addresses, indent=2) + "\n")
            beside.rename(_state())
            _say(_state().read_text())
            signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        _state().unlink(missing_ok=True)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _state() -> Path:
    """Where the servers' addresses are written down while they are up."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    return cache_folder() / "servers.json"


if __name__ == "__main__":
    sys.exit(main())
