"""Loads the demo corpus that ships in the package, and the changes that the demo plants."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from noria.loop.traffic import Account, Change, Corpus, TrafficPlan, generate
from noria.records import IRRELEVANT, OOS, SMALL_TALK, Article, Example, Split

NEW_DOMAIN = "mobile"
HISTORY_DAYS = 28
HISTORY_QUERIES_A_DAY = 40.0
CHANGES = (
    Change("new_domain", start_day=18, target=NEW_DOMAIN),
    Change("reworded", start_day=36, target="vpn_not_connecting", share=0.9),
)
_TRAFFIC = ("train", "fresh")
_SPLITS: dict[str, Split] = {"train": "train", "val": "val", "test": "test"}


def corpus() -> Corpus:
    """The demo's corpus; its traffic draws on training rows and rows of its own.

    Validation and test rows stay out of the traffic: labels would bring them into the training data, and both the
    calibration and the frozen basket would flatter.
    """
    slots = {k: tuple(v) for k, v in _json("slots.json").items()}
    other: dict[str, list[str]] = {}
    for row in _lines("other.jsonl"):
        if row["split"] in _TRAFFIC:
            other.setdefault(row["kind"], []).append(row["text"])
    reworded: dict[str, list[str]] = {}
    for row in _lines("reworded_a.jsonl") + _lines("reworded_b.jsonl"):
        reworded.setdefault(row["intent"], []).append(row["text"])
    pool = [r for r in _utterances() if r["split"] in _TRAFFIC]
    return Corpus(
        utterances=tuple(Example(r["id"], r["text"], r["intent"], None, r["domain"]) for r in pool),
        reworded={k: tuple(v) for k, v in reworded.items()},
        other={k: tuple(v) for k, v in other.items()},
        articles=tuple(articles()),
        accounts=tuple(
            Account(a["account"], a["title"], a["share"], a["domain_weights"]) for a in _json("accounts.json")
        ),
        slots=slots,
    )


def examples() -> list[Example]:
    """What the agent is first trained on: all domains but the new one, small talk, out of scope and irrelevant rows.

    The slots of utterances are filled, each row always the same way. Rows of the split "fresh" are traffic only.
    """
    slots: dict[str, list[str]] = _json("slots.json")
    rows = [
        Example(r["id"], fill(r["text"], slots, number), r["intent"], _SPLITS[r["split"]], r["domain"], None, "demo")
        for number, r in enumerate(_utterances())
        if r["split"] in _SPLITS and r["domain"] != NEW_DOMAIN
    ]
    reserved = {"oos": OOS, "irrelevant": IRRELEVANT, "small_talk": SMALL_TALK}
    rows += [
        Example(r["id"], r["text"], reserved[r["kind"]], _SPLITS[r["split"]], None, None, "demo")
        for r in _lines("other.jsonl")
        if r["split"] in _SPLITS and r["kind"] in reserved
    ]
    return rows


def history(start_ms: int, seed: int) -> list[Example]:
    """Labelled queries from the four weeks before the start: a third calibrates, two thirds are test rows.

    A gate protects what users ask, so its frozen basket has to look like traffic and not only like written examples.
    """
    later = (Change("new_domain", HISTORY_DAYS, NEW_DOMAIN),)
    begin_ms = start_ms - HISTORY_DAYS * 86_400_000
    rows = generate(corpus(), TrafficPlan(begin_ms, HISTORY_DAYS, HISTORY_QUERIES_A_DAY, seed + 1000, changes=later))
    return [
        Example(f"history-{r.id}", r.text, r.intent or OOS, "val" if n % 3 == 0 else "test", None, r.account, "history")
        for n, r in enumerate(rows)
    ]


def articles() -> list[Article]:
    """The knowledge articles, those of the new domain included."""
    return [
        Article(r["article_id"], r["title"], r["body"], tuple(r["intents"]), r["domain"])
        for r in _lines("articles_a.jsonl") + _lines("articles_b.jsonl")
    ]


def fill(text: str, slots: dict[str, list[str]], number: int) -> str:
    """The text with its slots filled by the values number `number` points at."""
    for slot, values in slots.items():
        text = text.replace("{" + slot + "}", values[number % len(values)])
    return text


def _utterances() -> list[dict[str, Any]]:
    return _lines("utterances_a.jsonl") + _lines("utterances_b.jsonl")


def _lines(name: str) -> list[dict[str, Any]]:
    text = files(__package__).joinpath("corpus", name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _json(name: str) -> Any:
    return json.loads(files(__package__).joinpath("corpus", name).read_text(encoding="utf-8"))
