"""Made-up traffic: dated, weekly, seeded, with changes that begin on the day they are planted."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest

from noria.app.demo.corpus import NEW_DOMAIN, articles, corpus, examples
from noria.errors import UsageError
from noria.loop.traffic import Change, TrafficPlan, generate
from noria.records import RESERVED_INTENTS, StreamRow

MONDAY_MS = int(dt.datetime(2026, 1, 5, tzinfo=dt.UTC).timestamp() * 1000)
DAY_MS = 86_400_000
CORPUS = corpus()
DOMAIN_OF = {u.intent: u.domain for u in CORPUS.utterances}


def stream(*changes: Change, days: int = 14, seed: int = 1) -> list[StreamRow]:
    return generate(CORPUS, TrafficPlan(MONDAY_MS, days=days, queries_a_day=150, seed=seed, changes=changes))


def day(row: StreamRow) -> int:
    return (row.time_ms - MONDAY_MS) // DAY_MS


def test_the_same_seed_gives_the_same_stream() -> None:
    """Traffic is repeatable, and another seed gives another stream."""
    assert stream() == stream()
    assert stream() != stream(seed=2)


def test_rows_are_in_order_with_unique_ids_and_filled_slots() -> None:
    """Times rise, ids differ, and no slot is left open."""
    rows = stream()
    assert [r.time_ms for r in rows] == sorted(r.time_ms for r in rows)
    assert len({r.id for r in rows}) == len(rows)
    assert not any("{" in r.text or "}" in r.text for r in rows)
    assert {r.account for r in rows} == {"acme", "birch", "cedar"}


def test_weekends_are_quiet() -> None:
    """Saturdays and Sundays have less than half of a weekday's queries."""
    count = Counter(day(r) % 7 for r in stream(days=28))
    assert max(count[5], count[6]) * 2 < min(count[d] for d in range(5))


def test_a_new_domain_appears_on_its_day_and_never_before() -> None:
    """The planted domain has no query before its start, and a real share after."""
    rows = stream(Change("new_domain", 7, NEW_DOMAIN))
    mobile = [r for r in rows if DOMAIN_OF.get(r.intent or "") == NEW_DOMAIN]
    assert min(day(r) for r in mobile) == 7
    after = [r for r in rows if day(r) >= 7]
    assert 0.1 < len(mobile) / len(after) < 0.4


def test_an_intent_is_reworded_from_its_day_on() -> None:
    """New words only after the start, in about the planted share."""
    rows = stream(Change("reworded", 7, "vpn_not_connecting", share=0.9), days=28)
    new = ("harbour",)
    asked = [(day(r) >= 7, any(w in r.text.lower() for w in new)) for r in rows if r.intent == "vpn_not_connecting"]
    assert not any(worded for late, worded in asked if not late)
    late = [worded for is_late, worded in asked if is_late]
    assert sum(late) / len(late) > 0.4


def test_a_spam_wave_ends_on_its_last_day() -> None:
    """Spam makes up its share while it lasts and nothing outside."""
    spam = set(CORPUS.other["spam"])
    rows = stream(Change("spam_wave", 4, share=0.5, end_day=6))
    irrelevant = [day(r) for r in rows if r.relevance == "irrelevant"]
    share = Counter(irrelevant)[4] / sum(day(r) == 4 for r in rows)
    assert spam
    assert 0.35 < share < 0.65
    assert Counter(irrelevant)[8] < 0.2 * sum(day(r) == 8 for r in rows)


def test_a_broken_article_answers_nobody() -> None:
    """From its day on no article is right for the queries that it answered."""
    article = next(a for a in CORPUS.articles if "printer_offline" in a.intents)
    rows = stream(Change("article_broken", 7, article.article_id))
    late = {r.article_id for r in rows if r.intent == "printer_offline" and day(r) >= 7}
    early = {r.article_id for r in rows if r.intent == "printer_offline" and day(r) < 7}
    assert late == {"none"}
    assert early == {article.article_id}


def test_the_mix_shifts_to_a_domain() -> None:
    """The named domain is asked for more often after the start."""
    rows = stream(Change("mix_shift", 14, "printing", share=5.0), days=28)
    share = [0.0, 0.0]
    for late in (0, 1):
        part = [r for r in rows if (day(r) >= 14) == bool(late) and r.intent not in RESERVED_INTENTS]
        share[late] = sum(DOMAIN_OF[r.intent or ""] == "printing" for r in part) / len(part)
    assert share[1] > 2 * share[0]


def test_a_change_of_something_unknown_is_named() -> None:
    """A slip in a change names the nearest thing there is."""
    with pytest.raises(UsageError, match="Did you mean 'printing'"):
        stream(Change("mix_shift", 1, "printng"))


def test_the_corpus_is_as_large_as_promised() -> None:
    """24 intents and more in 6 domains and more, 30 utterances each, 40 articles linked to intents, 3 accounts."""
    rows = examples()
    in_scope = {r.intent for r in rows} - RESERVED_INTENTS
    assert len(in_scope) >= 24
    assert len({r.domain for r in rows if r.domain}) >= 6
    assert not {r.intent for r in rows if r.domain == NEW_DOMAIN}
    assert len(articles()) >= 40
    linked = {i for a in articles() for i in a.intents}
    assert set(DOMAIN_OF) <= linked
    assert len(CORPUS.accounts) == 3
    kept = {r.text for r in rows if r.split != "train"}
    assert kept
    assert not kept & {u.text for u in CORPUS.utterances}
