"""Strata: weekends and another labelling policy are no change, a drop is, and a restart forgets nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from noria.errors import UsageError
from noria.stats.detection import QualityWatch, bands
from noria.stats.detection.stratified import Tally

RATES = np.array([0.97, 0.85, 0.6])


def stream(rng, n, mix, drop=0.0):
    """Strata and outcomes of n labels, drawn in a mix of bands."""
    band = rng.choice(3, size=n, p=mix)
    return [f"band {b}" for b in band], (rng.random(n) < RATES[band] - drop).astype(float)


def learnt(rng, n=3000):
    """A watch after a reference time with an even mix."""
    watch = QualityWatch()
    strata, y = stream(rng, n, [1 / 3] * 3)
    for name in set(strata):
        watch = watch.learn(name, y[np.array(strata) == name])
    return watch


def test_another_labelling_policy_raises_no_alarm_and_one_stratum_would():
    """Low-confidence-first from now on, quality as before: quiet in strata, in alarm without."""
    stratified = plain = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        watch = learnt(rng)
        blind = QualityWatch().learn("all", stream(rng, 3000, [1 / 3] * 3)[1])
        strata, y = stream(rng, 3000, [0.1, 0.2, 0.7])
        stratified += watch.run(strata, y, spend=1e-4)[1] is not None
        plain += blind.run(["all"] * len(y), y, spend=1e-4)[1] is not None
    assert plain == 20
    assert stratified <= 6  # 60,000 labels at a run length of 10,000


def test_a_drop_in_every_stratum_is_found():
    """Ten points down: found within 1,000 labels in each of 20 streams."""
    for seed in range(20):
        rng = np.random.default_rng(100 + seed)
        strata, y = stream(rng, 1000, [1 / 3] * 3, drop=0.1)
        assert learnt(rng).run(strata, y, spend=1e-4)[1] is not None


def test_known_rates_keep_the_run_length():
    """At exactly the acceptable rates, the worst case, the average run is at least what was promised."""
    runs = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        watch = QualityWatch(floors={f"band {b}": float(r) for b, r in enumerate(RATES)})
        alarm = watch.run(*stream(rng, 4000, [0.2, 0.5, 0.3]), spend=0.01)[1]
        runs.append(4000 if alarm is None else alarm + 1)
    assert np.mean(runs) >= 100


@pytest.mark.parametrize("cut", [0, 1, 250, 499])
def test_a_restart_forgets_nothing(cut):
    """Written as JSON and read again anywhere: the same watch to the last bit, weights and new strata included."""
    rng = np.random.default_rng(5)
    watch = learnt(rng, 300)
    strata, y = stream(rng, 500, [0.5, 0.3, 0.2])
    strata = ["new" if i % 7 == 0 else name for i, name in enumerate(strata)]
    weight = rng.choice([0.2, 0.5, 1.0], 500)
    whole, _ = watch.run(strata, y, weight, spend=1e-12)
    first, _ = watch.run(strata[:cut], y[:cut], weight[:cut], spend=1e-12)
    again = QualityWatch.from_json(json.loads(json.dumps(first.to_json())))
    assert again.run(strata[cut:], y[cut:], weight[cut:], spend=1e-12)[0] == whole


def test_weights_within_a_stratum_are_respected():
    """Hard queries of a stratum drawn five times as often, weighing a fifth: no alarm; without weights always one."""
    seen = {"weighted": 0, "blind": 0}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        watch = QualityWatch().learn("all", (rng.random(3000) < 0.8).astype(float))
        hard = rng.random(3000) < 5 / 6  # half of the traffic
        y = (rng.random(3000) < np.where(hard, 0.65, 0.95)).astype(float)
        weight = np.where(hard, 0.2, 1.0)
        seen["weighted"] += watch.run(["all"] * 3000, y, weight, spend=1e-4)[1] is not None
        seen["blind"] += watch.run(["all"] * 3000, y, spend=1e-4)[1] is not None
    assert seen["blind"] == 10
    assert seen["weighted"] <= 3


def test_a_stratum_without_a_reference_learns_first():
    """Only failures in a new stratum: they become its reference, nothing is held against it before."""
    watch, alarm = QualityWatch(min_labels=30).run(["new"] * 29, [0.0] * 29, spend=0.1)
    assert alarm is None
    assert watch.labels == 0
    assert watch.reference["new"].weight == 29


def test_what_was_reached_once_stays_acceptable():
    """A release that reached less raises nothing; one that reached more does, less two standard errors."""
    watch = QualityWatch(floors={"a": 0.8})
    assert watch.raised({"a": Tally(100, 400, 400)}).acceptable("a") == 0.8
    better = watch.raised({"a": Tally(360, 400, 400)}).acceptable("a")
    assert 0.85 < better < 0.9
    assert watch.raised({"a": Tally(9, 9, 9)}).acceptable("a") == 0.8


def test_what_is_spent_by_time_keeps_the_budget_however_many_labels_come():
    """0.02 false alarms a day, few labels on some days and many on others: at the acceptable rate, no more alarms."""
    alarms = days = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        watch, n = QualityWatch(floors={"a": 0.8}), rng.choice([1, 5, 60], 150)
        first = np.cumsum(n) - n
        spend = np.zeros(int(n.sum()))
        spend[first] = 0.02
        y = (rng.random(len(spend)) < 0.8).astype(float)
        alarm = watch.run(["a"] * len(y), y, spend=spend)[1]
        alarms += alarm is not None
        days += 150 if alarm is None else int(np.searchsorted(first, alarm, side="right"))
    assert alarms <= 0.02 * days


def test_few_labels_get_fewer_bands():
    """Four bands for many labels, one for a handful; every band has labels on both kinds of day."""
    rng = np.random.default_rng(0)
    confidence, weekend = rng.random(5000), rng.random(5000) < 2 / 7
    assert len(bands(confidence, weekend)) == 3
    assert bands(confidence[:100], weekend[:100]) == []
    assert bands([], []) == []


def test_what_cannot_be_taken_is_refused():
    with pytest.raises(UsageError, match="strata"):
        QualityWatch().run(["a"], [1, 1], spend=0.1)
    with pytest.raises(UsageError, match="spent"):
        QualityWatch().run(["a"], [1], spend=1)
