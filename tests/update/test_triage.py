"""Why queries failed: by label and by finding."""

from __future__ import annotations

import pytest
from tests.update.made_up_work import judged

from noria.records import NO_ARTICLE, Finding
from noria.update.triage import Retried, TriagePolicy, cause_of, of_finding, of_labels

CHANGE_MS = 1000


def finding() -> Finding:
    return Finding("f1", "success", 2000, CHANGE_MS, 900, 1100, 0.9, 0.6, "it fell")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({}, None),
        ({"article_ids": ("kb-1",), "helpful": True}, None),
        ({"predicted": "printer"}, "in_scope"),
        ({"decision": "handoff"}, "in_scope"),
        ({"decision": "clarify"}, "in_scope"),
        ({"relevance": "new_domain", "intent": "badge"}, "new_domain"),
        ({"relevance": "new_domain", "intent": None, "decision": "handoff"}, "new_domain"),
        ({"relevance": "irrelevant", "intent": None}, "irrelevant"),
        ({"relevance": "irrelevant", "intent": None, "decision": "handoff"}, None),
        ({"relevance": "small_talk", "intent": None, "decision": "handoff"}, None),
        ({"article_ids": (NO_ARTICLE,)}, "knowledge_gap"),
        ({"article_ids": ("kb-9",)}, "knowledge_gap"),
        ({"helpful": False}, "knowledge_gap"),
    ],
)
def test_a_label_tells_the_cause_of_a_failure(said, cause):
    assert cause_of(judged(1, **said)) == cause


def test_a_days_labels_are_counted_by_cause():
    labels = [judged(1), judged(2, predicted="printer"), judged(3, predicted="printer"), judged(4, helpful=False)]
    assert of_labels(labels) == {"in_scope": 2, "knowledge_gap": 1}


def stretch(before: dict, after: dict, n: int = 100, share: float = 0.4, chance: float = 1.0) -> list:
    """N labels on each side of the change, of which `share` fail in one way after it and a tenth in another before."""
    rows = [judged(i, time_ms=i * 8, chance=chance, **(before if i % 10 == 0 else {})) for i in range(n)]
    rows += [
        judged(n + i, time_ms=CHANGE_MS + 1 + i, chance=chance, **(after if i < share * n else {})) for i in range(n)
    ]
    return rows


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        ({"predicted": "printer"}, "in_scope"),
        ({"relevance": "new_domain", "intent": "badge"}, "new_domain"),
        ({"article_ids": (NO_ARTICLE,)}, "knowledge_gap"),
        ({"relevance": "irrelevant", "intent": None}, "irrelevant"),
    ],
)
def test_the_cause_that_rose_is_named_and_its_rise_is_told(after, cause):
    said = of_finding(finding(), stretch({"predicted": "printer"}, after), TriagePolicy())
    assert said.cause == cause
    assert said.confidence > 0.95
    assert said.shares[cause] == pytest.approx(0.4 - (0.1 if cause == "in_scope" else 0))


def test_rises_add_up_to_the_rise_of_failures():
    rows = stretch({"predicted": "printer"}, {"helpful": False})
    said = of_finding(finding(), rows, TriagePolicy())
    failed = [[cause_of(j) is not None for j in rows[:100]], [cause_of(j) is not None for j in rows[100:]]]
    assert sum(said.shares.values()) == pytest.approx((sum(failed[1]) - sum(failed[0])) / 100)


def test_few_labels_ask_for_more_instead_of_guessing():
    rows = stretch({}, {"predicted": "printer"}, n=4, share=0.25)
    rows += [judged(50, time_ms=CHANGE_MS + 50, helpful=False)]
    said = of_finding(finding(), rows, TriagePolicy())
    assert said.cause == "unsure"
    assert said.labels_lacking >= 20
    assert str(said.labels_lacking) in said.sentence


def test_no_labels_since_the_change_ask_for_some():
    said = of_finding(finding(), [judged(1, time_ms=1)], TriagePolicy())
    assert (said.cause, said.labels_lacking) == ("unsure", 20)


def test_a_release_that_does_worse_on_the_same_queries_is_a_fault_to_roll_back():
    retried = Retried("r2", "r1", b=30, c=4, n=120)
    said = of_finding(finding(), stretch({}, {"predicted": "printer"}), TriagePolicy(), retried)
    assert (said.cause, said.action) == ("fault", "roll the release back")
    assert "r1 answers 21.7 points more of 120" in said.sentence


def test_a_release_that_does_as_well_as_the_one_before_is_no_fault():
    retried = Retried("r2", "r1", b=6, c=5, n=120)
    assert of_finding(finding(), stretch({}, {"predicted": "printer"}), TriagePolicy(), retried).cause == "in_scope"


def test_labels_weigh_by_their_chance():
    """Uncertain queries drawn ten times as often do not make their failures ten times as many."""
    before = [judged(i, time_ms=i) for i in range(100)]
    often = [judged(200 + i, time_ms=CHANGE_MS + i, chance=1.0, predicted="printer") for i in range(50)]
    rare = [judged(300 + i, time_ms=CHANGE_MS + i, chance=0.1, helpful=False) for i in range(20)]
    fine = [judged(400 + i, time_ms=CHANGE_MS + i, chance=0.1) for i in range(30)]
    assert of_finding(finding(), before + often + rare + fine, TriagePolicy()).cause == "knowledge_gap"
