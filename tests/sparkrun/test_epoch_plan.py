"""Each row once, in the batches of one process, whatever the number of workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_sparkrun import ListFeed, TrainingError
from boneage_sparkrun.epoch_plan import EpochPlan

PLANS = st.builds(
    EpochPlan,
    rows=st.integers(1, 60),
    batch_size=st.integers(1, 20),
    workers=st.integers(1, 5),
    seed=st.integers(0, 3),
)


@given(PLANS, st.integers(1, 4))
def test_the_workers_parts_are_the_batches_of_one_process(plan, epoch):
    taken = {}
    for row, place in sorted(enumerate(plan.places(epoch).tolist()), key=lambda pair: pair[1]):
        taken.setdefault(plan.step(place), {}).setdefault(plan.worker(place), []).append(row)
    batches = ListFeed([{"row": row} for row in range(plan.rows)], plan.batch_size, plan.seed).epoch(epoch)
    assert [
        [row for worker in sorted(parts) for row in parts[worker]] for _, parts in sorted(taken.items())
    ] == [[row["row"] for row in batch] for batch in batches]
    assert len(taken) == plan.steps
    assert all(len(part) <= plan.share for parts in taken.values() for part in parts.values())
    assert all(worker < plan.workers for parts in taken.values() for worker in parts)


@given(PLANS)
def test_another_epoch_and_another_seed_have_another_order(plan):
    orders = {tuple(plan.places(epoch).tolist()) for epoch in range(1, 40)}
    assert len(orders) > 1 or plan.rows < 3


@pytest.mark.parametrize("given", [{"rows": 0}, {"batch_size": 0}, {"workers": 0}])
def test_a_plan_for_nothing_is_refused(given):
    with pytest.raises(TrainingError, match="at least"):
        EpochPlan(**{"rows": 1, "batch_size": 1, "workers": 1, **given})
