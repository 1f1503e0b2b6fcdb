"""The desk on a real Label Studio keeps the contract of label desks, whatever people and programs do there."""

from __future__ import annotations

import re
from itertools import count

import pytest
from tests.connect.label_desk_contract import NOON_MS, LabelDeskContract, desk_task
from tests.connect.label_studio_server import as_said, choice
from tests.stores.journal_records import candidate as made_up_candidate

from noria.connect.label_studio import LabelStudioClient, LabelStudioDesk
from noria.ports import DeskStatus
from noria.records import standing
from noria.stores.journal import Journal

pytestmark = [pytest.mark.real, pytest.mark.slow]
TITLES = count(1)


@pytest.fixture
def journal(tmp_path):
    opened = Journal.open(f"sqlite:///{tmp_path}/journal.db")
    yield opened
    opened.close()


@pytest.fixture
def title():
    """A project of the test's own."""
    return f"Noria test {next(TITLES)}"


@pytest.fixture
def desk(label_studio, journal, title, tmp_path):
    client = LabelStudioClient(label_studio.running.url, label_studio.token, pause_s=0.05)
    yield LabelStudioDesk(client, journal, title=title, lock=tmp_path / "lock")
    client.close()


@pytest.fixture
def given():
    """(task id, name) → number of the answer."""
    return {}


@pytest.fixture
def give(label_studio, desk, given):
    def person(task, time_ms=None, annotator="ann", **said):
        key = (task.task_id, annotator)
        result = as_said(**said)
        if key in given:
            label_studio.call("PATCH", f"/api/annotations/{given[key]}/", body={"result": result})
        else:
            row = label_studio.row(desk.report().project, task.task_id)
            given[key] = label_studio.annotate(row["id"], result, annotator)
        if time_ms is not None:
            label_studio.set_time(given[key], time_ms)
        return given[key]

    return person


class TestLabelStudioDesk(LabelDeskContract):
    @pytest.fixture
    def desk(self, desk):
        return desk

    @pytest.fixture
    def give(self, give):
        return give

    @pytest.fixture
    def withdraw(self, label_studio, given):
        def person(task, annotator, time_ms):
            label_studio.call("DELETE", f"/api/annotations/{given.pop((task.task_id, annotator))}/")

        return person


# --- What people do there -------------------------------------------------------------------------------------------


def test_an_answer_that_is_deleted_or_skipped_is_taken_back(desk, give, given, journal, label_studio):
    """It is withdrawn once, and the other person's label stays."""
    desk.push([desk_task(1, annotators=2)])
    mine = give(desk_task(1), annotator="ann", relevance="irrelevant")
    give(desk_task(1), annotator="ben", relevance="in_scope", intent="vpn_slow")
    journal.add_labels(desk.collect(0))
    label_studio.call("DELETE", f"/api/annotations/{mine}/")
    (gone,) = [label for label in desk.collect(0) if label.withdrawn]
    assert (gone.annotator, gone.relevance) == ("ann", "irrelevant")
    journal.add_labels(desk.collect(0))
    assert [label.annotator for label in standing(journal.labels(0))] == ["ben"]
    assert [label for label in desk.collect(0) if label.withdrawn] == []
    other = next(number for (_, name), number in given.items() if name == "ben")
    label_studio.call("PATCH", f"/api/annotations/{other}/", body={"was_cancelled": True})
    journal.add_labels(desk.collect(0))
    assert standing(journal.labels(0)) == []


def test_an_older_answer_counts_again_when_the_newer_one_of_the_same_person_is_deleted(
    desk, give, journal, label_studio
):
    desk.push([desk_task(1)])
    give(desk_task(1), relevance="in_scope", intent="vpn_slow")
    row = label_studio.row(desk.report().project, "t-p1")
    second = label_studio.annotate(row["id"], as_said("irrelevant"), "ann")
    journal.add_labels(desk.collect(0))
    assert [label.relevance for label in standing(journal.labels(0))] == ["irrelevant"]
    label_studio.call("DELETE", f"/api/annotations/{second}/")
    for _ in range(2):
        journal.add_labels(desk.collect(0))
        assert [label.relevance for label in standing(journal.labels(0))] == ["in_scope"]
    assert len(journal.labels(0)) == 3


def test_a_task_with_several_annotators_is_open_until_all_have_answered(desk, give, label_studio):
    desk.push([desk_task(1, annotators=2)])
    give(desk_task(1), annotator="ann", relevance="irrelevant")
    assert desk.status().open == 1
    give(desk_task(1), annotator="ben", relevance="irrelevant")
    assert desk.status() == DeskStatus(open=0, labelled=1, oldest_open_ms=None)


@pytest.mark.parametrize(
    ("result", "kind", "words"),
    [
        ([choice("relevance", "in_scop")], "unknown_choice", "Did you mean 'in_scope'"),
        ([choice("relevence", "in_scope")], "unknown_question", "Did you mean 'relevance'"),
        ([choice("relevance", "in_scope"), choice("intent", "gone")], "outside_scope", "not in the scope"),
        ([choice("helpful", "yes")], "missing", "needs its relevance"),
        ([], "missing", "needs its relevance"),
    ],
)
def test_an_answer_that_the_questions_do_not_allow_is_told_and_does_not_count(
    desk, label_studio, journal, result, kind, words
):
    """The server stores all of these; put right, the answer counts."""
    desk.push([desk_task(1), desk_task(2)])
    row = label_studio.row(desk.report().project, "t-p1")
    annotation = label_studio.annotate(row["id"], result)
    assert desk.collect(0) == []
    (fault,) = desk.report().faults
    assert (fault.annotation_id, fault.label_studio_task, fault.task_id) == (annotation, row["id"], "t-p1")
    assert kind in fault.kinds
    assert re.search(words, fault.reason)
    assert any("do not count" in sentence for sentence in desk.report().warnings)
    assert desk.status().open == 2
    label_studio.call("PATCH", f"/api/annotations/{annotation}/", body={"result": as_said("irrelevant")})
    assert [label.relevance for label in desk.collect(0)] == ["irrelevant"]
    assert desk.report().faults == ()


def test_what_was_chosen_in_a_question_that_is_hidden_again_is_left_out(desk, label_studio):
    desk.push([desk_task(1)])
    row = label_studio.row(desk.report().project, "t-p1")
    label_studio.annotate(row["id"], [choice("relevance", "irrelevant"), choice("intent", "vpn_slow")])
    assert [(label.relevance, label.intent) for label in desk.collect(0)] == [("irrelevant", None)]


def test_an_answer_that_becomes_invalid_no_longer_counts(desk, give, journal, label_studio):
    desk.push([desk_task(1)])
    annotation = give(desk_task(1), relevance="irrelevant")
    journal.add_labels(desk.collect(0))
    label_studio.call("PATCH", f"/api/annotations/{annotation}/", body={"result": [choice("relevance", "spam")]})
    journal.add_labels(desk.collect(0))
    assert standing(journal.labels(0)) == []
    assert len(desk.report().faults) == 1


def test_tasks_deleted_by_hand_take_their_labels_with_them(desk, give, journal, label_studio):
    tasks = [desk_task(i) for i in range(4)]
    desk.push(tasks)
    for task in tasks[:2]:
        give(task, relevance="irrelevant")
    journal.add_labels(desk.collect(0))
    for task in tasks[1:3]:
        row = label_studio.row(desk.report().project, task.task_id)
        label_studio.call("DELETE", f"/api/tasks/{row['id']}/")
    journal.add_labels(desk.collect(0))
    assert [label.task_id for label in standing(journal.labels(0))] == ["t-p0"]
    assert "2 tasks were deleted on Label Studio; 1 labels are withdrawn with them." in desk.report().warnings
    assert desk.collect(0)
    assert desk.report().warnings == ()
    assert desk.status() == DeskStatus(open=1, labelled=1, oldest_open_ms=NOON_MS + 1003)


def test_questions_edited_by_hand_are_put_back_and_renamed_choices_do_not_count(desk, label_studio, title):
    desk.push([desk_task(1), desk_task(2)])
    project = desk.report().project
    path = f"/api/projects/{project}/"
    config = label_studio.call("GET", path)["label_config"]
    label_studio.call("PATCH", path, body={"label_config": config.replace("small_talk", "chit_chat")})
    label_studio.annotate(label_studio.row(project, "t-p1")["id"], [choice("relevance", "chit_chat")])
    assert desk.collect(0) == []
    assert label_studio.call("GET", path)["label_config"] == config
    assert any("have been put back" in sentence for sentence in desk.report().warnings)
    assert [fault.kinds for fault in desk.report().faults] == [("unknown_choice",)]
    assert desk.collect(0) == []
    assert not any("put back" in sentence for sentence in desk.report().warnings)


def test_questions_that_cannot_be_put_back_are_told_and_nothing_stops(desk, give, label_studio):
    """An answer to a question that only the edited config had blocks the way back."""
    desk.push([desk_task(1), desk_task(2)])
    project = desk.report().project
    path = f"/api/projects/{project}/"
    config = label_studio.call("GET", path)["label_config"]
    head, _, tail = config.rpartition("</View>")
    odd = '<Choices name="odd" toName="query"><Choice value="x"/><Choice value="y"/></Choices>'
    label_studio.call("PATCH", path, body={"label_config": f"{head}{odd}</View>{tail}"})
    label_studio.annotate(label_studio.row(project, "t-p1")["id"], [choice("odd", "x"), *as_said("irrelevant")])
    give(desk_task(2), relevance="irrelevant")
    assert [label.task_id for label in desk.collect(0)] == ["t-p2"]
    assert [fault.kinds for fault in desk.report().faults] == [("unknown_question",)]
    assert any("edited on Label Studio" in sentence for sentence in desk.report().warnings)


def test_a_project_deleted_by_hand_withdraws_nothing_and_open_tasks_go_to_a_new_one(desk, give, journal, label_studio):
    desk.push([desk_task(1), desk_task(2)])
    give(desk_task(1), relevance="irrelevant")
    journal.add_labels(desk.collect(0))
    before = desk.report().project
    label_studio.call("DELETE", f"/api/projects/{before}/")
    assert desk.collect(0) == []
    assert desk.report().project != before
    assert [label.task_id for label in standing(journal.labels(0))] == ["t-p1"]
    assert desk.status().open == 1
    assert any(f"project {before} is not on Label Studio any more" in said for said in desk.report().warnings)


def test_tasks_of_other_people_are_left_alone(desk, label_studio):
    desk.push([desk_task(1)])
    project = desk.report().project
    data = {"query": "mine", "answer": "", "intents": [], "articles": []}
    label_studio.call("POST", f"/api/projects/{project}/import", body=[{"data": data}])
    assert desk.collect(0) == []
    assert any("1 tasks on Label Studio are not Noria's" in sentence for sentence in desk.report().warnings)


# --- What is shown there --------------------------------------------------------------------------------------------


def test_the_agents_answer_is_shown_only_where_the_task_says_so(desk, label_studio):
    desk.push([desk_task(1, confidence=0.75), desk_task(2, show_prediction=False)])
    project = desk.report().project
    shown, hidden = (label_studio.row(project, f"t-p{n}") for n in (1, 2))
    (prediction,) = shown["predictions"]
    said = {item["from_name"]: item["value"]["choices"] for item in prediction["result"]}
    assert said == {"relevance": ["in_scope"], "intent": ["vpn_slow"]}
    assert (prediction["model_version"], prediction["score"]) == ("r0001", 0.75)
    assert hidden["predictions"] == []
    assert "vpn_slow" not in hidden["data"]["answer"]
    assert hidden["data"]["prediction_id"] == "p2"


def test_after_a_release_open_tasks_still_show_what_was_answered_to_them(desk, give, journal, label_studio):
    """Label Studio shows the pre-labels of one model version only."""
    desk.push([desk_task(1), desk_task(2)])
    give(desk_task(1), relevance="irrelevant")
    journal.record_release(kind="release", time_ms=1, release="r0002", candidate=made_up_candidate(), evidence={})
    desk.push([desk_task(3, release="r0002")])
    project = desk.report().project
    assert label_studio.call("GET", f"/api/projects/{project}/")["model_version"] == "r0002"
    versions = [[p["model_version"] for p in label_studio.row(project, f"t-p{n}")["predictions"]] for n in (1, 2, 3)]
    assert versions == [["r0001"], ["r0001", "r0002"], ["r0002"]]
    desk.push([])
    desk.collect(0)
    assert len(label_studio.row(project, "t-p2")["predictions"]) == 2


def test_an_answer_with_an_intent_that_left_the_scope_counts_and_is_told(label_studio, journal, title):
    client = LabelStudioClient(label_studio.running.url, label_studio.token)
    desk = LabelStudioDesk(client, journal, title=title, scope=lambda: {"vpn_slow"})
    desk.push([desk_task(1)])
    row = label_studio.row(desk.report().project, "t-p1")
    label_studio.annotate(row["id"], as_said("in_scope", "reset_password"))
    assert [label.intent for label in desk.collect(0)] == ["reset_password"]
    assert any("left the scope (reset_password)" in sentence for sentence in desk.report().warnings)
    client.close()
