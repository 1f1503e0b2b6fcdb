"""Challengers and their answers in the journal: steps go with their ledger entry, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.stores.journal_records import NOON_MS, candidate, event, prediction

from noria.errors import NotFound, UsageError
from noria.records.serving.staging import Challenger, ShadowAnswer
from noria.stores.journal import migrations
from noria.stores.journal.engine import writing


def challenger(**fields):
    usual = {"challenger_id": "c0001", "candidate": candidate("new"), "shares": (0.0, 0.05, 1.0), "unit": "session",
             "against": "r1", "began_ms": NOON_MS, "since_ms": NOON_MS}  # fmt: skip
    return Challenger(**{**usual, **fields})


def answer(prediction_id="p1", tag="new", **fields):
    usual = {"time_ms": NOON_MS, "decision": "answer", "intent": "vpn", "confidence": 0.75, "latency_ms": 1.5}
    return ShadowAnswer(prediction_id, tag, **{**usual, **fields})


@pytest.fixture
def live(journal):
    """A journal whose release r1 is live."""
    journal.record_release(kind="release", time_ms=1, release="r1", candidate=candidate("old"), evidence={})
    return journal


def begin(journal, **fields):
    journal.staging.step(None, challenger(**fields), time_ms=2, kind="hold", evidence={"stage": {}})
    return journal.staging.running()


def test_a_challenger_stands_with_the_verdict_that_let_it_in(live):
    """What was written is read; its entry is the second of a ledger that verifies, and nothing goes live by it."""
    running = begin(live)
    assert running == challenger(judged=2)
    assert (running.mode, running.share) == ("shadow", 0.0)
    assert [e.kind for e in live.ledger()] == ["release", "hold"]
    live.verify_ledger()
    assert live.current_release().release == "r1"
    assert live.staging.challengers() == [running]


def test_of_two_that_decide_at_once_one_wins(live):
    """A step from a standing that is no longer true changes nothing, neither challenger nor ledger."""
    running = begin(live)
    live.staging.step(running, replace(running, stage=1, since_ms=5), time_ms=5)
    assert live.staging.running().mode == "canary"
    with pytest.raises(UsageError, match="moved on meanwhile"):
        live.staging.step(running, replace(running, state="withdrawn"), time_ms=6, kind="refuse")
    with pytest.raises(UsageError, match="moved on meanwhile"):
        live.staging.step(None, challenger(challenger_id="c0002"), time_ms=6)
    assert len(live.ledger()) == 2
    assert [c.challenger_id for c in live.staging.challengers()] == ["c0001"]


def test_a_challenger_goes_live_only_against_the_release_it_was_compared_with(live):
    """Another release came in: it can be withdrawn, and nothing else."""
    running = begin(live)
    live.record_release(kind="release", time_ms=3, release="r2", candidate=candidate("other"), evidence={})
    with pytest.raises(UsageError, match="no longer live"):
        live.staging.step(running, replace(running, state="released"), time_ms=4, kind="release", release="r3")
    live.staging.step(running, replace(running, state="withdrawn"), time_ms=4, kind="refuse")
    assert live.staging.running() is None
    assert live.current_release().release == "r2"


def test_a_share_taken_back_is_a_rollback_and_leaves_the_live_release_its_date(live):
    """The ledger says rollback; the release that was live all along has been so since it went live."""
    running = begin(live)
    done = replace(running, state="withdrawn")
    old = live.release("r1").candidate
    live.staging.step(running, done, time_ms=9, kind="rollback", release="r1", candidate=old, evidence={"stage": {}})
    assert live.ledger()[-1].kind == "rollback"
    assert live.current_release().since_ms == 1
    live.verify_ledger()
    with pytest.raises(UsageError, match="live already"):
        live.record_release(kind="rollback", time_ms=10, release="r1", candidate=old, evidence={})
    with pytest.raises(NotFound):
        live.staging.step(None, challenger(challenger_id="c2"), time_ms=11, kind="rollback", release="r9",
                          evidence={"stage": {}})  # fmt: skip
    assert live.staging.running() is None


def test_the_first_failure_to_load_stays_and_hinders_no_step(live):
    running = begin(live)
    live.staging.note_failure("c0001", "bundle damaged")
    live.staging.note_failure("c0001", "later")
    assert live.staging.running().failure == "bundle damaged"
    live.staging.step(running, replace(running, state="withdrawn", failure="bundle damaged"), time_ms=6, kind="refuse")
    assert live.staging.running() is None


def test_an_answer_in_shadow_is_kept_once(journal):
    """By prediction and tag the first stays; what failed has no decision; what is no number comes back as such."""
    failed = answer(tag="other", decision=None, intent="", latency_ms=2.0, error="agent: ValueError: no")
    journal.staging.add_answers([answer(), failed])
    journal.staging.add_answers([answer(intent="printer")])
    journal.staging.add_answers([])
    found = journal.staging.answers(["p1", "p9"])
    assert found.keys() == {"p1"}
    assert sorted(found["p1"], key=lambda a: a.tag) == [answer(), failed]


def shown(name, release, *, missing=(), latency_ms=4.0, time_ms=NOON_MS, session="s1"):
    made = prediction(name, time_ms=time_ms)
    query = replace(made.query, session=session)
    return replace(made, query=query, release=release, missing=missing, latency_ms=latency_ms)


def test_failures_are_counted_on_queries_that_both_answered(journal):
    """Whichever of them was shown; other releases, other times and queries without a pair do not count."""
    rows = [shown("a", "r1"), shown("b", "r1", missing=("encoder: x",)), shown("c", "r1"), shown("d", "c0001")]
    rows += [shown("e", "c0001", missing=("agent: x",)), shown("f", "r0"), shown("g", "r1", time_ms=NOON_MS - 1)]
    journal.add_predictions(rows)
    journal.staging.add_answers([
        answer("a"), answer("b"), answer("c", decision=None, error="x"),
        answer("d", "old", decision=None, error="x"), answer("e", "old"),
        answer("f", error="x"), answer("g", error="x", time_ms=NOON_MS - 1), answer("d", "new", error="x"),
    ])  # fmt: skip
    said = journal.staging.failures(challenger(), "old", NOON_MS + 1)
    assert (said.both, said.only_challenger, said.only_champion) == (5, 2, 2)
    assert journal.staging.failures(challenger(), "old", NOON_MS).both == 0


def test_latencies_are_those_of_the_stage(journal):
    """In shadow on the same queries, without those that failed; in a canary of what each was shown for."""
    journal.add_predictions([shown("a", "r1"), shown("b", "r1", latency_ms=5.0), shown("d", "c0001", latency_ms=6.0)])
    journal.staging.add_answers([answer("a"), answer("b", decision=None, error="x", latency_ms=9.0)])
    shadow = journal.staging.latencies(challenger(), "old", NOON_MS + 1)
    assert (shadow.challenger_ms, shadow.champion_ms) == ((1.5,), (4.0,))
    canary = journal.staging.latencies(challenger(stage=1), "old", NOON_MS + 1)
    assert canary.challenger_ms == (6.0,)
    assert sorted(canary.champion_ms) == [4.0, 5.0]
    journal.add_predictions([shown("late", "c0001", time_ms=NOON_MS + 5)])
    journal.staging.add_answers([answer("late", "old", time_ms=NOON_MS + 5, latency_ms=7.5)])
    alone = journal.staging.latencies(challenger(stage=2, since_ms=NOON_MS + 5), "old", NOON_MS + 9)
    assert (alone.challenger_ms, alone.champion_ms) == ((4.0,), (7.5,))


def test_the_last_word_of_a_session_is_its_thumb(journal):
    journal.add_predictions([shown("a", "r1", session="x"), shown("b", "r1", session="x"), shown("c", "c0001"),
                             shown("d", "r1", session="y")])  # fmt: skip
    journal.add_feedback([event("1", "a", kind="helpful"), event("2", "b", kind="not_helpful", time_ms=NOON_MS + 1),
                          event("3", "c", kind="helpful"), event("4", "d", kind="article_opened")])  # fmt: skip
    said = journal.staging.thumbs(challenger(stage=1), NOON_MS + 9)
    assert (said.challenger, said.challenger_up, said.champion, said.champion_up) == (1, 1, 1, 0)


def test_the_release_of_a_session_is_that_of_its_latest_answer(journal):
    journal.add_predictions([shown("a", "r1"), shown("b", "c0001", time_ms=NOON_MS + 1)])
    assert journal.staging.release_of_session("acme", "s1") == "c0001"
    assert journal.staging.release_of_session("birch", "s1") is None


def test_challengers_come_and_go_with_their_revision(live):
    """Down and up again: releases, ledger and traffic stay, challengers are gone."""
    begin(live)
    live.add_predictions([prediction()])
    with writing(live._engine) as connection:
        migrations.move(connection, migrations.REVISIONS[migrations.REVISIONS.index("0007_challengers") - 1])
    with writing(live._engine) as connection:
        migrations.move(connection, migrations.HEAD)
    assert live.staging.running() is None
    assert live.current_release().release == "r1"
    live.verify_ledger()
    assert begin(live, challenger_id="c0002").judged == 3
