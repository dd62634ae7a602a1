"""What the tests run in workers."""

import json
import os
import signal
import threading
import time
from pathlib import Path

setups = 0
company = threading.Barrier(2)


def setup(config):
    global setups
    setups += 1
    return config


def measure(record, resource):
    if record["text"] == "bad":
        raise ValueError(f"cannot read {record['case_id']}")
    return {
        "length": len(record["text"]) * resource.get("factor", 1),
        "shout": record["text"].upper().encode(),
    }


def add_number(record, _resource):
    return {"sum": record["length"] + record["number"]}


def mark_process(_record, _resource):
    return {"pid": os.getpid(), "setups": setups}


def wait_for_company(_record, _resource):
    """Returns when two records are worked on at once."""
    company.wait(timeout=30)
    return {"met": True}


def return_nothing(_record, _resource):
    return None


def change_id(_record, _resource):
    return {"case_id": "other"}


def give_list(_record, _resource):
    return {"values": [1, 2]}


def double_field(_record, _resource):
    return {"text": "again"}


def kill_itself(record, resource):
    if record["case_id"] == resource["victim"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {}


def square(argument):
    return {"square": argument["x"] ** 2, "pid": os.getpid(), "omp": os.environ.get("OMP_NUM_THREADS")}


def fail_on_three(argument):
    if argument["x"] == 3:
        raise ArithmeticError("three is too much")
    return argument


def leave(argument):
    raise SystemExit(argument["status"])


def give_lambda(_argument):
    return {"answer": lambda: None}


def chatter(_argument):
    os.write(1, b"chatter on stdout")
    return {"main": getattr(__import__("__main__"), "__file__", "")}


def sleep_long(argument):
    Path(argument["folder"], str(os.getpid())).write_text(json.dumps(argument))
    time.sleep(120)
    return {}


def kill_one_and_sleep(argument):
    if argument["x"] == 1:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return sleep_long(argument)


def set_threads(argument):
    from boneage_sparkrun import limit_threads

    limit_threads(argument["threads"])
    return {name: value for name, value in os.environ.items() if name.endswith("_THREADS")}


def run_out(record, resource):
    """Does what a machine's want of memory or disk does, in one record."""
    if record["case_id"] == resource["victim"]:
        if resource["what"] == "memory":
            return {"text": bytearray(1 << 60)}
        if resource["what"] == "library":  # so C++ says it
            raise RuntimeError("std::bad_alloc")
        with open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123
            file.write(b"x")
    return {"done": True}


def sleep_and_mark(_record, resource):
    """Takes its time, and tells which process did it."""
    time.sleep(resource["seconds"])
    return {"pid": os.getpid()}


def end_with_memory(argument):
    """Ends as the system ends a process for its memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return argument


def where(_argument):
    import sys

    import numpy as np

    import boneage_sparkrun

    return {
        "prefix": sys.prefix,
        "modules": [boneage_sparkrun.__file__, np.__file__],
        "path": sys.path,
        "home": os.environ.get("HOME", ""),
    }


def kill_parents(argument):
    """Ends as the system ends a whole executor for its memory."""
    parent = os.getppid()
    executor = int(Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(executor, signal.SIGKILL)
    time.sleep(60)
    return argument


def want_memory(_argument):
    return {"much": bytearray(1 << 60)}
