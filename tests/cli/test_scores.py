"""Figures of few and of no cases, and what phantoms must reach."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_cli.config import Acceptance
from boneage_cli.outcomes import (
    MaskOutcome,
    Outcome,
    read_mask_outcomes,
    read_outcomes,
    write_mask_outcomes,
    write_outcomes,
)
from boneage_cli.scores import (
    age_figures,
    finite,
    interval_figures,
    mask_figures,
    score,
    share_interval,
)
from boneage_cli.verdicts import headline, remarks, shortfalls

ONE = Outcome("a", "test", -1, True, 100.0, 90.0, 80.0, 99.0, "ok", "", None)


def all_figures(outcomes, masks):
    return {**age_figures(outcomes), "segmentation": mask_figures(masks)}


@pytest.mark.parametrize(
    "outcomes",
    [
        [],
        [ONE],
        [replace(ONE, part="train", fold=0, out_of_fold_months=110.0)],
        [replace(ONE, truth_months=None)],
        [replace(ONE, age_months=None, lower=None, upper=None, status="refused")],
    ],
)
def test_few_or_no_cases_give_figures_or_none_and_never_nan(outcomes):
    metrics = finite(all_figures(outcomes, []))
    json.dumps(metrics, allow_nan=False)
    assert metrics["test"]["mad"] == (10.0 if outcomes == [ONE] else None)
    assert len(shortfalls(metrics, Acceptance())) == 2
    assert isinstance(headline(metrics), list)


def test_one_case_has_no_interval():
    assert score([(100.0, 90.0, None)])["mad_interval"] is None


def test_the_guess_is_scored_on_the_cases_that_the_model_answered():
    rows = [
        replace(ONE, case_id="t", part="train", fold=0, truth_months=60.0),
        ONE,
        replace(
            ONE, case_id="b", truth_months=200.0, age_months=None, lower=None, upper=None, status="refused"
        ),
    ]
    found = age_figures(rows)
    assert found["floors"]["median_guess"]["count"] == found["test"]["count"] == 1
    assert found["floors"]["median_guess"]["mad"] == 40.0
    assert found["test"]["unanswered"] == 1


def test_a_sex_without_training_cases_is_guessed_by_everyones_median():
    train = [
        replace(ONE, case_id=str(age), part="train", fold=0, truth_months=float(age), male=False)
        for age in (50, 60, 70)
    ]
    found = age_figures([*train, ONE])["floors"]
    assert found["sex_and_median"]["age_months_male"] is None
    assert found["sex_and_median"]["mad"] == 40.0


def test_a_truth_on_the_edge_of_its_interval_lies_in_it():
    rows = [replace(ONE, lower=100.0, upper=120.0), replace(ONE, case_id="b", upper=99.9)]
    assert age_figures(rows)["intervals"]["coverage"] == 0.5


def test_interval_figures_by_sex_and_age_told():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 228, 600)
    told = np.clip(truth + rng.normal(0, 10, 600), 0, 228)
    males = [bool(index % 2) for index in range(590)] + [None] * 10
    found = interval_figures(truth, told, np.c_[told - 5, told + 15], males)
    held = (told - 5 <= truth) & (truth <= told + 15)
    assert (found["count"], found["coverage"]) == (600, held.mean())
    assert found["coverage_interval"][0] < found["coverage"] < found["coverage_interval"][1]
    assert found["mean_width"] == pytest.approx(20)
    assert found["width_over_mad"] == pytest.approx(20 / np.abs(told - truth).mean())
    boys = np.array([male is True for male in males]) & (told >= 48) & (told < 96)
    (group,) = [row for row in found["groups"] if row["group"] == "male, told 48 to 95 months"]
    assert group == {"group": group["group"], "count": boys.sum(), "coverage": held[boys].mean()}
    assert all(row["count"] >= 50 for row in found["groups"])


def figures_reaching(jaccard, mad, guess):
    train = replace(ONE, case_id="t", part="train", fold=0, truth_months=100.0 - guess)
    rows = [train, replace(ONE, age_months=100.0 - mad)]
    return all_figures(
        rows, [MaskOutcome("m", "test", jaccard, jaccard), MaskOutcome("n", "train", 0.0, 0.0)]
    )


def test_what_just_reaches_the_limits_is_accepted():
    limits = Acceptance(jaccard=0.9, mad_share=0.5)
    assert shortfalls(figures_reaching(0.9, 20.0, 40.0), limits) == []
    assert len(shortfalls(figures_reaching(0.899, 20.0, 40.0), limits)) == 1
    assert len(shortfalls(figures_reaching(0.9, 20.1, 40.0), limits)) == 1


def test_training_masks_do_not_count_as_held_out():
    found = mask_figures([MaskOutcome("m", "train", 0.5, 0.6), MaskOutcome("n", "test", 0.8, 0.9)])
    assert found["test"]["jaccard_mean"] == 0.8
    assert found["test"]["least_case"] == "n"
    assert found["training"]["count"] == 1


def spread_over_ages(answer, *, width=10.0, count=40):
    rows = [
        replace(ONE, case_id=str(i), truth_months=5.0 * i, age_months=answer(5.0 * i)) for i in range(count)
    ]
    rows = [replace(row, lower=row.age_months - width, upper=row.age_months + width) for row in rows]
    train = replace(ONE, case_id="t", part="train", fold=0, truth_months=100.0)
    found = all_figures([*rows, train], [])
    found["intervals"]["level"] = 0.9
    return remarks(found)


def test_a_good_result_needs_no_remark():
    assert spread_over_ages(lambda truth: truth + 4) == []


def test_guessing_and_constant_answers_are_remarked_on():
    assert len(spread_over_ages(lambda _: 100.0, width=200.0)) == 2
    assert len(spread_over_ages(lambda truth: 195.0 - truth, width=200.0)) == 1


def test_intervals_that_miss_too_often_are_remarked_on():
    (told,) = spread_over_ages(lambda truth: truth + 11)
    assert "0 % of the held-out cases" in told
    assert spread_over_ages(lambda truth: truth + (11 if truth < 30 else 0)) == []


MONTHS = st.none() | st.floats(0, 300)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=20)
OUTCOMES = st.builds(
    Outcome,
    TEXT,
    st.sampled_from(["train", "test"]),
    st.integers(-1, 9),
    st.sampled_from([True, False, None]),
    MONTHS,
    MONTHS,
    MONTHS,
    MONTHS,
    st.sampled_from(["ok", "warning", "refused"]),
    TEXT,
    MONTHS,
)


@given(st.lists(OUTCOMES, max_size=5))
def test_a_table_is_read_back_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "predictions.csv"
    write_outcomes(path, rows)
    assert read_outcomes(path) == rows


def test_a_table_of_masks_is_read_back_as_it_was_written(tmp_path):
    rows = [MaskOutcome('a,"b"', "test", 0.123456, 1.0)]
    write_mask_outcomes(tmp_path / "masks.csv", rows)
    assert read_mask_outcomes(tmp_path / "masks.csv") == rows


@given(st.integers(1, 500), st.data())
def test_the_interval_of_a_share_holds_it_and_narrows_with_the_cases(count, data):
    hits = data.draw(st.integers(0, count))
    low, high = share_interval(hits, count)
    assert 0 <= low <= hits / count <= high <= 1
    many = share_interval(100 * hits, 100 * count)
    assert many[1] - many[0] < high - low


@given(st.integers(1, 500), st.data())
def test_the_ends_of_that_interval_lie_196_standard_errors_of_their_own_away(count, data):
    share = data.draw(st.integers(0, count)) / count
    for end in share_interval(round(share * count), count):
        assert (share - end) ** 2 == pytest.approx(1.96**2 * end * (1 - end) / count, abs=1e-9)


def test_the_coverage_has_an_interval():
    rows = [replace(ONE, case_id=str(n), upper=99.0 if n else 120.0) for n in range(4)]
    found = age_figures(rows)["intervals"]
    assert (found["coverage"], found["coverage_interval"]) == (0.25, list(share_interval(1, 4)))


def test_table_1_has_intervals():
    rows = [replace(ONE, case_id=str(n), age_months=90.0 + n) for n in range(8)]
    (row,) = [row for row in age_figures(rows)["table_1"] if row["part"] == "test"]
    assert row["count"] == 8
    assert row["mad_interval"][0] < row["mad"] < row["mad_interval"][1]
    assert row["rmse_interval"][0] < row["rmse"] < row["rmse_interval"][1]
