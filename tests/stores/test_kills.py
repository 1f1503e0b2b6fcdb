"""Fifty writers are killed at random moments, on each database, and nothing that they acknowledged is lost."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from noria.stores.journal import Journal

KILLS = 50
# Forked from a process that has everything loaded and nothing open, so that a life lasts as long as it writes.
DRIVER = """
    import os, random, signal, sys, threading
    from noria.records import Answer, Feedback, Prediction, Query
    from noria.records.sessions import Session
    from noria.stores.journal import GroupCommit, Journal

    url, kills = sys.argv[1], int(sys.argv[2])
    chance = random.Random(7)

    def write(life, out):
        commit = GroupCommit(Journal.open(url))

        def user(thread):
            for turn in range(100_000):
                name = f"{life}-{thread}-{turn}"
                commit.submit(Session("acme", name, "ann", "chat", 1))
                query = Query(name, "acme", name, "text", 1)
                made = Prediction(name, query, Answer("handoff", "x", 0.5, 0.5, False), "r1", 1.0)
                commit.submit(made).result()
                os.write(out, f"p {name}\\n".encode())
                commit.submit(Feedback(name, name, "helpful", 1)).result()
                os.write(out, f"f {name}\\n".encode())

        for thread in range(8):
            threading.Thread(target=user, args=(thread,), daemon=True).start()
        threading.Event().wait()

    for life in range(kills):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            write(life, writer)
        os.close(writer)
        told = os.read(reader, 65_536)
        threading.Event().wait(chance.uniform(0.0, 0.08))
        os.kill(child, signal.SIGKILL)
        while part := os.read(reader, 65_536):
            told += part
        os.close(reader)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        sys.stdout.write(told.decode())
"""


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_in_fifty_kills(journal_url):
    """A prediction that stands has its session too: what was queued first was committed no later."""
    Journal.open(journal_url).close()
    command = [sys.executable, "-c", dedent(DRIVER), journal_url, str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    told = [line.split() for line in done.stdout.splitlines()]
    asked, said = ({name for kind, name in told if kind == which} for which in "pf")
    assert len({name.split("-")[0] for name in asked}) == KILLS
    journal = Journal.open(journal_url)
    kept = {p.prediction_id for p in journal.predictions(0, 10)}
    events = {f.event_id for f in journal.feedback(0, 10)}
    sessions = {s.session for s in journal.sessions.sessions("acme", 0, 10)}
    journal.close()
    assert len(asked) >= 8 * KILLS
    assert asked <= kept <= sessions
    assert said <= events <= kept
