"""Senders are killed at random moments, on a desk that loses replies: no hand-over becomes two tickets, none is lost.

Each life is a process of its own that delivers by real sockets. Lives follow each other on a clock that runs ahead, so
that waits and leases pass.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from textwrap import dedent

import pytest
from tests.serve.help_desk.made_up_exchange import Clock, conversation, new_fake

from noria.app.fakes.freshservice import asgi_app
from noria.records.serving.help_desk import DELIVERY_STATES
from noria.stores.journal import Journal

LIVES, HAND_OVERS = 30, 40
# Forked from a process that has everything loaded and nothing open, so that a life lasts as long as it sends.
DRIVER = """
    import os, sys
    from noria.connect.freshservice import FreshserviceClient, FreshserviceDesk
    from noria.serve.help_desk import AccountDesk, ExchangePolicy, deliver
    from noria.stores.journal import Journal
    journal_url, desk_url = sys.argv[1:]

    def live(now_ms):
        client = FreshserviceClient(desk_url, "key", pause_s=0.001, sleep=lambda s: None)
        at = AccountDesk("acme", FreshserviceDesk(client))
        journal = Journal.open(journal_url)
        os.write(1, b"begun\\n")
        deliver(journal, at, ExchangePolicy(most_sends=100), lambda: now_ms, limit=1000)

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(int(line))
            os._exit(0)
        os.write(1, f"{child}\\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(1, f"{status}\\n".encode())
"""


def marks(fake):
    return [tag for ticket in fake.desk.all("tickets") for tag in ticket["tags"] if tag.startswith("noria-")]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 1 + int(os.environ.get("NORIA_KILL_SEEDS", "1"))))
def test_no_hand_over_becomes_two_tickets_and_none_is_lost(tmp_path, serve_app, seed):
    url, clock, chance = f"sqlite:///{tmp_path}/journal.db", Clock(), random.Random(seed)
    journal = Journal.open(url)
    for n in range(HAND_OVERS):
        conversation(journal, f"s{n}")
    fake = new_fake(clock)
    fake.faults.seed = seed
    fake.faults.chance.update(lost_reply=0.1, cut=0.1, error=0.1, timeout=0.05, rate_limited=0.01)
    command = [sys.executable, "-c", dedent(DRIVER), url, serve_app(asgi_app(fake))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:

        def life(longest_s: float | None) -> bool:
            """Whether it was killed."""
            driver.stdin.write(f"{clock.now_ms}\n")
            driver.stdin.flush()
            told = [driver.stdout.readline().strip() for _ in range(2)]
            child = next(int(line) for line in told if line != "begun")
            if longest_s is not None:
                time.sleep(chance.uniform(0.0, longest_s))
                with contextlib.suppress(ProcessLookupError):  # it may have ended a moment before
                    os.kill(child, signal.SIGKILL)
            status = int(driver.stdout.readline())
            time.sleep(0.02)  # what the dead one has sent is still being read
            clock.pass_minutes(12)
            return os.WIFSIGNALED(status)

        killed = 0
        for n in range(LIVES):
            killed += life(0.25)
            assert len(set(marks(fake))) == len(marks(fake)), f"life {n} made one twice"
        assert killed >= LIVES // 2
        for _ in range(15):  # nobody kills any more, and the desk still loses replies
            life(None)
    states = {name: journal.outbox.in_state("acme", name, limit=1_000) for name in DELIVERY_STATES}
    delivered = [one.delivery.ticket_id for one in states["delivered"]]
    journal.close()
    assert len(set(marks(fake))) == len(marks(fake))
    assert set(delivered) <= {str(ticket["id"]) for ticket in fake.desk.all("tickets")}
    assert len(set(delivered)) == len(delivered)
    assert len(delivered) + len(states["unknown"]) == HAND_OVERS
    assert len(delivered) >= 0.9 * HAND_OVERS
