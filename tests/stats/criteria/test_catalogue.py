"""The catalogue: every criterion says what it is, and is measured or says what it needs."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stats.criteria.made_up_rows import INTENTS, columns, observed, reordered

from noria.errors import NotFound, UsageError
from noria.records import OOS
from noria.stats.criteria import CATALOGUE, COMPONENTS, Measurement, Observed, criterion, measure

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def everything() -> Measurement:
    return measure(observed(), replicates=100)


def test_there_are_at_least_170_criteria_and_each_says_what_it_is():
    assert len(CATALOGUE) >= 170
    for one in CATALOGUE.values():
        assert re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", one.id), one.id
        assert one.component in COMPONENTS
        assert len(one.definition) > 5, one.id
        assert one.unit, one.id
        assert one.source, one.id
        assert (one.direction == "target") is math.isfinite(one.target), one.id
        assert sum(way is not None for way in (one.share, one.weighted, one.plain)) == 1, one.id


def test_no_two_criteria_have_the_same_definition():
    told = [(c.component, c.definition) for c in CATALOGUE.values()]
    assert len(set(told)) == len(told)


def test_with_everything_observed_everything_is_measured(everything):
    assert everything.missing == {}
    assert list(everything.values) == list(CATALOGUE)
    assert all(math.isfinite(value) for value in everything.values.values())


def test_no_two_criteria_give_the_same_figures_on_several_samples():
    """Each tells something of its own; pairs that are one in the limit are named here."""
    samples = [measure(observed(seed=s), replicates=0).values for s in range(3)]
    seen: dict[tuple[float, ...], str] = {}
    same = set()
    for name in CATALOGUE:
        figures = tuple(round(sample[name], 12) for sample in samples)
        if figures in seen and not set(figures) <= {0.0, 1.0}:
            same.add((seen[figures], name))
        seen.setdefault(figures, name)
    # The made-up rankings hold at most ten articles, so the tenth place is the last.
    assert same == {
        ("ranking.map_at_10", "ranking.map"),
        ("ranking.mrr", "ranking.mrr_at_10"),
    }


def test_every_figure_lies_within_its_bounds_and_its_interval(everything):
    for name, value in everything.values.items():
        one = CATALOGUE[name]
        assert one.low <= value <= one.high, name
        if name in everything.intervals:
            low, high = everything.intervals[name]
            assert one.low <= low <= value <= high <= one.high, name
        else:
            assert one.interval == "none", name


def test_what_was_not_observed_is_named_and_never_zero():
    seen = columns()
    kept = ("truth", "predicted", "decision", "confidence", "scope_score", "in_scope")
    bare = measure(Observed(**{name: seen[name] for name in kept}), replicates=0)
    assert set(bare.values) | set(bare.missing) == set(CATALOGUE)
    assert not set(bare.values) & set(bare.missing)
    assert bare.missing["ranking.mrr"] == "not measurable: needs rankings of articles"
    assert bare.missing["robustness.typos_loss"] == "not measurable: needs answers to texts changed by 'typos'"
    assert bare.missing["efficiency.train_seconds"] == "not measurable: needs the figure 'train_seconds'"
    assert all(CATALOGUE[name].needs for name in bare.missing)
    assert not any(CATALOGUE[name].needs for name in bare.values)


def test_rows_of_one_kind_leave_out_what_tells_two_kinds_apart():
    inside = Observed(
        truth=["a", "b"], predicted=["a", "a"], decision=["answer"] * 2, confidence=[0.9, 0.2],
        scope_score=[1.0, 2.0], in_scope=[True, True],
    )  # fmt: skip
    found = measure(inside)
    assert found.missing["scope.auroc"] == "not measurable: needs both in-scope and out-of-scope rows"
    assert found.missing["scope.recall"] == "not measurable: needs out-of-scope rows"
    assert found.values["intent.accuracy"] == 0.5


@pytest.mark.parametrize("truth", [[], [OOS], ["vpn"]])
def test_hardly_any_rows_are_no_accident(truth):
    seen = Observed(
        truth=truth, predicted=["vpn"] * len(truth), decision=["answer"] * len(truth), confidence=[0.5] * len(truth),
        scope_score=[0.0] * len(truth), in_scope=[True] * len(truth),
    )  # fmt: skip
    found = measure(seen)
    assert set(found.values) | set(found.missing) == set(CATALOGUE)
    assert all(math.isfinite(value) for value in found.values.values())


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
def test_the_order_of_rows_changes_nothing(seed):
    told = columns(300, seed)
    order = np.random.default_rng(seed).permutation(300)
    straight = measure(Observed(**told), replicates=0).values
    mixed = measure(Observed(**reordered(told, order)), replicates=0).values
    assert straight.keys() == mixed.keys()
    for name, value in straight.items():
        assert mixed[name] == pytest.approx(value, abs=1e-9), name


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
def test_each_row_twice_is_the_same_agent(seed):
    """Counts of rows leave shares as they are; what depends on the number of rows is named."""
    told = columns(200, seed) | {"perturbed": {}, "seeds": {}}
    twice = reordered(told, np.repeat(np.arange(200), 2))
    once, double = (measure(Observed(**t), replicates=0).values for t in (told, twice))
    by_size = {"calibration.spiegelhalter_z"}
    # More slices are large enough to be asked.
    for name in once.keys() - by_size:
        if not name.startswith("slices"):
            assert double[name] == pytest.approx(once[name], abs=1e-9), name


def test_a_perfect_agent_is_at_the_best_end():
    truth = [*INTENTS, OOS, OOS] * 10
    inside = np.array([t != OOS for t in truth])
    perfect = Observed(
        truth=truth,
        predicted=[t if t != OOS else INTENTS[0] for t in truth],
        decision=["answer" if i else "handoff" for i in inside],
        confidence=inside.astype(float),
        scope_score=inside * 2.0 - 1,
        in_scope=inside,
        rankings=[("kb-1", "kb-2")] * len(truth),
        relevant=[frozenset({"kb-1"}) if i else frozenset() for i in inside],
    )
    found = measure(perfect, replicates=0).values
    best_is_not_extreme = {
        "intent.confusion", "calibration.sharpness", "calibration.resolution", "decision.justified", "business.",
        "scope.distance", "ranking.precision_at", "ranking.rank_biased", "ranking.expected", "risk.",
        "risk.aurc", "risk.augrc", "risk.risk_at", "decision.handed", "scope.aupr",
        "calibration.brier_skill", "decision.preciseness_at", "calibration.slope", "ranking.first_rank",
    }  # fmt: skip
    for name, value in found.items():
        one = CATALOGUE[name]
        if one.direction == "target" or any(name.startswith(p) for p in best_is_not_extreme):
            continue
        best = one.high if one.direction == "higher" else max(one.low, 0.0)
        assert value == pytest.approx(best, abs=1e-9), name
    assert found["risk.risk_at_80_percent"] == 0
    assert found["business.regret_per_query"] == pytest.approx(0)


def test_a_seed_draws_the_same_intervals_and_no_replicates_none():
    seen = observed(200)
    assert measure(seen, replicates=50, seed=3) == measure(seen, replicates=50, seed=3)
    without = measure(seen, replicates=0)
    assert {CATALOGUE[name].interval for name in without.intervals} == {"wilson"}


def test_only_what_is_asked_for_is_measured():
    found = measure(observed(100), ["scope.auroc", "intent.accuracy"], replicates=0)
    assert list(found.values) == ["scope.auroc", "intent.accuracy"]


def test_an_unknown_criterion_is_refused_with_the_nearest():
    with pytest.raises(NotFound, match=r"'intent\.acuracy'.*'intent\.accuracy'"):
        criterion("intent.acuracy")


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="scope_score has 2 values for 900 rows"):
        observed(scope_score=[0.0, 1.0])
    with pytest.raises(UsageError, match="confidence"):
        observed(confidence=np.full(900, 1.5))
    with pytest.raises(UsageError, match="decision holds 'maybe'"):
        observed(decision=["maybe"] * 900)
    with pytest.raises(UsageError, match="belong together"):
        observed(classes=None)


def test_a_measurement_goes_through_json_and_back(everything):
    assert Measurement.from_dict(json.loads(json.dumps(everything.to_dict()))) == everything


def test_better_follows_the_direction():
    assert criterion("intent.accuracy").better(0.9, 0.8)
    assert criterion("calibration.ece").better(0.1, 0.2)
    assert criterion("calibration.mean_gap").better(-0.1, 0.2)
