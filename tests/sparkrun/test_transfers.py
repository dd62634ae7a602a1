"""Many files at once."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_sparkrun import transfer


@given(st.lists(st.integers(), max_size=30), st.integers(1, 9))
def test_each_item_is_taken_once_and_results_come_in_order(items, threads):
    seen = []

    def double(item):
        seen.append(item)
        return 2 * item

    assert transfer(double, items, threads) == [2 * item for item in items]
    assert sorted(seen) == sorted(items)


def test_several_are_under_way_at_a_time():
    together = threading.Barrier(4)
    assert transfer(lambda _: together.wait(60), range(4), threads=4)


def test_the_first_failure_is_raised_and_nothing_new_is_begun():
    begun = []

    def fail(item):
        begun.append(item)
        raise OSError(f"no room for {item}")

    with pytest.raises(OSError, match="no room for 0"):
        transfer(fail, range(100), threads=1)
    assert begun == [0]


def test_no_thread_is_refused():
    with pytest.raises(ValueError, match="received 0"):
        transfer(str, [1], threads=0)
