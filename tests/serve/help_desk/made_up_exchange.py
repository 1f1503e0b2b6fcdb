"""A journal with conversations and hand-overs, and a fake Freshservice to exchange with, on one clock."""

from __future__ import annotations

from noria.app.fakes.freshservice import FakeFreshservice, in_process, made_up_data
from noria.connect.freshservice import FreshserviceClient, FreshserviceDesk
from noria.records import Answer, Prediction, Query, Ranked
from noria.records.sessions import HandOver, Session

NOW = 1_760_000_000_000
MINUTE_MS = 60_000


class Clock:
    def __init__(self, now_ms=NOW):
        self.now_ms = now_ms

    def __call__(self):
        return self.now_ms

    def pass_minutes(self, minutes):
        self.now_ms += round(minutes * MINUTE_MS)


def new_fake(clock):
    data = {name: [] for name in ("tickets", "conversations", "csat")}
    fake = FakeFreshservice(made_up_data(NOW, tickets=0) | data, now_ms=clock)
    fake.limits.update(dict.fromkeys(fake.limits, 100_000))
    return fake


def desk_on(fake, **options):
    options = {"transport": in_process(fake), "pause_s": 0.001, "sleep": lambda s: None} | options
    return FreshserviceDesk(FreshserviceClient("https://made-up.example", "key", **options))


def asked(name, session="s1", account="acme", text="my vpn is down", time_ms=NOW - 10 * MINUTE_MS, decision="answer"):
    query = Query(f"q-{name}", account, session, text, time_ms)
    answer = Answer(decision, "vpn_down", 0.9, 1.0, in_scope=True, articles=(Ranked("kb-7", 1.0),))
    return Prediction(name, query, answer, "r1", 1.0)


def conversation(journal, name, account="acme", requester="ann@made-up.example", reason="it still fails"):
    """A session with one question that was handed over just now; the hand-over."""
    made = HandOver(f"{account}:{name}", account, name, requester, reason, NOW)
    session = Session(account, name, requester, "chat", NOW - 10 * MINUTE_MS)
    journal.write([session, asked(f"p-{account}-{name}", name, account), made])
    return made
