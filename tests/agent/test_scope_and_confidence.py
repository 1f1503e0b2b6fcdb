"""The scope score with and without out-of-scope rows, its threshold, and the confidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from noria.agent import Recipe
from noria.agent.heads.confidence import fit_confidence
from noria.agent.heads.logistic import fit_logistic, sigmoid
from noria.agent.heads.scope import LinearScope, conformal_limit, fit_scope, share_weights
from noria.agent.protocols import Reading

NAMES = ("top_logit", "margin", "known")
DICE = np.random.default_rng(11)


def reading(top, margin=0.5, known=1.0, logit=2.0, *, blank=False):
    return Reading(np.array([0.9, 0.1]), 0, logit, known, blank, (top, margin, known))


INSIDE = [
    reading(t, m, k) for t, m, k in zip(DICE.normal(1, 0.5, 300), DICE.random(300), DICE.random(300), strict=True)
]
OUTSIDE = [reading(t, m, k) for t, m, k in zip(DICE.normal(-1, 0.5, 40), DICE.random(40), DICE.random(40), strict=True)]


def rejected(scope, readings):
    return np.mean([scope.score(r) < scope.threshold for r in readings])


def test_the_logistic_fit_equals_the_reference():
    figures = DICE.normal(size=(400, 3)) * (1, 10, 0.1) + (0, 5, -3)
    truth = (DICE.random(400) < 1 / (1 + np.exp(-(figures[:, 0] + 0.2 * (figures[:, 1] - 5))))).astype(float)
    weights = DICE.uniform(0.5, 3, 400)
    ours = fit_logistic(figures, truth, weights)
    up, down = (weights * truth).sum(), (weights * (1 - truth)).sum()
    soft = np.where(truth == 1, (up + 1) / (up + 2), 1 / (down + 2))
    standard = (figures - figures.mean(0)) / figures.std(0)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(
        np.vstack((standard, standard)),
        np.repeat([1, 0], 400),
        sample_weight=np.concatenate((weights * soft, weights * (1 - soft))),
    )
    assert [ours(row) for row in figures] == pytest.approx(theirs.decision_function(standard), abs=1e-4)


@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_rows_of_one_kind_give_a_cautious_constant(truth):
    linear = fit_logistic(np.ones((8, 2)), np.full(8, truth), np.ones(8))
    assert sigmoid(linear((1, 1))) == pytest.approx(abs(truth - 0.1))


def test_out_of_scope_rows_teach_the_score_to_tell_them():
    scope = fit_scope(INSIDE, [True] * 300, OUTSIDE, NAMES, Recipe())
    assert rejected(scope, INSIDE[1::2]) <= 0.04
    assert rejected(scope, OUTSIDE) > 0.9
    assert scope.score(reading(1.5)) > scope.score(reading(-1.5))


def test_without_enough_of_them_the_score_is_the_sum_of_standardised_evidence():
    scope = fit_scope(INSIDE, [True] * 300, OUTSIDE[:5], NAMES, Recipe())
    figures = np.array([r.evidence for r in INSIDE])
    shaping = figures[::2]  # the other half sets the limit
    expected = ((figures - shaping.mean(0)) / shaping.std(0)).sum(axis=1)
    assert [scope.linear(r.evidence) for r in INSIDE] == pytest.approx(expected)
    assert rejected(scope, INSIDE[1::2]) == pytest.approx(0.04, abs=0.01)
    assert rejected(scope, OUTSIDE) > 0.6


def test_balance_rejects_fewer_where_that_serves_more():
    """The two kinds lie far apart, so a gate that uses up its share of false rejects rejects for nothing."""
    far = [reading(-9.0, 0.1, 0.0) for _ in range(30)]
    recipes = Recipe(), Recipe(gate="false_rejects")
    balanced, strict = (fit_scope(INSIDE, [True] * 300, far, NAMES, r) for r in recipes)
    assert rejected(balanced, INSIDE) == 0
    assert rejected(strict, INSIDE[1::2]) == pytest.approx(0.04, abs=0.01)
    assert rejected(balanced, far) == rejected(strict, far) == 1


def test_rejecting_what_would_be_answered_wrong_does_no_harm():
    served = [r.evidence[0] > 0.6 for r in INSIDE]
    near = [reading(r.evidence[0] + 1.5, *r.evidence[1:]) for r in OUTSIDE]
    careful, careless = (
        fit_scope(INSIDE, s, near, NAMES, Recipe(max_false_rejects=0.3)).threshold for s in (served, [True] * 300)
    )
    assert careful > careless


def test_at_most_the_promised_share_of_fresh_in_scope_queries_is_rejected():
    """Split conformal: a guarantee over calibration rows and query together, so the mean over many draws keeps it."""
    dice = np.random.default_rng(17)

    def drawn(count):
        return [reading(t, m, k) for t, m, k in zip(*dice.gamma(2, 1, (3, count)), strict=True)]

    found = []
    for _ in range(300):
        scope = fit_scope(drawn(240), [True] * 240, [], NAMES, Recipe())
        found.append(rejected(scope, drawn(200)))
    assert 0.02 < np.mean(found) <= 0.04 + 3 * np.std(found) / np.sqrt(300)


def test_a_share_of_in_scope_queries_has_a_p_value_up_to_that_share():
    dice = np.random.default_rng(19)
    low = {share: [] for share in (0.05, 0.2, 0.5)}
    for _ in range(200):
        own = np.sort(dice.normal(size=99))
        scope = LinearScope(fit_logistic(np.ones((8, 1)), np.ones(8), np.ones(8)), -9.0, 0.0, tuple(own))
        told = np.array([scope.p_value(float(x)) for x in dice.normal(size=50)])
        for share, shares in low.items():
            shares.append((told <= share).mean())
    assert all(share - 0.02 < np.mean(shares) <= share + 0.015 for share, shares in low.items())


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=60), st.floats(0, 0.5))
def test_below_the_limit_lie_fewer_than_the_share_of_the_scores_and_one_more(scores, share):
    limit = conformal_limit(np.sort(np.array(scores)), share, -99.0)
    assert sum(s < limit for s in scores) <= max(0, share * (len(scores) + 1) - 1) + 1e-9
    assert limit in [*scores, -99.0]


def test_a_text_without_meaning_scores_least_of_all():
    scope = LinearScope(fit_scope(INSIDE, [True] * 300, OUTSIDE, NAMES, Recipe()).linear, -5.0, 0.0, ())
    assert scope.score(reading(9.0, blank=True)) == -5.0 == scope.score(reading(-900.0))


def test_weights_give_foreign_rows_their_share():
    weights = share_weights(np.array([1.0] * 30 + [0.0] * 10), 0.15)
    assert weights.sum() == pytest.approx(40)
    assert weights[30:].sum() == pytest.approx(6)
    assert share_weights(np.ones(4), 0.15).tolist() == [1, 1, 1, 1]


def test_confidence_is_the_share_that_is_right_in_the_expected_traffic():
    inside = [reading(0.0, logit=x) for x in DICE.normal(2, 2, 3000)]
    right = [bool(DICE.random() < sigmoid(r.logit)) for r in inside]
    foreign = [reading(0.0, logit=x) for x in DICE.normal(0, 1, 100)]
    recipe = Recipe(expected_oos_share=0.25)
    every = inside + foreign
    scores = [float(x) for x in np.concatenate((DICE.normal(2, 1, 3000), DICE.normal(-2, 1, 100)))]
    kinds, hits = [True] * 3000 + [False] * 100, right + [False] * 100
    model = fit_confidence(every, scores, kinds, hits, recipe)
    said = np.array([model.confidence(r, s) for r, s in zip(every, scores, strict=True)])
    weights = share_weights(np.array(kinds, float), 0.25)
    assert (weights * said).mean() == pytest.approx((weights * np.array(hits)).mean(), abs=0.005)
    assert model.confidence(reading(0.0, logit=3.0), 2.0) > model.confidence(reading(0.0, logit=3.0), -2.0)
    assert model.confidence(reading(0.0, blank=True), 9.0) == 0


@pytest.mark.parametrize(
    ("few", "heard"), [(True, {"energy", "density"}), (False, {"top_logit", "known", "energy", "density"})]
)
def test_where_vectors_speak_margins_are_not_heard_and_on_few_rows_nothing_but_vectors(few, heard):
    names = ("top_logit", "margin", "known", "energy", "density")
    rows = [
        Reading(np.array([0.9, 0.1]), 0, 2.0, 1.0, blank=False, evidence=tuple(DICE.normal(size=5))) for _ in range(40)
    ]
    scope = fit_scope(rows, [True] * 40, [], names, Recipe(), few=few)
    assert {n for n, c in zip(names, scope.linear.coefficients, strict=True) if c} == heard
