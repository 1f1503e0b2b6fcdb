"""A real house with a live release: accounts with articles of their own, for agents only, and for a group."""

from __future__ import annotations

import json
from pathlib import Path

from tests.house import ARTICLES, examples, open_stores, train

from noria.app.home import open_home
from noria.app.wiring import LiveHouse
from noria.records import Article, Example
from noria.records.access import ApiKey, AuditEntry, Role
from noria.release import GatePolicy, consider, roll_out
from noria.serve.access import hash_of, new_key
from noria.stores import Stores

ACCOUNTS = ("acme", "birch", "cedar")
WORDS = "vpn tunnel remote login secure connection gateway"
OWN = [
    Article(f"{account}-{kind}", f"{account} {kind} vpn", f"{WORDS} of {account}, {kind}", ("vpn",), account=account,
            audience=audience)
    for account in ACCOUNTS
    for kind, audience in (("all", None), ("agents", ("agents",)), ("vip", ("vip",)))
]  # fmt: skip


def go_live(stores: Stores, rows: list[Example], time_ms: int = 1) -> str:
    """Trains on the rows and puts the candidate live; its name."""
    if time_ms == 1:
        stores.lake.write_articles("it", [*ARTICLES, *OWN], mode="append", note={}, time_ms=time_ms)
    candidate = train(stores, rows, time_ms=time_ms, articles=False)
    verdict = consider(stores, candidate, [], GatePolicy(margin=0.3), time_ms=time_ms)
    assert verdict.kind == "promote", verdict.reason
    return roll_out(stores, candidate, verdict, time_ms=time_ms).release


def make_home(folder: Path) -> Path:
    """A home with a live release."""
    stores = open_stores(folder)
    go_live(stores, examples())
    stores.close()
    (folder / "home.json").write_text(json.dumps({"layout": 1}))
    return folder


def open_live_house(folder: Path) -> LiveHouse:
    return LiveHouse(open_home(folder))


def add_key(house: LiveHouse, role: Role, account: str = "*") -> str:
    """A key that opens something from now on."""
    door = house.stores.journal.access
    name = f"{role}{len(door.keys())}"
    text = new_key(name, "s" * 40)
    door.add_key(ApiKey(name, hash_of(text), account, role, "", 0), AuditEntry(f"a-{name}", 0, "t", "t", account, name))
    house.keyring.refresh()
    return text
