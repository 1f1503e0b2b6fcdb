"""Label tasks keep their sampling design; labels close tasks and are settled; nothing of them is ever deleted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.stores.journal_records import NOON_MS, label, task

from noria.errors import NotFound, UsageError
from noria.records import Judged, Settled, standing


def test_a_task_comes_back_as_it_was_given(journal):
    given_one = task(
        inclusion_probability=0.1, show_prediction=False, article_ids=(), purpose="explore", annotators=3,
        confidence=0.25, scope_score=-3.5, expected_right=0.125, scope_version="abc",
    )  # fmt: skip
    journal.add_tasks([given_one])
    assert journal.task("t1") == given_one


def test_an_unknown_task_is_not_found(journal):
    with pytest.raises(NotFound, match="t9"):
        journal.task("t9")


def test_a_task_sent_again_counts_once_and_the_first_draw_stays(journal):
    assert journal.add_tasks([task(), task("t2", "p2")]) == 2
    assert journal.add_tasks([task(inclusion_probability=0.9), task("t3"), task("t3")]) == 1
    assert journal.task("t1").inclusion_probability == 1 / 3


def test_a_task_id_cannot_be_used_for_another_prediction(journal):
    journal.add_tasks([task()])
    with pytest.raises(UsageError, match="another prediction_id"):
        journal.add_tasks([task("t2"), task("t1", "p2")])
    assert journal.task_counts()["open"] == 1


@pytest.mark.parametrize("chance", [0.0, -0.1, 1.5, float("nan")])
def test_a_task_drawn_with_an_impossible_chance_is_refused(journal, chance):
    with pytest.raises(UsageError, match="inclusion probability"):
        journal.add_tasks([task(inclusion_probability=chance)])


def test_open_tasks_come_oldest_first_and_leave_when_labelled(journal):
    journal.add_tasks([task(f"t{ms}", created_ms=ms) for ms in (30, 10, 40, 20)])
    journal.add_labels([label("l1", "t20")])
    assert [t.task_id for t in journal.open_tasks()] == ["t10", "t30", "t40"]
    assert [t.task_id for t in journal.open_tasks(limit=2)] == ["t10", "t30"]


def test_tasks_are_counted_by_whether_a_person_answered(journal):
    assert journal.task_counts() == {"open": 0, "labelled": 0}
    journal.add_tasks([task("t1", created_ms=10), task("t2", created_ms=20), task("t3", created_ms=30)])
    journal.add_labels([label("l1", "t1"), label("l2", "t1"), label("l3", "t3")])
    assert journal.task_counts() == {"open": 1, "labelled": 2, "oldest_open_ms": 20}
    journal.add_labels([label("l4", "t2")])
    assert journal.task_counts() == {"open": 0, "labelled": 3}


def test_labels_come_back_as_given_in_order_of_time_from_a_half_open_span(journal):
    journal.add_tasks([task()])
    labels = [
        label("l3", time_ms=30, relevance="new_domain", intent="lease a car", article_ids=(), helpful=None),
        label("l1", time_ms=10, relevance="irrelevant", intent=None, article_ids=(), helpful=False),
        label("l2", time_ms=20, note="wörtlich ✓", article_ids=("kb2", "kb1"), withdrawn=True, adjudication=True),
    ]
    assert journal.add_labels(labels) == 3
    assert journal.labels(20) == [labels[2], labels[0]]
    assert journal.labels(10, 30) == [labels[1], labels[2]]


def test_a_label_sent_again_counts_once_and_its_first_time_stays(journal):
    journal.add_tasks([task()])
    first = label()
    assert journal.add_labels([first]) == 1
    assert journal.add_labels([replace(first, time_ms=first.time_ms + 9)]) == 0
    assert journal.labels(0) == [first]


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (label("l2", "t9"), NotFound, "no label task named 't9'"),
        (label("l2", prediction_id="p2"), UsageError, "asks about 'p1'"),
        (label("l1", intent="vpn_slow"), UsageError, "another intent"),
        (label("l2", relevance="in_scop"), UsageError, "Did you mean 'in_scope'"),
    ],
)
def test_a_label_that_contradicts_is_refused_and_nothing_of_the_call_stays(journal, bad, error, words):
    journal.add_tasks([task(), task("t2", "p1")])
    journal.add_labels([label()])
    with pytest.raises(error, match=words):
        journal.add_labels([label("l5", "t2"), bad])
    assert [lab.label_id for lab in journal.labels(0)] == ["l1"]
    assert [t.task_id for t in journal.open_tasks()] == ["t2"]


def settled_by_last(task, labels):
    """What the latest standing label says; a stand-in for the room that settles."""
    counting = standing(labels)
    if not counting:
        return None
    last = counting[-1]
    status = "settled" if len(counting) >= task.annotators else "open"
    return Settled(
        task.task_id, task.prediction_id, status, last.relevance, last.intent, last.article_ids, last.helpful,
        tuple(lab.label_id for lab in counting), tuple(lab.annotator for lab in counting), 0.5, None, last.time_ms,
    )  # fmt: skip


def test_judged_gives_each_settled_task_with_its_settlement_in_order_of_query_time(journal):
    """By when the query was asked, not when it was labelled; a task that no label came in for is not settled again."""
    tasks = [task(f"t{i}", f"p{i}", query_time_ms=NOON_MS - i) for i in range(5)]
    journal.add_tasks(tasks)
    journal.add_labels([label(f"l{i}", f"t{i}", f"p{i}", article_ids=("kb1", "kb9")) for i in (1, 2, 3, 4)])
    assert journal.judged(0, 2 * NOON_MS) == []
    made = journal.settle(settled_by_last, batch=2)
    assert journal.judged(NOON_MS - 3, NOON_MS) == [Judged(tasks[i], made[i - 1]) for i in (3, 2, 1)]
    assert journal.judged(NOON_MS, NOON_MS + 1) == []
    assert journal.settle(settled_by_last) == []
    journal.add_labels([label("l9", "t1", "p1", annotator="ben", relevance="irrelevant")])
    [again] = journal.settle(settled_by_last)
    assert (again.label_ids, again.relevance, again.agreement) == (("l1", "l9"), "irrelevant", 0.5)
    assert again.label_id == "l1+l9"
    assert again in [row.label for row in journal.judged(0, 2 * NOON_MS)]


def test_the_settled_are_told_apart_by_status(journal):
    journal.add_tasks([task("t1"), task("t2", "p2", annotators=2)])
    journal.add_labels([label("l1", "t1"), label("l2", "t2", "p2")])
    journal.settle(settled_by_last)
    assert [row.task.task_id for row in journal.judged(0, 2 * NOON_MS)] == ["t1"]
    assert [row.task.task_id for row in journal.judged(0, 2 * NOON_MS, "open")] == ["t2"]
    assert journal.judged(0, 2 * NOON_MS, "adjudicate") == []


def test_a_task_is_open_until_as_many_people_answered_as_were_asked(journal):
    journal.add_tasks([task(annotators=2)])
    journal.add_labels([label("l1"), label("l2")])
    assert journal.task_counts()["open"] == 1, "one person, whose second answer replaces the first"
    journal.add_labels([label("l3", annotator="ben")])
    assert journal.task_counts() == {"open": 0, "labelled": 1}
    journal.add_labels([label("l4", annotator="ben", time_ms=2 * NOON_MS, withdrawn=True)])
    assert journal.task_counts()["open"] == 1


def test_an_adjudication_closes_a_task_by_itself(journal):
    journal.add_tasks([task(annotators=3)])
    journal.add_labels([label("l1", annotator="eve", adjudication=True)])
    assert journal.task_counts() == {"open": 0, "labelled": 1}


def test_a_task_is_not_offered_to_who_has_answered_it(journal):
    journal.add_tasks([task("t1", annotators=2), task("t2", "p2", annotators=2)])
    journal.add_labels([label("l1", "t1"), label("l2", "t2", "p2", annotator="eve", adjudication=True, withdrawn=True)])
    offered = lambda who: [t.task_id for t in journal.open_tasks(annotator=who)]  # noqa: E731
    assert (offered("ann"), offered("ben"), offered("eve")) == (["t2"], ["t1", "t2"], ["t1", "t2"])
    journal.add_labels([label("l3", "t1", time_ms=2 * NOON_MS, withdrawn=True)])
    assert offered("ann") == ["t1", "t2"], "who takes an answer back is asked again"


def test_a_settlement_goes_when_every_label_of_its_task_was_withdrawn(journal):
    journal.add_tasks([task()])
    journal.add_labels([label("l1")])
    journal.settle(settled_by_last)
    journal.add_labels([label("l2", time_ms=2 * NOON_MS, withdrawn=True)])
    assert journal.settle(settled_by_last) == [None]
    assert journal.judged(0, 2 * NOON_MS) == []
    assert [lab.label_id for lab in journal.labels_of(["t1"])] == ["l1", "l2"], "the labels themselves stay"


def test_nothing_is_settled_where_settling_fails(journal):
    journal.add_tasks([task()])
    journal.add_labels([label()])
    with pytest.raises(ZeroDivisionError):
        journal.settle(lambda task, labels: 1 / 0)
    assert len(journal.settle(settled_by_last)) == 1


def test_a_task_that_asks_nobody_is_refused(journal):
    with pytest.raises(UsageError, match="0 annotators"):
        journal.add_tasks([task(annotators=0)])
