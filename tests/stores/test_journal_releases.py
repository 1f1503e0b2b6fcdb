"""The ledger tells which release is live, cannot be changed unseen, and grows in one step with the releases."""

from __future__ import annotations

import itertools
import math
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy.exc import DBAPIError
from tests.stores.journal_records import candidate

from noria.errors import NotFound, StateError, UsageError
from noria.records import Release
from noria.stores.journal import releases
from noria.stores.journal.engine import writing


def record(journal, kind, time_ms, release, tag, **evidence):
    return journal.record_release(
        kind=kind, time_ms=time_ms, release=release, candidate=candidate(tag), evidence=evidence or {"why": "tested"}
    )


@pytest.fixture
def history(journal):
    """A ledger of five entries: release, refusal, release, hold, rollback."""
    record(journal, "release", 10, "r1", "a", score=0.1, nested={"x": [1, 2.5, None, True, "ü"]})
    record(journal, "refuse", 20, None, "b")
    record(journal, "release", 30, "r2", "c", nothing=math.nan, endless=[math.inf, -math.inf])
    record(journal, "hold", 40, None, "d")
    record(journal, "rollback", 50, "r1", "a")
    return journal


def test_no_release_is_live_before_the_first(journal):
    record(journal, "refuse", 5, None, "z")
    assert journal.current_release() is None
    assert journal.releases() == []


def test_each_release_is_live_until_the_next_release_or_rollback(journal):
    record(journal, "release", 10, "r1", "a")
    record(journal, "hold", 20, None, "b")
    assert journal.current_release() == Release("r1", candidate("a"), 10)
    record(journal, "release", 30, "r2", "c")
    assert journal.current_release() == Release("r2", candidate("c"), 30)
    record(journal, "rollback", 50, "r1", "a")
    assert journal.current_release() == Release("r1", candidate("a"), 50)


def test_releases_are_listed_once_since_they_first_went_live(history):
    assert history.releases() == [Release("r1", candidate("a"), 10), Release("r2", candidate("c"), 30)]
    assert history.release("r2") == Release("r2", candidate("c"), 30)
    with pytest.raises(NotFound, match=r"'r3'.*Did you mean"):
        history.release("r3")


def test_a_candidate_without_articles_and_with_odd_numbers_comes_back(journal):
    odd = candidate("a", articles=None, metrics={"ece": math.inf}, recipe={})
    journal.record_release(kind="release", time_ms=1, release="r1", candidate=odd, evidence={})
    assert journal.release("r1").candidate == odd


def test_ledger_entries_form_a_chain_from_64_zeros(history):
    entries = history.ledger()
    assert [(e.seq, e.time_ms, e.kind, e.release, e.tag) for e in entries] == [
        (1, 10, "release", "r1", "a"),
        (2, 20, "refuse", None, "b"),
        (3, 30, "release", "r2", "c"),
        (4, 40, "hold", None, "d"),
        (5, 50, "rollback", "r1", "a"),
    ]
    assert [e.previous_hash for e in entries] == ["0" * 64, *(e.hash for e in entries[:-1])]
    assert entries[0].evidence == {"score": 0.1, "nested": {"x": [1, 2.5, None, True, "ü"]}}
    assert math.isnan(entries[2].evidence["nothing"])
    assert entries[2].evidence["endless"] == [math.inf, -math.inf]
    history.verify_ledger()


def test_the_hash_of_an_entry_never_changes_between_versions_of_noria(journal):
    """A change here would break every ledger that exists: sha256 over canonical JSON of the seven fields."""
    entry = record(journal, "refuse", 1_767_268_800_000, None, "exp-ü", score=0.5, text="ä")
    assert entry == journal.ledger()[0]
    assert entry.hash == "44e8d9388585320aaddbb0085a6569385ec86183f7a57dba08a03456851608b1"


@pytest.mark.parametrize(
    ("kind", "release", "error", "words"),
    [
        ("release", "r1", UsageError, "exists already"),
        ("release", None, UsageError, "needs the name"),
        ("rollback", None, UsageError, "needs the name"),
        ("rollback", "r7", NotFound, "no release named 'r7'"),
        ("rollback", "r1", UsageError, "live already"),
        ("relase", "r7", UsageError, "Did you mean 'release'"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused_and_leaves_nothing(history, kind, release, error, words):
    with pytest.raises(error, match=words):
        record(history, kind, 60, release, "x")
    assert len(history.ledger()) == 5
    assert len(history.releases()) == 2


def test_evidence_that_json_cannot_hold_is_refused_and_the_release_is_not_made(journal):
    with pytest.raises(UsageError, match="cannot keep a set"):
        record(journal, "release", 1, "r1", "a", bad={"set"})
    with pytest.raises(UsageError, match="text keys"):
        record(journal, "release", 1, "r1", "a", bad={1: 2})
    assert journal.ledger() == []
    assert journal.releases() == []


@pytest.mark.parametrize("table", ["ledger", "releases"])
def test_the_database_itself_forbids_to_change_or_remove_what_was_recorded(history, run_sql, table):
    attempts = [f"UPDATE {table} SET seq = seq", f"DELETE FROM {table}"]
    if history._engine.dialect.name == "postgresql":
        attempts.append(f"TRUNCATE {table} CASCADE")
    else:
        attempts.append(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    for attempt in attempts:
        with pytest.raises(DBAPIError, match="append-only"):
            run_sql(attempt)
    history.verify_ledger()


CHANGES = {
    "time_ms": "time_ms + 1",
    "kind": "CASE kind WHEN 'hold' THEN 'refuse' ELSE 'hold' END",
    "release": "'r9'",
    "tag": "'other'",
    "evidence": '\'{"why":"forged"}\'',
    "previous_hash": "hash",
    "hash": "previous_hash",
}


def without_guards(sqlite: bool) -> list[str]:
    """Statements that take the triggers away, as someone with all rights can."""
    if not sqlite:
        return [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in ("ledger", "releases")]
    verbs = [f"{table}_no_{verb}" for table in ("ledger", "releases") for verb in ("update", "delete", "replace")]
    return [f"DROP TRIGGER {name}" for name in verbs]


def test_every_change_of_any_entry_is_seen_and_the_entry_is_named(history, run_sql):
    """Whoever gets past the triggers still breaks the chain at the entry that was changed."""
    run_sql(*without_guards(history._engine.dialect.name == "sqlite"))
    for entry in history.ledger():
        for column, value in CHANGES.items():
            kept = f"CREATE TABLE kept AS SELECT * FROM ledger WHERE seq = {entry.seq}"
            run_sql(kept, f"UPDATE ledger SET {column} = {value} WHERE seq = {entry.seq}")
            with pytest.raises(StateError, match=f"ledger entry {entry.seq} "):
                history.verify_ledger()
            back = f"UPDATE ledger SET {column} = (SELECT {column} FROM kept) WHERE seq = {entry.seq}"
            run_sql(back, "DROP TABLE kept")
            history.verify_ledger()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("DELETE FROM ledger WHERE seq = 2", "ledger entry 3 .*entry 2 is missing"),
        ("UPDATE releases SET release = 'r8' WHERE seq = 3", "ledger entry 3 .*'r2'"),
        ("UPDATE releases SET seq = 2 WHERE seq = 3", "ledger entry 3 "),
    ],
)
def test_a_removed_entry_or_a_changed_release_is_seen(history, run_sql, change, words):
    run_sql(*without_guards(history._engine.dialect.name == "sqlite"), change)
    with pytest.raises(StateError, match=words):
        history.verify_ledger()


def test_a_release_whose_entry_was_cut_off_is_seen(journal, run_sql):
    record(journal, "release", 1, "r1", "a")
    record(journal, "release", 2, "r2", "b")
    sqlite = journal._engine.dialect.name == "sqlite"  # where a foreign key binds only those who ask for it
    unbound = [] if sqlite else ["ALTER TABLE releases DROP CONSTRAINT fk_releases_seq"]
    run_sql(*without_guards(sqlite), *unbound, "DELETE FROM ledger WHERE seq = 2")
    with pytest.raises(StateError, match="ledger entry 2 is missing: it made release 'r2'"):
        journal.verify_ledger()


def test_an_entry_waits_for_the_one_before_it_to_be_committed(journal):
    with ThreadPoolExecutor(1) as pool:
        with writing(journal._engine) as connection:
            releases.append(connection, kind="hold", time_ms=1, release=None, candidate=candidate("a"), evidence={})
            second = pool.submit(record, journal, "hold", 2, None, "b")
            wait([second], timeout=0.2)
            assert not second.done()
        assert second.result(30).seq == 2
    journal.verify_ledger()


def test_verifying_sees_one_moment_while_others_append(journal):
    """Else a release recorded between two reads would look like a forgery."""
    stop = threading.Event()

    def keep_releasing():
        names = (f"r{i}" for i in itertools.count())
        while not stop.is_set():
            record(journal, "release", 1, next(names), "a")

    writer = threading.Thread(target=keep_releasing)
    writer.start()
    try:
        for _ in range(60):
            journal.verify_ledger()
    finally:
        stop.set()
        writer.join()
    assert journal.ledger()
