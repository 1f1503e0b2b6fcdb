"""A journal is created, migrated and shared safely, and what it commits is on disk."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from tests.stores.journal_records import candidate, prediction

from noria.errors import OutsideError, StateError, UsageError
from noria.records import Label
from noria.stores.journal import Journal, migrations
from noria.stores.journal.engine import writing
from noria.stores.journal.schema import METADATA


def test_the_list_of_revisions_is_that_of_the_migration_files():
    found = [script.revision for script in ScriptDirectory.from_config(migrations.config()).walk_revisions()]
    assert tuple(reversed(found)) == migrations.REVISIONS


def shape(engine):
    """All that the database knows of the tables."""
    look = inspect(engine)
    return {
        name: {
            "columns": [{**c, "type": str(c["type"])} for c in look.get_columns(name)],
            "key": look.get_pk_constraint(name),
            "foreign": look.get_foreign_keys(name),
            "indexes": sorted(look.get_indexes(name), key=lambda index: str(index["name"])),
            "checks": sorted(look.get_check_constraints(name), key=lambda check: str(check["name"])),
            "unique": look.get_unique_constraints(name),
        }
        for name in look.get_table_names()
        if name != migrations.VERSION_TABLE
    }


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(new_database):
    migrated, plain = Journal.open(new_database()), Journal.open(new_database())
    with writing(plain._engine) as connection:
        migrations.move(connection, "base")
        METADATA.create_all(connection)
    assert shape(migrated._engine) == shape(plain._engine)
    assert shape(migrated._engine).keys() == METADATA.tables.keys()
    migrated.close()
    plain.close()


def test_a_journal_goes_down_to_nothing_and_up_again(journal, run_sql):
    journal.add_predictions([prediction()])
    with writing(journal._engine) as connection:
        migrations.move(connection, "base")
    assert set(inspect(journal._engine).get_table_names()) <= {migrations.VERSION_TABLE}
    with writing(journal._engine) as connection:
        migrations.move(connection, migrations.HEAD)
    journal.record_release(kind="release", time_ms=1, release="r1", candidate=candidate(), evidence={})
    with pytest.raises(Exception, match="append-only"):
        run_sql("DELETE FROM ledger")


OLD_TASK = (
    "INSERT INTO tasks (task_id, prediction_id, account, text, predicted_intent, decision, article_ids, release, "
    "query_time_ms, stratum, inclusion_probability, seed, design, scope, created_ms, show_prediction, status) VALUES "
    "('{0}', 'p-{0}', 'acme', 'vpn', 'vpn', 'answer', '[\"kb1\"]', 'r1', 5, 's', 0.5, '7', 'd', '[\"vpn\"]', 6, TRUE, "
    "'{1}')"
)
OLD_LABEL = (
    "INSERT INTO labels (label_id, task_id, prediction_id, annotator, relevance, intent, article_id, helpful, time_ms, "
    "note) VALUES ('{0}', '{1}', 'p-{1}', 'ann', 'in_scope', 'vpn', {2}, TRUE, {3}, '')"
)


def test_labels_of_the_first_schema_keep_their_meaning_on_the_way_up_and_down(journal, run_sql):
    """One annotator settled a task by the latest label; what was withdrawn since does not come back as a label."""
    with writing(journal._engine) as connection:
        migrations.move(connection, "0001_first")
    run_sql(
        *(OLD_TASK.format(name, status) for name, status in [("t1", "labelled"), ("t2", "open"), ("t3", "labelled")]),
        *(
            OLD_LABEL.format(*row)
            for row in [("l1", "t1", "'kb9'", 7), ("l2", "t1", "'kb1'", 8), ("l3", "t3", "NULL", 9)]
        ),
    )
    with writing(journal._engine) as connection:
        migrations.move(connection, migrations.HEAD)
    assert [(lab.label_id, lab.article_ids) for lab in journal.labels(0)] == [
        ("l1", ("kb9",)), ("l2", ("kb1",)), ("l3", ()),
    ]  # fmt: skip
    first, third = journal.judged(0, 10)
    assert (first.task.annotators, first.task.purpose, first.task.confidence) == (1, "estimate", 0.0)
    assert (first.label.label_id, first.label.annotators, first.label.time_ms) == ("l2", ("ann",), 8)
    assert first.right
    assert third.label.article_ids == ()
    assert [task.task_id for task in journal.open_tasks()] == ["t2"]
    back = Label("l4", "t3", "p-t3", "ann", "in_scope", "vpn", (), helpful=True, time_ms=10, withdrawn=True)
    several = Label("l5", "t2", "p-t2", "ann", "in_scope", "vpn", ("kb1", "kb2"), helpful=None, time_ms=11)
    journal.add_labels([back, several])
    with writing(journal._engine) as connection:
        migrations.move(connection, "0001_first")
    assert run_sql("SELECT label_id, article_id FROM labels ORDER BY label_id") == [
        ("l1", "kb9"), ("l2", "kb1"), ("l5", "kb1"),
    ]  # fmt: skip
    assert run_sql("SELECT task_id, status FROM tasks ORDER BY task_id") == [
        ("t1", "labelled"), ("t2", "labelled"), ("t3", "open"),
    ]  # fmt: skip


def test_a_journal_that_was_downgraded_comes_up_when_it_is_opened(journal, journal_url):
    with writing(journal._engine) as connection:
        migrations.move(connection, "base")
    again = Journal.open(journal_url)
    assert again.counts_by_day() == {}
    again.close()


def test_a_migration_that_fails_leaves_nothing_behind(journal_url, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "move", half_a_migration)
        with pytest.raises(RuntimeError, match="power cut"):
            Journal.open(journal_url)
    journal = Journal.open(journal_url)
    assert journal.counts_by_day() == {}
    journal.close()


def half_a_migration(connection, revision):
    METADATA.tables["predictions"].create(connection)
    raise RuntimeError("power cut")


def test_what_was_written_is_there_when_opened_again(journal_url):
    first = Journal.open(journal_url)
    first.add_predictions([prediction()])
    first.close()
    second = Journal.open(journal_url)
    assert second.prediction("p1") == prediction()
    second.close()


def test_a_journal_of_a_newer_noria_is_refused(journal, journal_url, run_sql):
    run_sql(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '0099_future'")
    with pytest.raises(StateError, match=r"made by a newer Noria .*update Noria"):
        Journal.open(journal_url)


def test_a_database_of_something_else_is_left_alone(journal_url, run_sql):
    run_sql("CREATE TABLE releases (id INTEGER)")
    with pytest.raises(StateError, match=r"something else \(releases\)"):
        Journal.open(journal_url)
    assert run_sql("SELECT * FROM releases") == []


def test_many_may_open_a_new_journal_at_the_same_moment_and_one_migrates(journal_url, monkeypatch):
    move, migrating = migrations.move, []

    def slow_move(connection, revision):
        migrating.append(revision)
        time.sleep(0.1)  # time for the others to come in, were they not kept out
        move(connection, revision)

    monkeypatch.setattr(migrations, "move", slow_move)
    with ThreadPoolExecutor(4) as pool:
        journals = list(pool.map(Journal.open, [journal_url] * 4))
    assert migrating == [migrations.HEAD]
    for i, journal in enumerate(journals):
        journal.add_predictions([prediction(f"p{i}")])
    assert len(journals[0].predictions(0, 2**60)) == 4
    for journal in journals:
        journal.close()


def test_sqlite_commits_to_the_disk_and_checks_foreign_keys(tmp_path):
    journal = Journal.open(f"sqlite:///{tmp_path}/deep/er/journal.db")
    with journal._engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    journal.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
@pytest.mark.real
def test_postgresql_commits_to_the_disk_even_where_the_server_would_not(journal_url, run_sql):
    name = journal_url.split("?")[0].rsplit("/", 1)[1]
    run_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    journal = Journal.open(journal_url)
    with journal._engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    journal.close()


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite://", "sqlite:///:memory:", "nonsense", ""])
def test_a_url_that_names_no_such_database_is_refused_with_the_forms_that_do(url):
    with pytest.raises(UsageError, match=r"give sqlite:///PATH or postgresql://HOST/NAME"):
        Journal.open(url)


def test_a_refused_url_keeps_its_password_to_itself():
    with pytest.raises(UsageError) as caught:
        Journal.open("mysql://me:secret@host/name")
    assert "secret" not in str(caught.value)


def test_a_place_where_no_file_can_be_is_an_outside_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutsideError):
        Journal.open(f"sqlite:///{tmp_path}/file/journal.db")
    with pytest.raises(OutsideError):
        Journal.open(f"sqlite:///{tmp_path}")


def test_a_file_that_is_no_database_is_an_outside_error_that_no_retry_helps(tmp_path):
    (tmp_path / "journal.db").write_text("These are my notes, not a database. " * 100)
    with pytest.raises(OutsideError, match="not a database") as caught:
        Journal.open(f"sqlite:///{tmp_path}/journal.db")
    assert not caught.value.retry_helps


@pytest.mark.real
def test_a_postgresql_that_does_not_run_is_an_outside_error_and_a_retry_may_help(tmp_path):
    pytest.importorskip("psycopg")
    with pytest.raises(OutsideError) as caught:
        Journal.open(f"postgresql://noria@/noria?host={tmp_path}")
    assert caught.value.retry_helps


def run_child(script: str, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-c", dedent(script), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_opening_a_journal_that_is_up_to_date_needs_no_alembic(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    Journal.open(url).close()
    script = """
        import sys
        from noria.stores.journal import Journal
        Journal.open(sys.argv[1]).close()
        print("alembic" in sys.modules)
    """
    out, errors = run_child(script, url).communicate()
    assert out.strip() == "False", errors


WRITER = """
    import sys
    from noria.records import Answer, Candidate, DataVersion, Feedback, Prediction, Query
    from noria.stores.journal import Journal

    url, name = sys.argv[1:]
    journal = Journal.open(url)
    data = DataVersion("examples", "x", 1, 1, "0")
    for i in range(25):
        query = Query(f"q{i}", "acme", "s", "text", i)
        journal.add_predictions([Prediction(f"{name}{i}", query, Answer("handoff", "x", 0.5, 0.5, False), "r1", 1.0)])
        journal.add_feedback([Feedback(f"{name}{i}", f"{name}{i}", "helpful", i)])
        candidate = Candidate(f"{name}{i}", "run", "0", data, None, {}, {}, i)
        journal.record_release(kind="hold", time_ms=i, release=None, candidate=candidate, evidence={"i": i})
    journal.close()
"""


def test_two_processes_write_at_once_and_nothing_is_lost(journal_url):
    """From an empty database on: both may find no tables; and the ledger of both stays one chain."""
    children = [run_child(WRITER, journal_url, name) for name in "ab"]
    for child in children:
        _, errors = child.communicate()
        assert child.returncode == 0, errors
    journal = Journal.open(journal_url)
    assert len(journal.predictions(0, 100)) == len(journal.feedback(0, 100)) == len(journal.ledger()) == 50
    journal.verify_ledger()
    journal.close()
