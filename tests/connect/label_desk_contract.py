"""What every label desk must do, run over each counterpart by a subclass named Test..."""

from __future__ import annotations

from contextlib import suppress

import pytest

from noria.ports import BadAnswer, DeskStatus, LabelDesk
from noria.records import NO_ARTICLE, LabelTask, standing

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
    """A subclass gives four fixtures: `desk`, empty, the `journal` behind it, and people who `give` and `withdraw`.

    `give(task, time_ms, **fields)` labels a task as a person does there, at that time, with the fields of a `Label`
    (relevance, intent, article_ids, helpful, annotator); labelling a task again changes the label of that annotator. A
    desk may refuse an answer that cannot count with BadAnswer, or keep it to itself. `withdraw(task, annotator,
    time_ms)` takes back what that person said, at that time or when the desk's own clock says.
    """

    @pytest.fixture
    def desk(self):
        raise NotImplementedError

    @pytest.fixture
    def give(self, desk):
        raise NotImplementedError

    @pytest.fixture
    def withdraw(self, desk):
        raise NotImplementedError

    @pytest.fixture
    def collect(self, desk, journal):
        """What the loop does with a desk: collects everything and keeps it. Returns the labels that count."""

        def run():
            journal.add_labels(desk.collect(0))
            return standing(journal.labels(0))

        return run

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

    def test_a_task_sent_again_with_another_draw_stays_as_it_was_first_sent(self, desk, journal):
        desk.push([desk_task(1)])
        assert desk.push([desk_task(1, inclusion_probability=0.9, seed=8)]) == 0
        assert journal.task("t-p1") == desk_task(1)

    def test_a_task_for_two_people_is_open_until_both_answered(self, desk, give, collect):
        task = desk_task(1, annotators=2)
        desk.push([task])
        give(task, NOON_MS + 1, relevance="irrelevant", annotator="ann")
        assert [label.annotator for label in collect()] == ["ann"]
        assert desk.status().open == 1
        give(task, NOON_MS + 2, relevance="in_scope", intent="vpn_slow", annotator="ben")
        assert [(label.annotator, label.relevance) for label in collect()] == [
            ("ann", "irrelevant"), ("ben", "in_scope"),
        ]  # fmt: skip
        assert desk.status() == DeskStatus(open=0, labelled=1, oldest_open_ms=None)

    def test_a_person_who_answers_twice_counts_once(self, desk, give, collect):
        task = desk_task(1, annotators=2)
        desk.push([task])
        give(task, NOON_MS + 1, relevance="irrelevant", annotator="ann")
        collect()
        give(task, NOON_MS + 2, relevance="in_scope", intent="vpn_slow", annotator="ann")
        assert [(label.annotator, label.relevance) for label in collect()] == [("ann", "in_scope")]
        assert desk.status().open == 1

    def test_a_label_that_was_taken_back_comes_as_withdrawn_and_the_others_stay(self, desk, give, withdraw, collect):
        task = desk_task(1, annotators=2)
        desk.push([task])
        give(task, NOON_MS + 1, relevance="irrelevant", annotator="ann")
        give(task, NOON_MS + 2, relevance="in_scope", intent="vpn_slow", annotator="ben")
        assert len(collect()) == 2
        withdraw(task, "ann", NOON_MS + 3)
        assert [label.annotator for label in collect()] == ["ben"]
        assert [label.annotator for label in collect()] == ["ben"], "however often it is collected"
        assert desk.status() == DeskStatus(open=1, labelled=0, oldest_open_ms=NOON_MS + 1001)

    def test_collecting_again_brings_nothing_new(self, desk, give, journal):
        desk.push([desk_task(1), desk_task(2)])
        for number in (1, 2):
            give(desk_task(number), NOON_MS + number, relevance="irrelevant")
        assert journal.add_labels(desk.collect(0)) in (0, 2), "0 where the desk lies on the journal itself"
        assert journal.add_labels(desk.collect(0)) == 0
        assert len(journal.labels(0)) == 2

    @pytest.mark.parametrize("articles", [("kb1", "kb2"), (NO_ARTICLE,)])
    def test_several_right_articles_can_be_named_or_none(self, desk, give, articles):
        desk.push([desk_task(1)])
        give(desk_task(1), NOON_MS, relevance="in_scope", intent="vpn_slow", article_ids=articles)
        (label,) = desk.collect(0)
        assert label.article_ids == articles

    @pytest.mark.parametrize(
        "said",
        [
            {"relevance": "in_scope", "intent": "left_the_scope"},
            {"relevance": "in_scope"},
            {"relevance": "perhaps"},
            {"relevance": "in_scope", "intent": "vpn_slow", "article_ids": ("kb1", NO_ARTICLE)},
            {"relevance": "new_domain", "intent": "vpn_slow"},
        ],
    )
    def test_an_answer_that_cannot_count_never_becomes_a_label(self, desk, give, collect, said):
        desk.push([desk_task(1)])
        with suppress(BadAnswer):
            give(desk_task(1), NOON_MS, **said)
        assert collect() == []
        assert desk.status().open == 1
        give(desk_task(1), NOON_MS + 1, relevance="irrelevant")
        assert [label.relevance for label in collect()] == ["irrelevant"], "the person may answer again"
