import json

import numpy as np
import pytest
from hypothesis import given

from boneage_regression.errors import MetricError
from boneage_regression.metrics import mad, rmse
from boneage_regression.summary import summarize

from .strategies import told_and_true

RNG = np.random.default_rng(0)
TRUE = RNG.uniform(0, 228, 90)
TOLD = TRUE + RNG.normal(2, 12, 90)
MALES = [(True, False, None)[i % 3] for i in range(90)]


def test_pooled_figures_and_intervals():
    table = summarize(TOLD, TRUE, samples=200)
    assert (table["n"], table["mad"], table["rmse"]) == (90, mad(TOLD, TRUE), rmse(TOLD, TRUE))
    assert table["mad_interval"][0] < table["mad"] < table["mad_interval"][1]
    assert table["rmse_interval"][0] < table["rmse"] < table["rmse_interval"][1]
    assert table["over_24_months"] < table["over_12_months"] < 1
    assert table["floor"] is None
    assert table["by_sex"] == []


def test_the_floor_is_fitted_on_the_training_ages_alone():
    table = summarize(TOLD, TRUE, training_ages=[10.0, 20.0, 90.0], samples=10)
    assert table["floor"]["guess_months"] == 20.0
    assert table["floor"]["mad"] == pytest.approx(np.mean(np.abs(TRUE - 20.0)))


@given(told_and_true())
def test_the_groups_part_the_cases(pair):
    males = [(True, False, None)[i % 3] for i in range(len(pair[0]))]
    table = summarize(*pair, males=males, samples=2)
    for groups in (table["by_age"], table["by_sex"]):
        assert sum(group["n"] for group in groups) == table["n"]
        pooled = sum(group["n"] * group["mad"] for group in groups) / table["n"]
        assert pooled == pytest.approx(table["mad"], abs=1e-9)


def test_groups_have_names_and_the_right_cases():
    table = summarize([10.0, 60.0, 200.0], [20.0, 50.0, 228.0], males=[True, None, True], samples=2)
    assert [group["group"] for group in table["by_sex"]] == ["male", "sex not known"]
    assert [(group["group"], group["mad"]) for group in table["by_age"]] == [
        ("0 to 47 months", 10.0),
        ("48 to 95 months", 10.0),
        ("168 to 228 months", 28.0),
    ]


def test_a_group_has_an_interval_unless_it_is_one_case():
    table = summarize(TOLD, TRUE, males=[True] + [False] * 89, samples=200)
    one, many = table["by_sex"][1], table["by_sex"][0]
    assert (one["n"], one["mad_interval"]) == (1, None)
    assert many["mad_interval"][0] < many["mad"] < many["mad_interval"][1]


def test_it_is_plain_json():
    table = summarize(TOLD, TRUE, males=np.array([True] * 90), training_ages=TRUE, samples=5)
    assert json.loads(json.dumps(table))["by_sex"][0]["group"] == "male"


def test_one_sex_per_case():
    with pytest.raises(MetricError, match="males"):
        summarize(TOLD, TRUE, males=[True])
