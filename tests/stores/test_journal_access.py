"""Keys, rules, audit, conversations and erasure in the journal, on both databases."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect
from tests.stores.journal_records import NOON_MS, event, label, prediction, task

from noria.errors import NotFound, StateError, UsageError
from noria.records.access import AccountRules, ApiKey, AuditEntry
from noria.records.sessions import HandOver, OwnFeedback, Session
from noria.stores.journal import GroupCommit, Journal, migrations
from noria.stores.journal.access.erasure import ERASED
from noria.stores.journal.engine import writing

numbers = count()


def entry(name="a1", **fields):
    return AuditEntry(**{"entry_id": name, "time_ms": 5, "actor": "root", "action": "key.create", "account": "acme",
                         "target": "k1", "detail": {"role": "widget"}} | fields)  # fmt: skip


def key(name="k1", **fields):
    return ApiKey(**{"key_id": name, "digest": "0" * 64, "account": "acme", "role": "widget", "note": "shop",
                     "created_ms": 3} | fields)  # fmt: skip


def in_session(name, session, account="acme", text="vpn is down", time_ms=NOON_MS):
    one = prediction(name, account=account, text=text, time_ms=time_ms)
    return replace(one, query=replace(one.query, session=session))


def test_a_key_comes_with_its_audit_entry_or_not_at_all(journal):
    door = journal.access
    door.add_key(key(), entry())
    assert door.keys() == [key()]
    assert door.audit(0, 9) == [entry()]
    with pytest.raises(UsageError):
        door.add_key(key("k2"), entry())  # the audit entry's id is taken
    assert door.keys() == [key()]
    with pytest.raises(UsageError, match="Known: admin"):
        door.add_key(key("k3", role="boss"), entry("a3"))


def test_a_key_ends_once_and_an_unknown_one_is_named(journal):
    door = journal.access
    door.add_key(key(), entry())
    door.end_key("k1", 50, entry("a2", action="key.rotate"))
    assert door.keys()[0].revoked_ms == 50
    door.end_key("k1", 40, entry("a3", action="key.revoke"))
    with pytest.raises(StateError, match="revoked before"):
        door.end_key("k1", 60, entry("a4"))
    with pytest.raises(NotFound, match="Did you mean 'k1'"):
        door.end_key("k2", 60, entry("a5"))
    assert [one.action for one in door.audit(0, 9)] == ["key.create", "key.rotate", "key.revoke"]


def test_nothing_leaves_the_audit_log(journal, run_sql):
    journal.access.note(entry())
    for statement in ("DELETE FROM audit", "UPDATE audit SET actor = 'nobody'"):
        with pytest.raises(Exception, match="append-only"):
            run_sql(statement)
    assert journal.access.audit(0, 9) == [entry()]


def test_the_rules_of_an_account_replace_those_it_had(journal):
    door = journal.access
    door.set_rules(AccountRules("acme", redact=False), entry("a1"))
    door.set_rules(AccountRules("acme", redact=True, origins=("https://x.org",)), entry("a2"))
    assert door.rules() == [AccountRules("acme", redact=True, origins=("https://x.org",))]


def test_all_processes_sign_with_the_same_secret(journal, journal_url):
    other = Journal.open(journal_url)
    assert journal.access.secret("one") == other.access.secret("two") == "one"
    other.close()


def test_access_goes_down_and_up_again_and_traffic_stays(journal):
    journal.add_predictions([prediction()])
    journal.access.add_key(key(), entry())
    with writing(journal._engine) as connection:
        migrations.move(connection, "0002_labels")
    assert "api_keys" not in inspect(journal._engine).get_table_names()
    assert journal.prediction("p1") == prediction()
    with writing(journal._engine) as connection:
        migrations.move(connection, migrations.HEAD)
    assert journal.access.keys() == []
    journal.access.add_key(key(), entry())


def test_a_transcript_holds_the_turns_of_one_session_of_one_account_in_order(journal):
    journal.add_predictions([
        in_session("p2", "s1", time_ms=20), in_session("p1", "s1", time_ms=10), in_session("p3", "s2"),
        in_session("p4", "s1", account="other"),
    ])  # fmt: skip
    journal.add_feedback([event("e1", "p1"), event("e4", "p4")])
    turns = journal.sessions.transcript("acme", "s1")
    assert [t.prediction.prediction_id for t in turns] == ["p1", "p2"]
    assert [e.event_id for t in turns for e in t.feedback] == ["e1"]
    assert journal.sessions.transcript("acme", "s9") == []


def test_a_session_is_noted_once_and_may_have_the_same_name_in_two_accounts(journal):
    journal.write([Session("acme", "s1", "ann", "chat", 1), Session("other", "s1", "ben", "chat", 2)])
    journal.write([Session("acme", "s1", "eve", "mail", 9)])
    assert journal.sessions.session("acme", "s1") == Session("acme", "s1", "ann", "chat", 1)
    assert journal.sessions.sessions("other", 0, 9) == [Session("other", "s1", "ben", "chat", 2)]
    with pytest.raises(NotFound):
        journal.sessions.session("acme", "s2")


def test_a_hand_over_counts_once(journal):
    one = HandOver("h1", "acme", "s1", "ann", "please call", 5)
    journal.write([one])
    journal.write([replace(one, time_ms=9)])
    assert journal.sessions.hand_overs(0, 9) == [one]
    assert journal.sessions.hand_overs(0, 9, "other") == []


def test_feedback_is_told_to_be_new_by_the_commit_that_holds_it_also_within_one_batch(journal):
    journal.add_predictions([prediction()])
    with GroupCommit(journal, max_batch=4, max_wait_ms=3_600_000) as commit:
        futures = [commit.submit(event(name)) for name in ("e1", "e1", "e2", "e1")]
        assert [future.result(30) for future in futures] == [True, False, True, False]
    with GroupCommit(journal) as commit:
        assert commit.submit(event("e2")).result(30) is False


@pytest.mark.parametrize(("account", "session"), [("other", None), ("acme", "s2"), ("other", "s1")])
def test_feedback_on_anothers_prediction_finds_nothing(journal, account, session):
    journal.add_predictions([in_session("p1", "s1")])
    with pytest.raises(NotFound, match="p1"):
        journal.write([OwnFeedback(event(), account, session)])
    assert journal.feedback_of("p1") == []
    assert journal.write([OwnFeedback(event(), "acme", None), OwnFeedback(event("e2"), "acme", "s1")]) == [True, True]


accounts = st.sampled_from(["a", "b", "c"])


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(accounts, st.sampled_from(["s", "t"])), max_size=12), accounts)
def test_what_one_account_reads_is_all_and_only_its_own(journal, rows, mine):
    """Whatever is in the journal under equal names of sessions."""
    run = next(numbers)
    made = [in_session(f"{run}-{i}", f"{s}{run}", account=f"{a}{run}") for i, (a, s) in enumerate(rows)]
    journal.add_predictions(made)
    journal.write([Session(f"{a}{run}", f"{s}{run}", "x", "chat", 1) for a, s in dict.fromkeys(rows)])
    own = {p.prediction_id for p in made if p.query.account == f"{mine}{run}"}
    seen = journal.sessions.transcripts([(f"{mine}{run}", f"{s}{run}") for s in "st"])
    assert {t.prediction.prediction_id for turns in seen.values() for t in turns} == own
    assert {s.account for s in journal.sessions.sessions(f"{mine}{run}", 0, 9)} <= {f"{mine}{run}"}
    assert {p.prediction_id for p in journal.predictions(0, 2**62, f"{mine}{run}")} == own


def test_erasure_empties_what_a_requester_said_and_nothing_else(journal):
    """Texts, notes and values go; decisions, labels and counts stay."""
    journal.write([Session("acme", "s1", "ann", "chat", 1), Session("acme", "s2", "ben", "chat", 1),
                   Session("other", "s1", "ann", "chat", 1)])  # fmt: skip
    journal.add_predictions([in_session("p1", "s1", text="i am ann"), in_session("p2", "s2", text="i am ben"),
                             in_session("p3", "s1", account="other", text="other ann")])  # fmt: skip
    journal.write([event("e1", "p1", value="ann was here"), event("e2", "p2", value="ben"),
                   HandOver("h1", "acme", "s1", "ann", "call ann", 5)])  # fmt: skip
    journal.add_tasks([task("t1", "p1", text="i am ann"), task("t2", "p2", text="i am ben")])
    journal.add_labels([label("l1", "t1", "p1", note="ann again"), label("l2", "t2", "p2", note="ben")])
    erased = journal.access.erase("acme", "ann", entry(action="erase"))
    assert (erased.sessions, erased.prediction_ids, erased.task_ids, erased.label_ids) == (1, ("p1",), ("t1",), ("l1",))
    assert (erased.feedback, erased.hand_overs) == (1, 1)
    left = journal.prediction("p1")
    assert (left.query.text, left.answer.intent) == (ERASED, "vpn_not_connecting")
    assert journal.feedback_of("p1")[0].value == journal.task("t1").text == journal.labels(0)[0].note == ERASED
    assert journal.sessions.hand_overs(0, 9)[0] == HandOver("h1", "acme", "s1", "", ERASED, 5)
    assert journal.sessions.session("acme", "s1").requester == ""
    assert [journal.prediction(p).query.text for p in ("p2", "p3")] == ["i am ben", "other ann"]
    assert [e.action for e in journal.access.audit(0, 9)] == ["erase"]
    assert journal.access.erase("acme", "ann", entry("a2")).prediction_ids == ()
    with pytest.raises(UsageError, match="needs a requester"):
        journal.access.erase("acme", "", entry("a3"))
