"""What stands in the way of a run on a cluster is one clear message, exit code 1 and no traceback."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from .cluster_faults import (
    FAULTS,
    Cluster,
    executor_out_of_memory,
    no_java,
    no_permission,
    quota_full,
    quota_full_on_workers,
    safe_mode,
    too_few_slots,
    wrong_hdfs_address,
    wrong_master,
)

# Together, as most of them wait; those in one list after each other, as they want the same slots.
ROUNDS = (
    ([wrong_hdfs_address], [no_permission, quota_full], [quota_full_on_workers]),
    ([safe_mode], [wrong_master, no_java], [executor_out_of_memory, too_few_slots]),
)


@pytest.fixture(scope="module")
def outcomes(hdfs, spark, tmp_path_factory):
    cluster = Cluster(hdfs, spark, tmp_path_factory.mktemp("faults"))
    found = {}
    for lists in ROUNDS:
        with ThreadPoolExecutor(len(lists)) as pool:
            for part in pool.map(lambda faults: {fault: fault(cluster) for fault in faults}, lists):
                found |= part
    return found


@pytest.mark.parametrize("fault", [fault for lists in ROUNDS for faults in lists for fault in faults])
def test_it_is_one_message(outcomes, fault):
    outcome = outcomes[fault]
    assert "Traceback" not in outcome.err
    (message,) = outcome.messages
    assert message.startswith("boneage: ")
    for words in FAULTS[fault]:
        assert words in message
    assert outcome.code == 1
