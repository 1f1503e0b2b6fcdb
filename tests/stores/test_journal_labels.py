"""Label tasks keep their sampling design; labels close tasks; the latest label of a task counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.stores.journal_records import NOON_MS, label, task

from noria.errors import NotFound, UsageError
from noria.records import Judged


def test_a_task_comes_back_as_it_was_given(journal):
    given_one = task(inclusion_probability=0.1, show_prediction=False, article_ids=())
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
        label("l3", time_ms=30, relevance="new_domain", intent="lease a car", article_id=None, helpful=None),
        label("l1", time_ms=10, relevance="irrelevant", intent=None, article_id=None, helpful=False),
        label("l2", time_ms=20, note="wörtlich ✓"),
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


def test_judged_gives_each_labelled_task_its_latest_label_in_order_of_query_time(journal):
    """The latest by time, then by label id; by when the query was asked, not when it was labelled."""
    tasks = [task(f"t{i}", f"p{i}", query_time_ms=NOON_MS - i) for i in range(5)]
    journal.add_tasks(tasks)
    given_labels = [
        label("l9", "t1", "p1", time_ms=50),
        label("l1", "t1", "p1", time_ms=60),
        label("lb", "t2", "p2", time_ms=70),
        label("lB", "t2", "p2", time_ms=70),
        label("l3", "t3", "p3", time_ms=1),
        label("l4", "t4", "p4", time_ms=1),
    ]
    journal.add_labels(given_labels)
    assert journal.judged(NOON_MS - 3, NOON_MS) == [
        Judged(tasks[3], given_labels[4]),
        Judged(tasks[2], given_labels[2]),
        Judged(tasks[1], given_labels[1]),
    ]
    assert journal.judged(NOON_MS, NOON_MS + 1) == []
