import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_regression.calibration import Calibration, calibrate
from boneage_regression.correction import NO_CORRECTION
from boneage_regression.errors import CalibrationError
from boneage_regression.recalibration import ENOUGH_ERRORS, Recalibration, recalibrate

from .strategies import ages_months, seeds, sexes

OWN = Calibration(0.9, (100.0,), (20.0, 25.0), (24.0, 30.0), 700)


@st.composite
def places(draw, least=20, most=70):
    """(truth, known, unknown, males) of a place where ages are told wrong in some way or another."""
    rng = np.random.default_rng(draw(seeds))
    n = draw(st.integers(least, most))
    truth = rng.uniform(10, 220, n)
    told = np.clip(draw(st.floats(0.7, 1.4)) * truth + draw(st.floats(-30, 30)) + rng.normal(0, 8, n), 0, 228)
    males = [draw(sexes) for _ in range(n)]
    known = told + [draw(st.floats(-20, 20)) if male else 0 for male in males]
    return truth, known, told + rng.normal(0, 5, n), males


@given(places(), seeds)
def test_the_order_of_the_cases_does_not_matter(place, seed):
    order = np.random.default_rng(seed).permutation(len(place[0]))
    one, other = (
        recalibrate(*values, calibration=OWN)
        for values in (place, [np.array(values, object)[order].tolist() for values in place])
    )
    assert (other.female, other.male, other.unknown) == (one.female, one.male, one.unknown)
    assert other.calibration == one.calibration
    assert other.with_sex.mad_used_months == pytest.approx(one.with_sex.mad_used_months)


@given(places())
def test_exchanged_sexes_exchange_their_corrections(place):
    truth, known, unknown, males = place
    exchanged = [None if male is None else not male for male in males]
    one = recalibrate(truth, known, unknown, males, calibration=OWN)
    other = recalibrate(truth, known, unknown, exchanged, calibration=OWN)
    assert (other.female, other.male, other.unknown) == (one.male, one.female, one.unknown)


@given(places())
def test_what_is_used_was_better_by_more_than_chance_and_the_best_of_those(place):
    found = recalibrate(*place, calibration=OWN)
    for verdict in (found.with_sex, found.without_sex):
        good = [trial for trial in verdict.trials if trial.standard_errors >= ENOUGH_ERRORS]
        if good:
            best = min(good, key=lambda trial: trial.mad_months)
            assert (verdict.used, verdict.mad_used_months) == (best.way, best.mad_months)
            assert verdict.mad_used_months < verdict.mad_months
        else:
            assert (verdict.used, verdict.mad_used_months) == ("none", verdict.mad_months)
    assert found.unknown.used == (found.without_sex.used != "none")
    if found.with_sex.used == "none":
        assert found.female == found.male == NO_CORRECTION
    if found.with_sex.used == "common":
        assert found.female == found.male


@given(places(), ages_months, st.sampled_from(["F", "M", None]))
def test_corrections_keep_the_order_and_their_intervals_hold_them(place, age, sex):
    found = recalibrate(*place, calibration=OWN)
    corrected = found.correct(age, sex)
    assert corrected <= found.correct(age + 1, sex)
    told = min(max(corrected, 0.0), 228.0)
    lower, upper = found.calibration.interval(told, sex_known=sex is not None)
    assert 0 <= lower <= told <= upper <= 228


@given(places())
def test_kept_intervals_are_never_narrower_nor_narrower_without_the_sex(place):
    found = recalibrate(*place, calibration=OWN)
    new = found.calibration
    assert found.intervals_kept == (found.with_sex.cases < 50)
    assert all(without >= known for known, without in zip(new.known, new.unknown, strict=True))
    if found.intervals_kept:
        assert (new.edges_months, new.cases, new.level) == (OWN.edges_months, OWN.cases, OWN.level)
        assert all(a >= b for a, b in zip(new.known + new.unknown, OWN.known + OWN.unknown, strict=True))


@given(places())
def test_json_there_and_back(place):
    found = recalibrate(*place, calibration=OWN)
    text = json.dumps(found.to_json(), allow_nan=False)
    assert Recalibration.from_json(json.loads(text)) == found


@given(places())
def test_where_the_sex_is_not_known_its_answer_is_not_looked_at(place):
    truth, known, unknown, males = place
    blank = [np.nan if male is None else age for age, male in zip(known, males, strict=True)]
    found = recalibrate(truth, blank, unknown, males, calibration=OWN)
    assert found == recalibrate(truth, known, unknown, males, calibration=OWN)


def _place(count, seed=0, noise=10.0):
    """(truth, told) of many cases."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(24, 216, count)
    return truth, truth + rng.normal(0, noise, count)


def test_a_sex_of_which_nothing_is_known_is_left_alone():
    truth, told = _place(40)
    for few in (0, 4):
        males = [index < few for index in range(40)]
        found = recalibrate(truth, told - 20, told, males, calibration=OWN)
        assert (found.with_sex.used, found.male) == ("per sex", NO_CORRECTION)
        assert found.female.used
        assert [trial.way for trial in found.with_sex.trials] == ["per sex"]


def test_without_any_sex_only_answers_without_it_are_corrected():
    truth, told = _place(60)
    found = recalibrate(truth, np.full(60, np.nan), told - 20, [None] * 60, calibration=OWN)
    assert found.female == found.male == NO_CORRECTION
    assert (found.with_sex.cases, found.with_sex.mad_months, found.with_sex.used) == (0, None, "none")
    assert found.without_sex.used == "common"
    assert found.unknown.apply(100.0) == pytest.approx(120, abs=6)
    assert found.intervals_kept


def test_few_cases_widen_intervals_that_do_not_hold_them():
    truth, told = _place(30, noise=40)
    found = recalibrate(truth, told, told, [True, False] * 15, calibration=OWN)
    assert found.intervals_kept
    assert min(found.calibration.known) > 30


def test_new_intervals_hold_as_many_as_promised_and_are_narrower_than_need_be():
    held = []
    wide = Calibration(0.9, (), (60.0,), (60.0,), 700)
    for seed in range(40):
        truth, told = _place(1100, seed)
        distorted, males = 0.9 * told + 5, [False, True] * 550
        found = recalibrate(truth[:100], distorted[:100], distorted[:100], males[:100], calibration=wide)
        assert not found.intervals_kept
        assert max(found.calibration.known) < 40
        corrected = [
            found.correct(age, "M" if male else "F") for age, male in zip(distorted, males, strict=True)
        ]
        ends = np.array([found.calibration.interval(age, sex_known=True) for age in corrected[100:]])
        held.append(np.mean((ends[:, 0] <= truth[100:]) & (truth[100:] <= ends[:, 1])))
    assert 0.87 <= np.mean(held) <= 0.94


DISTORTIONS = {
    "nothing": (1.0, 0.0, True),
    "boys": (0.9, 8.0, True),
    "girls": (0.9, 8.0, False),
    "boys, reverse": (1 / 0.9, -8.0, True),
    "girls, reverse": (1 / 0.9, -8.0, False),
}


def _unseen(count=726, seed=7):
    """Ages as networks tell them of cases that they had not seen: drawn towards the mean, the more the less sure."""
    rng = np.random.default_rng(seed)
    truth = np.clip(rng.normal(127, 41, count), 4, 228)
    noise = rng.standard_t(5, (2, count)) * [[9.5], [12.5]]
    told = 127 + np.array([[0.9], [0.8]]) * (truth - 127) + noise
    return truth, *np.clip(told, 0, 228), rng.random(count) < 0.54


@pytest.mark.parametrize("name", DISTORTIONS)
def test_121_cases_undo_a_distortion_and_nothing_is_done_where_there_is_none(name):
    slope, shift, sex = DISTORTIONS[name]
    truth, known, unknown, males = _unseen()
    own = calibrate(truth, known, unknown)
    told = np.clip(slope * known + shift * (males == sex), 0, 228)
    told_without = np.clip(slope * unknown + shift, 0, 228)
    shares = []
    for seed in range(100):
        order = np.random.default_rng(seed).permutation(len(truth))
        mine, rest = order[:121], order[121:]
        found = recalibrate(
            truth[mine], told[mine], told_without[mine], males[mine].tolist(), calibration=own
        )
        with_sex = np.where(males, found.male.apply(told), found.female.apply(told))
        pairs = ((with_sex, known), (found.unknown.apply(told_without), unknown))
        shares.append([_mad(ages[rest], truth[rest]) / _mad(was[rest], truth[rest]) for ages, was in pairs])
    if name == "nothing":
        assert (np.mean(np.abs(np.array(shares) - 1) < 0.02, axis=0) >= 0.9).all()
    else:
        assert (np.median(shares, axis=0) <= 1.05).all()


def _mad(ages, truth):
    return np.abs(np.clip(ages, 0, 228) - truth).mean()


def test_what_cannot_be_recalibrated_is_refused():
    truth, told = _place(30)
    males = [True] * 30
    with pytest.raises(CalibrationError, match=r"at least 20 cases\. Received: 19"):
        recalibrate(truth[:19], told[:19], told[:19], males[:19], calibration=OWN)
    with pytest.raises(CalibrationError, match="one length"):
        recalibrate(truth, told, told, males[:29], calibration=OWN)
    with pytest.raises(CalibrationError, match="finite"):
        recalibrate(truth, np.full(30, np.nan), told, males, calibration=OWN)
    good = recalibrate(truth, told, told, males, calibration=OWN).to_json()
    for name in good:
        with pytest.raises(CalibrationError, match="not a recalibration"):
            Recalibration.from_json({key: value for key, value in good.items() if key != name})
    for name, value in (("female", {"offset_months": 1.0, "slope": -1.0}), ("with_sex", {}), ("male", 7)):
        with pytest.raises(CalibrationError, match="not a"):
            Recalibration.from_json(good | {name: value})
