"""The built-in desk keeps the contract of label desks and lets no contradictory label in."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from tests.connect.label_desk_contract import NOON_MS, LabelDeskContract, desk_task

from noria.connect import BuiltinDesk
from noria.errors import NotFound, UsageError
from noria.label.settling import Settling
from noria.records import Label, standing
from noria.stores.journal import Journal


@pytest.fixture
def journal(tmp_path):
    opened = Journal.open(f"sqlite:///{tmp_path}/journal.db")
    yield opened
    opened.close()


@pytest.fixture
def desk(journal):
    return BuiltinDesk(journal)


@pytest.fixture
def asked(desk):
    """A task on the desk."""
    desk.push([desk_task(1)])
    return desk_task(1)


def answer(**fields) -> Label:
    usual = {
        "annotator": "ann",
        "relevance": "in_scope",
        "intent": "vpn_slow",
        "article_ids": (),
        "helpful": None,
        "time_ms": NOON_MS + 1,
    }
    return Label("l1", "t-p1", "p1", **{**usual, **fields})


class TestBuiltinDesk(LabelDeskContract):
    @pytest.fixture
    def desk(self, journal):
        return BuiltinDesk(journal)

    @pytest.fixture
    def give(self, desk):
        numbers = count()

        def person(task, time_ms, **fields):
            usual = {"annotator": "ann", "intent": None, "article_ids": (), "helpful": None}
            said = {**usual, **fields}
            desk.submit(Label(f"l{next(numbers)}", task.task_id, task.prediction_id, time_ms=time_ms, **said))

        return person

    @pytest.fixture
    def withdraw(self, desk):
        def person(task, annotator, time_ms):
            desk.withdraw(task.task_id, annotator, label_id=f"back-{time_ms}", time_ms=time_ms)

        return person


def test_only_who_gave_a_label_can_take_it_back(desk, asked):
    desk.submit(answer())
    with pytest.raises(UsageError, match="'ben' has no label"):
        desk.withdraw("t-p1", "ben", label_id="l2", time_ms=NOON_MS)
    back = desk.withdraw("t-p1", "ann", label_id="l2", time_ms=NOON_MS)
    assert (back.withdrawn, back.time_ms) == (True, NOON_MS + 2), "never before what it takes back"
    with pytest.raises(UsageError, match="'ann' has no label"):
        desk.withdraw("t-p1", "ann", label_id="l3", time_ms=NOON_MS)


def test_the_disputed_come_with_the_labels_that_count(desk, journal):
    desk.push([desk_task(1, annotators=2), desk_task(2)])
    desk.submit(answer())
    desk.submit(replace(answer(annotator="ben", intent="reset_password", time_ms=NOON_MS + 2), label_id="l2"))
    journal.settle(Settling())
    ((task, labels),) = desk.disputed()
    assert (task.task_id, [label.intent for label in labels]) == ("t-p1", ["vpn_slow", "reset_password"])
    desk.submit(replace(answer(annotator="eve", adjudication=True, time_ms=NOON_MS + 3), label_id="l3"))
    journal.settle(Settling())
    assert desk.disputed() == []
    assert journal.judged(0, 2 * NOON_MS)[0].label.adjudicated_by == "eve"


def test_the_next_tasks_are_the_oldest_without_a_label(desk):
    desk.push([desk_task(i) for i in (3, 1, 2)])
    assert [task.task_id for task in desk.next_tasks(2)] == ["t-p1", "t-p2"]
    desk.submit(answer())
    assert [task.task_id for task in desk.next_tasks(limit=9)] == ["t-p2", "t-p3"]
    assert desk.task("t-p1") == desk_task(1)


def test_a_submitted_label_is_in_the_journal(desk, asked, journal):
    label = desk.submit(answer(note="clear case", helpful=True))
    assert journal.labels(0) == [label]


def test_a_later_label_replaces_the_earlier_one(desk, asked, journal):
    desk.submit(answer())
    second = desk.submit(replace(answer(relevance="irrelevant", intent=None, time_ms=NOON_MS + 2), label_id="l2"))
    assert standing(journal.labels_of(["t-p1"])) == [second]


def test_a_label_submitted_twice_is_stored_once(desk, asked):
    assert desk.submit(answer()) == desk.submit(answer())
    assert len(desk.collect(0)) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"relevance": "in_scop"}, "Did you mean 'in_scope'"),
        ({"intent": None}, "needs the right intent"),
        ({"intent": "  "}, "needs the right intent"),
        ({"intent": "vpn_slwo"}, r"not in the scope of this task\. Did you mean 'vpn_slow'"),
        ({"relevance": "new_domain", "intent": "vpn_slow"}, "choose 'in_scope'"),
        ({"relevance": "new_domain", "intent": "oos"}, "reserved word"),
        ({"relevance": "irrelevant", "intent": "vpn_slow"}, "takes no intent"),
        ({"relevance": "small_talk", "intent": "hello"}, "takes no intent"),
        ({"annotator": " "}, "annotator"),
        ({"prediction_id": "p2"}, "asks about 'p1'"),
    ],
)
def test_a_label_that_contradicts_itself_or_its_task_is_refused(desk, asked, fields, words):
    with pytest.raises(UsageError, match=words):
        desk.submit(replace(answer(), **fields))
    assert desk.collect(0) == []
    assert desk.status().open == 1


def test_a_label_for_an_unknown_task_is_not_found(desk):
    with pytest.raises(NotFound, match="t-p1"):
        desk.submit(answer())


def test_spaces_in_a_freely_named_domain_are_tidied(desk, asked):
    """So that the same words count as the same domain in the backlog."""
    stored = desk.submit(answer(relevance="new_domain", intent="  lease \n a  car "))
    assert stored.intent == "lease a car"
    assert desk.collect(0) == [stored]
