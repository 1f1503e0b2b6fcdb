"""A small help desk for tests: three intents in plain words, and a house on a temporary folder."""

from __future__ import annotations

from pathlib import Path

from noria import build
from noria.agent import Recipe
from noria.connect.builtin_desk import BuiltinDesk
from noria.label import SamplingPolicy
from noria.loop import House, LoopPolicy
from noria.records import Article, Candidate, Example
from noria.release import GatePolicy
from noria.stores import Stores
from noria.update import UpdatePolicy

WORDS = {
    "vpn": ("vpn", "tunnel", "remote login", "secure connection", "gateway"),
    "printer": ("printer", "paper jam", "toner", "print job", "tray"),
    "password": ("password", "locked account", "sign in", "passphrase", "reset link"),
    "phone": ("mobile", "sim card", "roaming", "handset", "voicemail"),
}
FRAMES = ("my {} does not work", "the {} is broken again", "help with {} please", "{} fails since today", "no {} here")
OTHER = {
    "oos": ("lunch menu", "parking space", "pay slip", "holiday request"),
    "small_talk": ("hello", "thank you", "good bye"),
}
ARTICLES = [
    Article(f"kb-{i}", f"All about {w[0]}", f"If your {w[0]} or {w[1]} fails: restart.", (i,)) for i, w in WORDS.items()
]


def texts(words: tuple[str, ...]) -> list[str]:
    return [frame.format(word) for word in words for frame in FRAMES]


def examples(intents: tuple[str, ...] = ("vpn", "printer", "password"), *, wrong: float = 0.0) -> list[Example]:
    """Examples of some intents, a fifth of them test rows; a share of the training rows has a wrong intent."""
    rows: list[Example] = []
    for intent, words in {**{i: WORDS[i] for i in intents}, **OTHER}.items():
        for n, text in enumerate(texts(words)):
            split = "test" if n % 5 == 4 else "train"
            spoilt = split == "train" and intent in intents and n % 10 < 10 * wrong
            said = intents[(intents.index(intent) + 1) % len(intents)] if spoilt else intent
            rows.append(Example(f"{intent}-{n}", text, said, split))
    return rows


def open_stores(folder: Path) -> Stores:
    return Stores(
        lake=folder / "lake",
        blobs=folder / "blobs",
        journal=f"sqlite:///{folder / 'journal.db'}",
        tracker=f"sqlite:///{folder / 'tracker.db'}",
        artifacts=folder / "artifacts",
    )


def open_house(stores: Stores, **policies: object) -> House:
    policy = {
        "sampling": SamplingPolicy(daily_budget=60),
        "update": UpdatePolicy(min_new_labels=20, min_after_finding=10, accept_new_intents=True, new_intent_labels=5),
        "gate": GatePolicy(margin=0.2),
    } | policies
    return House(stores, BuiltinDesk(stores.journal), LoopPolicy(**policy), lambda: 0.0)  # type: ignore[arg-type]


def train(
    stores: Stores, rows: list[Example], *, name: str = "it", time_ms: int = 1, articles: bool = True
) -> Candidate:
    """A candidate on the rows as a new version of the table."""
    if articles:
        stores.lake.write_articles(name, ARTICLES, mode="append", note={}, time_ms=time_ms)
    stores.lake.write_examples(name, rows, mode="replace", note={}, time_ms=time_ms)
    candidate, _ = build.train(
        stores, name, articles_ref=None, recipe=Recipe(), time_ms=time_ms, code={}, clock=lambda: 0.0
    )
    return candidate
