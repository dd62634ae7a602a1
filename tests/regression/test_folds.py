import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_regression.errors import FoldError
from boneage_regression.folds import assign_folds, in_test, inner_part

from .strategies import seeds, tables


@given(st.text())
def test_the_test_part_is_the_hash_divisible_by_five(case_id):
    assert in_test(case_id) == (int(hashlib.sha256(case_id.encode()).hexdigest(), 16) % 5 == 0)


def test_the_test_part_is_about_its_share():
    for share in (0.5, 0.25, 0.2, 0.1):
        assert np.mean([in_test(str(i), share) for i in range(5000)]) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("share", [0, 1, 0.3, -0.2, 2])
def test_a_share_that_is_no_whole_part_is_refused(share):
    with pytest.raises(FoldError, match="share"):
        in_test("1", share)


@given(tables(), st.integers(2, 5))
def test_folds_are_a_partition_of_even_sizes(table, k):
    k = min(k, len(table[0]))
    folds = assign_folds(*table, k=k)
    assert set(folds) == set(table[0])
    sizes = Counter(folds.values())
    assert set(sizes) == set(range(k))
    assert max(sizes.values()) - min(sizes.values()) <= 1


@given(tables(least=5), seeds)
def test_folds_do_not_depend_on_the_order_of_the_table(table, seed):
    order = np.random.default_rng(seed).permutation(len(table[0]))
    shuffled = tuple([column[i] for i in order] for column in table)
    assert assign_folds(*shuffled) == assign_folds(*table)


@given(tables(least=5))
def test_each_fold_has_its_share_of_every_sex_and_age_group(table):
    ids, ages, males = table
    folds = assign_folds(ids, ages, males)
    strata = {}
    for case_id, age, male in zip(ids, ages, males, strict=True):
        strata.setdefault((male, age // 12), []).append(folds[case_id])
    for members in strata.values():
        counts = [members.count(fold) for fold in range(5)]
        assert max(counts) - min(counts) <= 1


def test_folds_of_a_real_size_have_like_ages():
    rng = np.random.default_rng(0)
    ids = [str(i) for i in range(730)]
    ages = rng.normal(127, 41, 730).clip(0, 228)
    males = list(rng.random(730) < 0.54)
    folds = assign_folds(ids, ages, males)
    fold = np.array([folds[case_id] for case_id in ids])
    means = [ages[fold == number].mean() for number in range(5)]
    assert np.ptp(means) < 2.5  # random folds: about 8


@pytest.mark.parametrize(
    ("table", "k"),
    [
        ((["1", "1"], [1.0, 2.0], [True, False]), 2),
        ((["1", "2"], [1.0], [True, False]), 2),
        ((["1", "2"], [1.0, float("nan")], [True, False]), 2),
        ((["1", "2"], [1.0, 2.0], [True, False]), 3),
        ((["1", "2"], [1.0, 2.0], [True, False]), 1),
    ],
)
def test_tables_that_cannot_be_divided_are_refused(table, k):
    with pytest.raises(FoldError):
        assign_folds(*table, k=k)


@given(tables(), st.floats(0.01, 0.99), seeds)
def test_the_inner_part_is_a_stable_part_of_the_asked_size(table, share, seed):
    ids = table[0]
    inner = inner_part(ids, share)
    assert inner < set(ids)
    assert len(inner) == min(max(round(share * len(ids)), 1), len(ids) - 1)
    shuffled = list(np.random.default_rng(seed).permutation(ids))
    assert inner_part(shuffled, share) == inner


def test_inner_part_and_test_part_are_independent():
    ids = [str(i) for i in range(5000)]
    inner = inner_part(ids, 0.2)
    assert np.mean([in_test(i) for i in inner]) == pytest.approx(0.2, abs=0.04)


def test_the_inner_part_refuses_what_cannot_be_parted():
    for ids, share in ((["1"], 0.1), (["1", "2"], 0), (["1", "2"], 1.0), (["1", "1"], 0.5)):
        with pytest.raises(FoldError):
            inner_part(ids, share)
