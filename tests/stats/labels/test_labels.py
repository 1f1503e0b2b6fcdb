"""Agreement, the quality of annotators, and doubtful labels, against published figures and other programs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.stats.labels import dawid_skene, krippendorff_alpha, krippendorff_interval, suspects, weight_of

# Krippendorff 2011, section C to E: four observers, twelve units, missing answers as None.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
UNITS = [[answer for answer in unit if answer is not None] for unit in zip(*OBSERVERS, strict=True)]


def test_alpha_is_that_of_the_paper():
    assert krippendorff_alpha(UNITS) == pytest.approx(0.743, abs=5e-4)


def alpha_by_pairs(units):
    """Straight from the definition: observed over expected disagreement of pairs."""
    units = [unit for unit in units if len(unit) > 1]
    every = [answer for unit in units for answer in unit]
    observed = sum(
        sum(a != b for i, a in enumerate(unit) for j, b in enumerate(unit) if i != j) / (len(unit) - 1)
        for unit in units
    ) / len(every)
    pairs = [a != b for i, a in enumerate(every) for j, b in enumerate(every) if i != j]
    return 1.0 if not any(pairs) else 1 - observed / (sum(pairs) / len(pairs))


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=12))
def test_alpha_is_one_less_observed_over_expected_disagreement(units):
    if any(len(unit) > 1 for unit in units):
        assert krippendorff_alpha(units) == pytest.approx(alpha_by_pairs(units))
    else:
        assert math.isnan(krippendorff_alpha(units))


def test_the_interval_covers_the_alpha_of_the_whole_as_often_as_it_says():
    """300 samples of 80 units from a population of 20,000: the 95 % interval misses about one in twenty."""
    rng = np.random.Generator(np.random.PCG64(3))
    truth = rng.choice(4, size=20_000, p=[0.6, 0.2, 0.1, 0.1])
    said = [np.where(rng.random(20_000) < 0.85, truth, rng.integers(4, size=20_000)) for _ in range(2)]
    population = np.stack(said, axis=1).tolist()
    whole = krippendorff_alpha(population)
    found = [
        krippendorff_interval([population[i] for i in rng.choice(20_000, 80)], seed=k, repeats=300) for k in range(300)
    ]
    assert 0.90 <= np.mean([one.low <= whole <= one.high for one in found]) <= 0.98


def test_the_interval_is_repeatable_and_untold_with_a_single_unit():
    assert krippendorff_interval(UNITS, seed=1) == krippendorff_interval(UNITS, seed=1)
    one = krippendorff_interval([["a", "b"], ["a"]], seed=1)
    assert (one.units, math.isnan(one.low)) == (1, True)


def people(seed, accuracies, n=600, answers=4):
    """Units, annotators, answers of people who are right with these chances and otherwise say anything else."""
    rng = np.random.Generator(np.random.PCG64(seed))
    truth = rng.choice(answers, size=n, p=[0.55, 0.25, 0.1, 0.1])
    rows = []
    for person, accuracy in enumerate(accuracies):
        wrong = (truth + rng.integers(1, answers, size=n)) % answers
        said = np.where(rng.random(n) < accuracy, truth, wrong)
        rows += [(unit, person, int(answer)) for unit, answer in enumerate(said)]
    return truth, rows


def test_the_accuracy_of_each_person_is_found_without_the_truth():
    accuracies = [0.95, 0.85, 0.6]
    truth, rows = people(11, accuracies)
    found = dawid_skene(*zip(*rows, strict=True))
    assert found.accuracy == pytest.approx(accuracies, abs=0.05)
    best = found.truth.argmax(axis=1)
    votes = np.zeros_like(found.truth)
    for unit, _, answer in rows:
        votes[unit, answer] += 1
    assert (best == truth).mean() > (votes.argmax(axis=1) == truth).mean(), "better than the plain majority"


def test_a_person_who_mixes_up_two_answers_shows_in_the_confusion():
    truth, rows = people(5, [0.95, 0.95, 0.95])
    rows = [(u, a, 2 if a == 2 and truth[u] == 1 else y) for u, a, y in rows]
    assert dawid_skene(*zip(*rows, strict=True)).confusion[2, 1, 2] > 0.9


def plain_dawid_skene(rows, steps, smoothing):
    """The same, by loops over the formulas of the paper."""
    n_units, n_people, n_answers = (1 + max(row[i] for row in rows) for i in range(3))
    truth = [[0.0] * n_answers for _ in range(n_units)]
    for unit, _, answer in rows:
        truth[unit][answer] += 1
    truth = [[t / sum(unit) for t in unit] for unit in truth]
    for _ in range(steps):
        prior = [sum(unit[k] for unit in truth) / n_units for k in range(n_answers)]
        pi = [
            [[smoothing * (4 if k == j else 1) for j in range(n_answers)] for k in range(n_answers)]
            for _ in range(n_people)
        ]
        for unit, person, answer in rows:
            for k in range(n_answers):
                pi[person][k][answer] += truth[unit][k]
        pi = [[[cell / sum(row) for cell in row] for row in person] for person in pi]
        truth = [list(prior) for _ in range(n_units)]
        for unit, person, answer in rows:
            for k in range(n_answers):
                truth[unit][k] *= pi[person][k][answer]
        truth = [[t / sum(unit) for t in unit] for unit in truth]
    return truth


def test_the_steps_are_those_of_the_paper():
    _, rows = people(2, [0.9, 0.7, 0.5], n=40)
    found = dawid_skene(*zip(*rows, strict=True), max_steps=7, tolerance=0)
    assert np.allclose(found.truth, plain_dawid_skene(rows, 7, 0.1))


def test_no_answers_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        dawid_skene([], [], [])


def test_a_guesser_has_no_weight_and_more_choices_make_the_same_accuracy_weigh_more():
    assert weight_of(0.5, 2) == 0.0
    assert weight_of(0.2, 2) == 0.0
    assert weight_of(0.8, 10) > weight_of(0.8, 2) > 0


def noisy_labels():
    rng = np.random.Generator(np.random.PCG64(5))
    right = rng.integers(5, size=400)
    p = 0.5 * rng.dirichlet(np.ones(5), size=400)
    p[np.arange(400), right] += 0.5
    flipped = rng.random(400) < 0.1
    return np.where(flipped, (right + 1) % 5, right), p, right, flipped


def test_doubtful_labels_are_those_that_cleanlab_doubts():
    """Thresholds and rows as cleanlab 2.9.0 gives them (`get_confident_thresholds`, `compute_confident_joint`)."""
    labels, p, right, flipped = noisy_labels()
    found = suspects(labels, p)
    assert found.thresholds == pytest.approx([0.55900536, 0.55175407, 0.55912202, 0.5383447, 0.54192148], abs=1e-8)
    assert len(found.rows) == 27
    assert flipped[found.rows].all()
    assert (found.better == right[found.rows]).all()
    assert (np.diff(found.margin) <= 0).all()


def test_a_class_without_rows_is_never_the_better_one():
    found = suspects([0, 0, 1], [[0.1, 0.1, 0.8], [0.2, 0.1, 0.7], [0.1, 0.6, 0.3]])
    assert len(found.rows) == 0
    assert math.isnan(found.thresholds[2])
    assert suspects([], np.zeros((0, 2))).rows.tolist() == []
