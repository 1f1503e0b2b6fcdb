"""Measures agree with scikit-learn where it has them, and with counting by hand where it has not."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from noria.errors import UsageError
from noria.stats import (
    accuracy,
    auprc,
    auroc,
    brier,
    confusion_pairs,
    ece,
    fpr_at_tpr,
    log_loss,
    macro_f1,
    recall_at_false_rejects,
)

classes = st.sampled_from(["vpn", "wifi", "mail", "printer", "phone"])
labelled = st.lists(st.tuples(classes, classes), min_size=1, max_size=80)
# few distinct scores, so that there are many ties
scored = st.lists(st.tuples(st.integers(-4, 4).map(float), st.booleans()), min_size=2, max_size=80)
confident = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80)


@given(rows=labelled)
@settings(max_examples=60)
def test_accuracy_and_f1_are_those_of_scikit_learn(rows) -> None:
    """Also for classes that were only predicted, or never."""
    truth, predicted = (list(side) for side in zip(*rows, strict=True))
    assert accuracy(truth, predicted) == pytest.approx(metrics.accuracy_score(truth, predicted))
    expected = metrics.f1_score(truth, predicted, average="macro", zero_division=0)
    assert macro_f1(truth, predicted) == pytest.approx(expected)


@given(rows=labelled, top=st.integers(0, 30))
def test_confusions_are_counted_largest_first(rows, top) -> None:
    """Every mistake and nothing else, ties by name."""
    truth, predicted = zip(*rows, strict=True)
    mistakes = Counter(row for row in rows if row[0] != row[1])
    expected = sorted(mistakes.items(), key=lambda item: (-item[1], item[0]))[:top]
    assert [((p.truth, p.predicted), p.count) for p in confusion_pairs(truth, predicted, top)] == expected


@given(rows=scored)
@settings(max_examples=60)
def test_areas_are_those_of_scikit_learn(rows) -> None:
    """With many ties; where there is only one kind of row there is no area."""
    score, positive = (np.array(side) for side in zip(*rows, strict=True))
    if positive.any():
        assert auprc(score, positive) == pytest.approx(metrics.average_precision_score(positive, score))
    if positive.any() and not positive.all():
        assert auroc(score, positive) == pytest.approx(metrics.roc_auc_score(positive, score))
    else:
        assert math.isnan(auroc(score, positive))


@given(rows=scored)
def test_turning_scores_round_turns_the_area_round(rows) -> None:
    """Any rising change of scores keeps the area; the sign turns it to one minus itself."""
    score, positive = (np.array(side) for side in zip(*rows, strict=True))
    if positive.any() and not positive.all():
        assert auroc(np.exp(score), positive) == auroc(score, positive)
        assert auroc(-score, positive) == pytest.approx(1 - auroc(score, positive))


@given(rows=scored, tpr=st.floats(0.05, 1))
def test_false_positives_are_those_of_the_roc_curve(rows, tpr) -> None:
    """The first point of scikit-learn's curve with enough true positives."""
    score, positive = (np.array(side) for side in zip(*rows, strict=True))
    if not positive.any() or positive.all():
        assert math.isnan(fpr_at_tpr(score, positive, tpr))
        return
    false, true, _ = metrics.roc_curve(positive, score, drop_intermediate=False)
    assert fpr_at_tpr(score, positive, tpr) == pytest.approx(false[np.argmax(true >= tpr - 1e-9)])


@given(
    inside=st.lists(st.integers(-4, 4), min_size=1, max_size=60),
    outside=st.lists(st.integers(-4, 4), min_size=1, max_size=60),
    rate=st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.3, 0.5, 1.0]),
)
def test_no_threshold_rejects_more_within_the_rate(inside, outside, rate) -> None:
    """The best of all thresholds, tried one by one."""
    a, b = np.array(inside), np.array(outside)
    tried = [(b < t).mean() for t in np.arange(-5, 7) if (a < t).mean() <= rate]
    assert recall_at_false_rejects(a, b, rate) == max(tried)


def test_rates_are_not_lost_to_rounding() -> None:
    """29 of 100 at a rate of 0.29, though 0.29 * 100 is a little less than 29 in floats."""
    assert recall_at_false_rejects(np.arange(100), [28.5], 0.29) == 1
    assert recall_at_false_rejects(np.arange(100), [29.5], 0.29) == 0


@given(rows=confident)
@settings(max_examples=60)
def test_losses_are_those_of_scikit_learn(rows) -> None:
    """Brier and log loss, also for confidences of 0 and 1."""
    confidence, right = (np.array(side) for side in zip(*rows, strict=True))
    assert brier(confidence, right) == pytest.approx(np.mean((confidence - right) ** 2))
    assert brier(confidence, right) == pytest.approx(
        metrics.brier_score_loss(right, confidence, pos_label=True, labels=[False, True])
    )
    assert log_loss(confidence, right) == pytest.approx(
        metrics.log_loss(right, confidence, labels=[False, True]), abs=1e-9
    )


@given(rows=confident, seed=st.integers(0, 100), bins=st.integers(1, 20))
def test_calibration_does_not_depend_on_the_order_of_rows(rows, seed, bins) -> None:
    """Shuffled rows give the same error, from 0 to 1, at least the distance of the two means."""
    confidence, right = (np.array(side) for side in zip(*rows, strict=True))
    order = np.random.default_rng(seed).permutation(len(rows))
    error = ece(confidence, right, bins)
    assert ece(confidence[order], right[order], bins) == pytest.approx(error, abs=1e-12)
    assert abs(confidence.mean() - right.mean()) - 1e-12 <= error <= 1


def test_calibration_error_is_that_of_equal_bins() -> None:
    """Distinct confidences in 15 bins of 20 rows each, by hand."""
    rng = np.random.default_rng(0)
    confidence = np.sort(rng.random(300))
    right = rng.random(300) < confidence**2
    expected = np.mean(
        [abs(c.mean() - r.mean()) for c, r in zip(confidence.reshape(15, 20), right.reshape(15, 20), strict=True)]
    )
    assert ece(confidence, right) == pytest.approx(expected)


def test_tied_confidences_lie_in_the_bin_of_their_middle() -> None:
    """Ten rows at 0.2 and ninety at 0.9 fill two bins, so that their opposite errors do not cancel."""
    confidence, right = [0.2] * 10 + [0.9] * 90, [True] * 10 + [True] * 73 + [False] * 17
    assert ece(confidence, right, bins=2) == pytest.approx((10 * 0.8 + 90 * 0.9 - 73) / 100)


def test_a_calibrated_model_has_nearly_no_error() -> None:
    """50,000 rows whose confidence is the truth: under a point; overconfident by ten points: ten."""
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.3, 0.9, 50_000)
    right = rng.random(50_000) < confidence
    assert ece(confidence, right) < 0.01
    assert ece(confidence + 0.1, right) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("measure", [accuracy, macro_f1, auroc, auprc, fpr_at_tpr, ece, brier, log_loss])
def test_no_rows_have_no_measure(measure) -> None:
    """NaN, not an error."""
    assert math.isnan(measure([], []))


def test_one_empty_side_has_no_recall() -> None:
    """NaN for no in-scope or no out-of-scope rows; no confusion without rows."""
    assert math.isnan(recall_at_false_rejects([], [1.0], 0.05))
    assert math.isnan(recall_at_false_rejects([1.0], [], 0.05))
    assert confusion_pairs([], []) == []


@pytest.mark.parametrize(
    "measure", [accuracy, macro_f1, confusion_pairs, auroc, auprc, fpr_at_tpr, ece, brier, log_loss]
)
def test_rows_without_a_partner_are_refused(measure) -> None:
    """Different lengths."""
    with pytest.raises(UsageError, match="length"):
        measure([1, 0, 1], [True, False])


@pytest.mark.parametrize(
    "call",
    [
        lambda: auroc([math.nan, 1], [True, False]),
        lambda: auroc([0.1, 0.2], [0.5, 1]),
        lambda: brier([1.5], [True]),
        lambda: ece([0.5], [True], bins=0),
        lambda: fpr_at_tpr([0.1], [True], tpr=0),
        lambda: recall_at_false_rejects([0.1], [0.1], rate=5),
        lambda: accuracy([["a"]], [["a"]]),
    ],
)
def test_values_outside_their_limits_are_refused(call) -> None:
    """NaN scores, half truths, confidences above 1, no bins, shares that are percent."""
    with pytest.raises(UsageError):
        call()
