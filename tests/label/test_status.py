"""The people who label are judged by the tasks they share; status, adjudication and doubtful examples tell the rest."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.house import open_stores
from tests.stores.journal_records import label, task

from noria.agent import Recipe
from noria.errors import UsageError
from noria.label.annotators import judge_people
from noria.label.gathering import adjudicate, settle
from noria.label.settling import SettlingPolicy
from noria.label.status import label_status
from noria.label.suspects import find_suspects
from noria.ports import BadAnswer
from noria.records import Example

POLICY = SettlingPolicy()


@pytest.fixture
def stores(tmp_path):
    opened = open_stores(tmp_path)
    yield opened
    opened.close()


def crowd(accuracies, n=150, seed=4):
    """Labels of several people on the same tasks, who name the right intent with these chances."""
    rng = np.random.Generator(np.random.PCG64(seed))
    intents = ["vpn_slow", "vpn_down", "printer", "mail"]
    labels = []
    for number in range(n):
        truth = int(rng.integers(4))
        for who, accuracy in accuracies.items():
            said = truth if rng.random() < accuracy else (truth + int(rng.integers(1, 4))) % 4
            name = f"l-{number}-{who}"
            labels.append(label(name, f"t{number}", f"p{number}", annotator=who, intent=intents[said]))
    return labels


def test_the_careful_are_told_from_the_careless_without_the_truth():
    people = judge_people(crowd({"ann": 0.95, "ben": 0.85, "cid": 0.5}))
    ann, ben, cid = people.annotators
    assert (ann.labels, ann.shared) == (150, 150)
    assert [one.accuracy for one in (ann, ben, cid)] == pytest.approx([0.95, 0.85, 0.5], abs=0.08)
    assert ann.weight > ben.weight > cid.weight
    assert people.agreement.low < people.agreement.alpha < people.agreement.high
    assert people.confused[0][2] >= people.confused[-1][2] > 0


def test_nothing_is_told_of_people_who_share_no_task():
    people = judge_people([label("l1", "t1", annotator="ann"), label("l2", "t2", annotator="ben")])
    assert [(one.accuracy, one.weight, one.shared) for one in people.annotators] == [(None, 1.0, 0)] * 2
    assert math.isnan(people.agreement.alpha)


def test_the_status_counts_work_people_and_money(stores):
    stores.journal.add_tasks([task(f"t{i}", f"p{i}", annotators=2, created_ms=i) for i in range(4)])
    say = lambda name, i, who, **said: label(name, f"t{i}", f"p{i}", annotator=who, **said)  # noqa: E731
    stores.journal.add_labels([
        say("a0", 0, "ann"), say("b0", 0, "ben"),
        say("a1", 1, "ann"), say("b1", 1, "ben", relevance="irrelevant", intent=None, article_ids=()),
        say("a2", 2, "ann"), say("a2x", 2, "ann", time_ms=2**41),
    ])  # fmt: skip
    settle(stores, POLICY)
    at = label_status(stores, SettlingPolicy(cost_per_label=1.5), 40)
    assert (at.open, at.oldest_open_ms, at.settled, at.disputed, at.labels) == (2, 2, 1, 1, 5)
    assert at.cost_per_settled == pytest.approx(9.0), "six labels were paid for one settled task"
    assert (at.daily_budget, at.budget_left) == (40, None)
    assert {one.annotator: one.labels for one in at.people.annotators} == {"ann": 3, "ben": 2}
    assert label_status(stores, POLICY, 40).cost_per_settled is None


def test_a_named_person_decides_a_dispute(stores):
    stores.journal.add_tasks([task(annotators=2)])
    stores.journal.add_labels([label("a"), label("b", annotator="ben", intent="vpn_slow")])
    settle(stores, POLICY)
    said = {"relevance": ["in_scope"], "intent": ["reset_password"]}
    with pytest.raises(UsageError, match="name of who decides"):
        adjudicate(stores, POLICY, "t1", said, by=" ", label_id="x", time_ms=9)
    with pytest.raises(BadAnswer, match="not in the scope"):
        adjudicate(stores, POLICY, "t1", said | {"intent": ["gone"]}, by="Eve", label_id="x", time_ms=9)
    assert stores.journal.judged(0, 2**62) == []
    adjudicate(stores, POLICY, "t1", said, by="Eve", label_id="x", time_ms=9)
    [row] = stores.journal.judged(0, 2**62)
    assert (row.label.intent, row.label.adjudicated_by, row.label.status) == ("reset_password", "Eve", "settled")
    assert stores.journal.judged(0, 2**62, "adjudicate") == []


def test_votes_weigh_by_accuracy_only_where_that_is_asked_for(stores):
    """Two careless people outvote a careful one unless votes weigh."""
    labels = crowd({"ann": 0.97, "ben": 0.55, "cid": 0.55})
    scope = ("vpn_slow", "vpn_down", "printer", "mail")
    stores.journal.add_tasks([task(f"t{i}", f"p{i}", annotators=3, scope=scope) for i in range(150)])
    stores.journal.add_labels(labels)
    settle(stores, SettlingPolicy(weigh_annotators=True))
    weighed = {row.task.task_id: row.label.intent for row in stores.journal.judged(0, 2**62)}
    ann = {lab.task_id: lab.intent for lab in labels if lab.annotator == "ann"}
    stores.journal.add_labels([label(f"n{i}", f"t{i}", f"p{i}", annotator="ann", intent=ann[f"t{i}"], time_ms=2**41)
                               for i in range(150)])  # fmt: skip
    settle(stores, POLICY)
    plain = {row.task.task_id: row.label.intent for row in stores.journal.judged(0, 2**62)}
    outvoted = [name for name, intent in plain.items() if intent != ann[name]]
    assert outvoted
    assert len([name for name in weighed if weighed[name] != ann[name]]) < len(outvoted)


def test_a_planted_label_error_is_doubted_with_its_evidence():
    words = {"printer": "printer paper jam toner", "vpn": "vpn tunnel remote login", "mail": "mail inbox calendar send"}
    rows = [
        Example(f"{intent}-{i}", f"{text.split()[i % 4]} {text} number {i}", intent, "train", origin="file.csv")
        for intent, text in words.items()
        for i in range(12)
    ]
    assert find_suspects(rows, Recipe()) == []
    wrong = Example("odd", "the printer has a paper jam, toner too", "vpn", "train", origin="label:l1")
    [found] = find_suspects([*rows, wrong], Recipe())
    assert (found.example.id, found.better) == ("odd", "printer")
    assert found.better_probability > found.given_probability


def test_too_little_data_raises_no_suspicion():
    assert find_suspects([], Recipe()) == []
    assert find_suspects([Example("a", "x", "vpn"), Example("b", "y", "mail")], Recipe()) == []
