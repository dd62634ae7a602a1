import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_sparkrun import TrainingError
from boneage_sparkrun.batches import Prefetch, collate, idle_batch, prepare_batches


def example(number):
    return {"x": np.full(2, number, np.float32)}, np.array([number], np.int64)


def prepare(row, seed, epoch):
    return example(row["number"] + seed + (epoch or 0))


@given(st.integers(1, 9), st.integers(0, 5), st.integers(9, 20))
def test_padding_repeats_real_rows_with_weight_zero(count, spare, size):
    batch = collate([example(n) for n in range(count)], size, [example(100 + n) for n in range(spare)])
    assert batch.inputs["x"].shape == (size, 2)
    assert batch.inputs["x"].dtype == np.float32
    assert batch.weight.tolist() == [1.0] * count + [0.0] * (size - count)
    assert batch.rows == count
    wanted = [*range(count), *range(100, 100 + spare)]
    assert batch.target[:, 0].tolist() == [wanted[n % len(wanted)] for n in range(size)]


def test_a_short_batch_is_padded_from_the_one_before():
    lists = [[{"number": n} for n in part] for part in ([0, 1, 2], [], [3])]
    first, empty, last = prepare_batches(prepare, lists, 10, 5, 3)
    assert first.target[:, 0].tolist() == [15, 16, 17]
    assert (empty.rows, empty.target[:, 0].tolist()) == (0, [15, 16, 17])
    assert (last.rows, last.target[:, 0].tolist()) == (1, [18, 15, 16])
    assert idle_batch(last).weight.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("examples", "reason"),
    [
        ([example(1)] * 4, "4 rows at once; the batch size is 3"),
        ([], "before any row"),
        ([example(1), ({"x": np.zeros(3)}, np.zeros(1))], "same names and shapes"),
        ([example(1), ({"y": np.zeros(2)}, np.zeros(1))], "same names and shapes"),
    ],
)
def test_what_makes_no_batch_is_refused(examples, reason):
    with pytest.raises(TrainingError, match=reason):
        collate(examples, 3)
    with pytest.raises(TrainingError, match="no row at all"):
        idle_batch(None)


def count_slowly(until, seen):
    for number in range(until):
        seen.append(number)
        yield number
    if until == 7:
        raise ArithmeticError("seven")


def test_prefetch_gives_all_in_order_and_stays_a_few_ahead():
    seen = []
    with Prefetch(count_slowly(50, seen), ahead=3) as items:
        iterator = iter(items)
        assert next(iterator) == 0
        time.sleep(0.3)
        assert 2 <= len(seen) <= 5
        assert list(iterator) == list(range(1, 50))


def take_all(items, into):
    with Prefetch(items) as prefetched:
        into.extend(prefetched)


def test_an_exception_arrives_after_what_came_before_it():
    got = []
    with pytest.raises(ArithmeticError, match="seven"):
        take_all(count_slowly(7, []), got)
    assert got == list(range(7))


def test_leaving_early_ends_the_thread():
    before = threading.active_count()
    started = time.monotonic()
    with Prefetch(count_slowly(10**9, []), ahead=2) as items:
        next(iter(items))
    assert time.monotonic() - started < 3
    assert threading.active_count() == before


def test_a_row_that_cannot_be_prepared_is_named():
    rows = [{"case_id": "the-row", "wrong": 1}]
    with pytest.raises(TrainingError, match="row the-row: KeyError: 'number'") as caught:
        list(prepare_batches(prepare, [rows], 0, 2, 4))
    assert caught.value.epoch == 2
