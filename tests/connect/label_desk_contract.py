"""What every label desk must do, run over each counterpart by a subclass named Test..."""

from __future__ import annotations

import pytest

from noria.ports import DeskStatus, LabelDesk
from noria.records import LabelTask

NOON_MS = 1_767_268_800_000


def desk_task(number: int, **fields) -> LabelTask:
    usual = {
        "account": "acme",
        "text": f"query {number}: größer als <b>✓</b>",
        "predicted_intent": "vpn_slow",
        "decision": "answer",
        "article_ids": ("kb1", "kb2"),
        "release": "r0001",
        "query_time_ms": NOON_MS + number,
        "stratum": "uniform-1/1",
        "inclusion_probability": 0.25,
        "seed": 7,
        "design": "uniform-1",
        "scope": ("vpn_slow", "vpn_not_connecting", "reset_password"),
        "created_ms": NOON_MS + 1000 + number,
    }
    return LabelTask(f"t-p{number}", f"p{number}", **{**usual, **fields})


class LabelDeskContract:
    """A subclass gives two fixtures: `desk`, an empty desk, and `give`, a person at it.

    `give(task, time_ms, **fields)` labels a task as a person does there, at that time, with the fields of a `Label`
    (relevance, intent, article_ids, helpful, annotator); labelling a task again changes its label.
    """

    @pytest.fixture
    def desk(self):
        raise NotImplementedError

    @pytest.fixture
    def give(self, desk):
        raise NotImplementedError

    def test_it_has_the_shape_of_a_label_desk(self, desk):
        assert isinstance(desk, LabelDesk)

    def test_an_empty_desk_has_nothing(self, desk):
        assert desk.push([]) == 0
        assert desk.collect(0) == []
        assert desk.status() == DeskStatus(open=0, labelled=0, oldest_open_ms=None)

    def test_a_task_appears_once_however_often_it_is_sent(self, desk):
        assert desk.push([desk_task(1), desk_task(2)]) == 2
        assert desk.push([desk_task(2), desk_task(3), desk_task(3)]) == 1
        assert desk.push([desk_task(1), desk_task(2), desk_task(3)]) == 0
        assert desk.status().open == 3

    def test_many_tasks_are_taken_at_once(self, desk):
        assert desk.push([desk_task(i) for i in range(250)]) == 250
        assert desk.status() == DeskStatus(open=250, labelled=0, oldest_open_ms=NOON_MS + 1000)

    def test_a_label_comes_back_with_all_that_the_person_said(self, desk, give):
        desk.push([desk_task(1)])
        give(
            desk_task(1),
            NOON_MS + 5000,
            relevance="in_scope",
            intent="vpn_not_connecting",
            article_ids=("kb2",),
            helpful=False,
            annotator="ann",
        )
        (label,) = desk.collect(0)
        assert (label.task_id, label.prediction_id, label.annotator) == ("t-p1", "p1", "ann")
        assert (label.relevance, label.intent, label.article_ids) == ("in_scope", "vpn_not_connecting", ("kb2",))
        assert label.helpful is False
        assert label.time_ms == NOON_MS + 5000

    @pytest.mark.parametrize(
        ("relevance", "intent"),
        [("new_domain", "lease a car"), ("new_domain", None), ("irrelevant", None), ("small_talk", None)],
    )
    def test_a_query_outside_the_scope_can_be_told(self, desk, give, relevance, intent):
        desk.push([desk_task(1)])
        give(desk_task(1), NOON_MS, relevance=relevance, intent=intent)
        (label,) = desk.collect(0)
        assert (label.relevance, label.intent, label.article_ids, label.helpful) == (relevance, intent, (), None)

    def test_labels_are_collected_from_a_time_on_in_order_of_time(self, desk, give):
        tasks = [desk_task(i) for i in range(4)]
        desk.push(tasks)
        for task, ms in zip(tasks, (40, 10, 30, 20), strict=True):
            give(task, NOON_MS + ms, relevance="irrelevant")
        assert [label.prediction_id for label in desk.collect(0)] == ["p1", "p3", "p2", "p0"]
        assert [label.prediction_id for label in desk.collect(NOON_MS + 20)] == ["p3", "p2", "p0"]
        assert desk.collect(NOON_MS + 41) == []

    def test_a_changed_label_comes_again_under_a_new_id_and_the_latest_is_the_change(self, desk, give):
        desk.push([desk_task(1)])
        give(desk_task(1), NOON_MS + 10, relevance="irrelevant")
        (before,) = desk.collect(0)
        give(desk_task(1), NOON_MS + 20, relevance="in_scope", intent="vpn_slow")
        (changed,) = desk.collect(NOON_MS + 11)
        assert changed.label_id != before.label_id
        assert (changed.relevance, changed.intent) == ("in_scope", "vpn_slow")
        assert desk.collect(0)[-1] == changed
        assert desk.status().labelled == 1

    def test_the_status_counts_open_and_labelled_and_the_oldest_open(self, desk, give):
        desk.push([desk_task(i) for i in (3, 1, 2)])
        give(desk_task(1), NOON_MS, relevance="irrelevant")
        assert desk.status() == DeskStatus(open=2, labelled=1, oldest_open_ms=NOON_MS + 1002)
        for number in (2, 3):
            give(desk_task(number), NOON_MS, relevance="irrelevant")
        assert desk.status() == DeskStatus(open=0, labelled=3, oldest_open_ms=None)

    def test_a_labelled_task_that_is_sent_again_stays_labelled(self, desk, give):
        desk.push([desk_task(1)])
        give(desk_task(1), NOON_MS, relevance="irrelevant")
        assert desk.push([desk_task(1)]) == 0
        assert desk.status().open == 0
