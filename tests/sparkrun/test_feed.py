import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_sparkrun import Feed, ListFeed, TrainingError


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5), st.integers(1, 4))
def test_each_row_comes_once_per_epoch_in_batches(count, batch_size, seed, epoch):
    rows = [{"case_id": str(number)} for number in range(count)]
    feed: Feed = ListFeed(rows, batch_size, seed)
    batches = list(feed.epoch(epoch))
    assert len(batches) == feed.steps
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (feed.steps - 1)
    assert 1 <= len(batches[-1]) <= batch_size
    assert sorted((row for batch in batches for row in batch), key=rows.index) == rows
    assert batches == list(ListFeed(rows, batch_size, seed).epoch(epoch))
    for start in range(feed.steps + 1):
        assert batches[start:] == list(feed.epoch(epoch, start))


def test_epochs_and_seeds_have_orders_of_their_own():
    rows = [{"case_id": str(number)} for number in range(30)]
    orders = [
        [row["case_id"] for batch in ListFeed(rows, 7, seed).epoch(epoch) for row in batch]
        for seed in (0, 1)
        for epoch in (1, 2)
    ]
    assert len({tuple(order) for order in orders}) == 4


def test_no_rows_and_no_batch_size_are_refused():
    with pytest.raises(TrainingError, match="no rows"):
        ListFeed([], 4)
    with pytest.raises(TrainingError, match="received 0"):
        ListFeed([{"case_id": "a"}], 0)
