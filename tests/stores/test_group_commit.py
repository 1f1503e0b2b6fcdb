"""What group commit acknowledged is on disk; a bad item fails alone; a full queue says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from textwrap import dedent

import pytest
from sqlalchemy import event as sqlalchemy_event
from tests.stores.journal_records import event, label, prediction, task

from noria.errors import NotFound, OutsideError, StateError, UsageError
from noria.stores.journal import GroupCommit, Journal

FOREVER_MS = 3_600_000.0  # a batch that waits this long is written because it is full, or because of close()


class Gate:
    """Stands in for a journal whose disk can be made to hang or fail."""

    def __init__(self):
        self.open, self.reached = threading.Event(), threading.Event()
        self.written, self.failure = [], None

    def write(self, items):
        self.reached.set()
        assert self.open.wait(30)
        if self.failure is not None:
            raise self.failure
        self.written += items
        return [True] * len(items)

    def write_each(self, items):
        raise AssertionError("when the disk fails it is no use to write items one by one")


def test_a_completed_future_means_that_the_item_is_in_the_database(journal, journal_url):
    other = Journal.open(journal_url)
    with GroupCommit(journal) as commit:
        for i in range(3):
            assert commit.submit(prediction(f"p{i}")).result(30) is True
            assert other.prediction(f"p{i}") == prediction(f"p{i}")
    other.close()


def test_sixteen_threads_share_commits_and_lose_nothing(journal):
    commits = []
    sqlalchemy_event.listen(journal._engine, "commit", commits.append)

    def user(thread):
        for i in range(20):
            name = f"{thread}-{i}"
            done = commit.submit(prediction(name, time_ms=thread))
            commit.submit(event(name, name, time_ms=thread)).result(30)
            assert done.done()

    with GroupCommit(journal) as commit, ThreadPoolExecutor(16) as pool:
        list(pool.map(user, range(16)))
    assert len(journal.predictions(0, 16)) == len(journal.feedback(0, 16)) == 320
    assert len(commits) < 320


def test_bad_items_fail_alone(journal):
    """Unknown prediction, known id with other content, unfit text, record of wrong types: each its own error."""
    journal.add_predictions([prediction("old")])
    items = {
        "good": prediction("p1"),
        "again": prediction("old"),
        "clash": prediction("old", text="other"),
        "orphan": event("e1", "nowhere"),
        "unfit": prediction("p2", text="\0"),
        "wrong": prediction("p3", intent_confidence="high"),
        "fine": event("e2", "p1"),
        "huge": prediction("p4", time_ms=2**64),
    }
    with GroupCommit(journal, max_batch=len(items), max_wait_ms=FOREVER_MS) as commit:
        futures = {name: commit.submit(item) for name, item in items.items()}
        errors = {name: type(future.exception(30)) for name, future in futures.items()}
    assert errors == {
        "good": type(None),
        "again": type(None),
        "clash": UsageError,
        "orphan": NotFound,
        "unfit": UsageError,
        "wrong": UsageError,
        "fine": type(None),
        "huge": UsageError,
    }
    assert {p.prediction_id for p in journal.predictions(0, 2**60)} == {"old", "p1"}
    assert [e.event_id for e in journal.feedback(0, 2**60)] == ["e2"]


def test_a_batch_with_bad_items_is_still_one_commit(journal):
    commits = []
    sqlalchemy_event.listen(journal._engine, "commit", commits.append)
    with GroupCommit(journal, max_batch=40, max_wait_ms=FOREVER_MS) as commit:
        futures = [commit.submit(event(f"e{i}", "nowhere") if i % 2 else prediction(f"p{i}")) for i in range(40)]
        wait(futures, 30)
    assert sum(future.exception() is None for future in futures) == 20
    assert len(commits) == 1


def test_feedback_may_come_with_or_even_before_its_prediction_in_one_batch(journal):
    for bad in ([], [event("e9", "nowhere")]):
        name = f"p{len(bad)}"
        items = [event(f"e{name}", name), *bad, prediction(name)]
        with GroupCommit(journal, max_batch=len(items), max_wait_ms=FOREVER_MS) as commit:
            futures = [commit.submit(item) for item in items]
            assert futures[0].exception(30) is None
            assert futures[-1].exception(30) is None
    assert len(journal.feedback(0, 2**60)) == 2


def test_labels_are_acknowledged_too(journal):
    journal.add_tasks([task()])
    with GroupCommit(journal, max_batch=2, max_wait_ms=FOREVER_MS) as commit:
        good, bad = commit.submit(label()), commit.submit(label("l2", "t9"))
        assert good.result(30) is True
        assert isinstance(bad.exception(30), NotFound)
    assert journal.labels(0) == [label()]


def test_a_full_queue_refuses_at_once_and_what_was_taken_is_written(journal):
    gate = Gate()
    commit = GroupCommit(gate, max_batch=1, max_queued=2)
    taken = [commit.submit(prediction("p0"))]
    assert gate.reached.wait(30)
    taken += [commit.submit(prediction(f"p{i}")) for i in (1, 2)]
    with pytest.raises(OutsideError, match="2 items wait") as caught:
        commit.submit(prediction("p3"))
    assert caught.value.retry_helps
    gate.open.set()
    commit.close()
    assert [future.result(0) for future in taken] == [True] * 3
    assert [item.prediction_id for item in gate.written] == ["p0", "p1", "p2"]


def test_closing_writes_what_waits_and_takes_nothing_more(journal):
    commit = GroupCommit(journal, max_wait_ms=FOREVER_MS)
    futures = [commit.submit(prediction(f"p{i}")) for i in range(3)]
    commit.close()
    assert all(future.result(0) is True for future in futures)
    assert len(journal.predictions(0, 2**60)) == 3
    with pytest.raises(StateError, match="closing"):
        commit.submit(prediction("p9"))
    commit.close()


def test_a_failing_disk_fails_the_whole_batch_and_the_next_batch_is_tried_again():
    gate = Gate()
    gate.failure = OutsideError("disk full", retry_helps=True)
    gate.open.set()
    with GroupCommit(gate, max_batch=2, max_wait_ms=FOREVER_MS) as commit:
        failed = [commit.submit(prediction(name)) for name in ("p1", "p2")]
        assert [future.exception(30) for future in failed] == [gate.failure] * 2
        gate.failure = None
        written = [commit.submit(prediction(name)) for name in ("p3", "p4")]
        assert [future.result(30) for future in written] == [True] * 2


def test_an_item_that_was_taken_cannot_be_cancelled(journal):
    commit = GroupCommit(journal, max_wait_ms=FOREVER_MS)
    future = commit.submit(prediction())
    assert not future.cancel()
    commit.close()
    assert journal.prediction("p1") == prediction()


def test_what_is_no_entry_and_what_is_no_limit_is_refused(journal):
    with GroupCommit(journal) as commit, pytest.raises(UsageError, match="not a str"):
        commit.submit("p1")
    with pytest.raises(UsageError, match="max_batch >= 1"):
        GroupCommit(journal, max_batch=0)


CHILD = """
    import sys, threading
    from noria.records import Answer, Prediction, Query
    from noria.stores.journal import GroupCommit, Journal

    commit = GroupCommit(Journal.open(sys.argv[1]))
    say = threading.Lock()

    def user(thread):
        for i in range(100_000):
            name = f"{thread}-{i}"
            query = Query(name, "acme", "s", "text", 1)
            commit.submit(Prediction(name, query, Answer("handoff", "x", 0.5, 0.5, False), "r1", 1.0)).result()
            with say:
                print(name, flush=True)

    for thread in range(8):
        threading.Thread(target=user, args=(thread,)).start()
"""


def test_what_was_acknowledged_survives_a_kill(journal_url):
    """The process is killed in the middle of writing, without any chance to tidy up."""
    child = subprocess.Popen([sys.executable, "-c", dedent(CHILD), journal_url], stdout=subprocess.PIPE, text=True)
    acknowledged = [child.stdout.readline().strip() for _ in range(200)]
    os.kill(child.pid, signal.SIGKILL)
    # A line may have been cut off in the middle by the kill.
    acknowledged += [line.strip() for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    journal = Journal.open(journal_url)
    stored = {p.prediction_id for p in journal.predictions(0, 10)}
    journal.close()
    assert len(acknowledged) >= 200
    assert set(acknowledged) <= stored
