"""What watching keeps in the journal: hours that changed, alerts, comments, lists; up and down the migrations."""

from __future__ import annotations

import math

import pytest
from tests.stores.journal_records import prediction

from noria.errors import NotFound, UsageError
from noria.records import HOUR_MS, Feedback, Finding
from noria.records.findings import Alert, Comment, Dimension, Explanation, Happening, Part
from noria.stores.journal import migrations
from noria.stores.journal.engine import writing
from noria.stores.journal.watching.lists import QueryFilter

FINDING = Finding("f1", "success", 9, 5, 4, 6, 0.9, 0.8, "It fell.")


def at(number: int, time_ms: int, **fields):
    """A prediction asked at a time."""
    from dataclasses import replace

    made = prediction(f"p{number}")
    return replace(made, query=replace(made.query, time_ms=time_ms, **fields))


def test_every_change_notes_its_hour_and_what_is_settled_is_forgotten(journal):
    journal.add_predictions([at(1, 10), at(2, HOUR_MS + 10), at(3, HOUR_MS + 20)])
    first = journal.watching.touched()
    assert set(first) == {0, HOUR_MS}
    journal.add_feedback([Feedback("e1", "p2", "helpful", 99 * HOUR_MS)])
    journal.watching.settled([note for notes in first.values() for note in notes])
    assert set(journal.watching.touched()) == {HOUR_MS}  # of the query, whenever the feedback came


def test_the_way_up_notes_the_hours_that_are_there_and_the_way_down_keeps_the_traffic(journal):
    journal.add_predictions([at(1, 10), at(2, 5 * HOUR_MS + 10)])
    before = migrations.REVISIONS[migrations.REVISIONS.index("0006_watching") - 1]
    with writing(journal._engine) as connection:
        migrations.move(connection, before)
    with writing(journal._engine) as connection:
        migrations.move(connection, migrations.HEAD)
    assert set(journal.watching.touched()) == {0, 5 * HOUR_MS}
    assert len(journal.predictions(0, 2**60)) == 2


def test_alerts_are_kept_changed_and_found_by_each_of_their_findings(journal):
    kept = Alert("f1", "high", "open", ("f1", "f2"), "It fell.", 5, 6, {"log": "6 high open"})
    journal.watching.keep_alerts([kept])
    changed = journal.watching.change_alert("f2", status="acknowledged", acknowledged_by="ann", acknowledged_ms=7)
    assert journal.watching.alerts() == [changed]
    assert (changed.alert_id, changed.status, changed.told) == ("f1", "acknowledged", kept.told)
    with pytest.raises(NotFound):
        journal.watching.change_alert("f3", status="resolved")
    with pytest.raises(UsageError, match="severity"):
        journal.watching.keep_alerts([Alert("x", "awful", "open", ("x",), "", 1, 1)])


def test_comments_stand_in_order_and_only_on_what_was_found(journal):
    journal.add_findings([FINDING])
    for number, time_ms in ((2, 20), (1, 10)):
        journal.watching.add_comment(Comment(f"c{number}", "f1", "ann", time_ms, "text"))
    assert [c.comment_id for c in journal.watching.comments("f1")] == ["c1", "c2"]
    with pytest.raises(NotFound):
        journal.watching.add_comment(Comment("c3", "nobody", "ann", 1, "text"))


def test_an_explanation_takes_the_place_of_the_last_one(journal):
    part = Part("vpn", -0.1, -0.02, 0.5, 0.6, 0.9, math.nan, 10, 0, -4.0, apart=True)
    told = Explanation("f1", 5, 1, 4, 0.9, 0.8, 10, 20, ("It fell.",), (Dimension("intent", -0.1, -0.02, (part,)),),
                       ("passkey",), (Happening(3, "release", "r1", "Release r1 went live"),))  # fmt: skip
    journal.watching.explain([told])
    journal.watching.explain([Explanation("f2", 5, 1, 4, 0.9, 0.8, 0, 0, ())])
    assert repr(journal.watching.explanations()["f1"]) == repr(told)
    assert journal.watching.explanation("f2").sentences == ()


def test_queries_are_listed_newest_first_page_after_page(journal):
    journal.add_predictions([at(n, 100 + n // 3, account="acme" if n % 2 else "birch") for n in range(30)])
    seen, before = [], None
    while True:
        page = journal.watching.queries(QueryFilter(before=before), 7)
        seen += [p.prediction_id for p in page.rows]
        if (before := page.more) is None:
            break
    every = sorted(journal.predictions(0, 2**60), key=lambda p: (p.query.time_ms, p.prediction_id), reverse=True)
    assert seen == [p.prediction_id for p in every]
    acme = journal.watching.queries(QueryFilter(account="acme", since_ms=103), 100).rows
    assert {p.query.account for p in acme} == {"acme"}
    assert min(p.query.time_ms for p in acme) >= 103
    assert journal.watching.queries(QueryFilter(words="100 % sure"), 10).rows == []


def test_a_question_in_sql_changes_nothing_and_the_journal_writes_on(journal):
    journal.add_predictions([at(1, 10)])
    assert journal.watching.select("SELECT count(*) AS n FROM predictions") == [{"n": 1}]
    for sql in ("DELETE FROM predictions", "no question"):
        with pytest.raises(UsageError, match="does not answer this"):
            journal.watching.select(sql)
    journal.add_predictions([at(2, 20)])
    assert len(journal.predictions(0, 2**60)) == 2
