"""A finding is explained: which slice, which words, what happened, in sentences with numbers that add up."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from tests.house import open_stores
from tests.monitor.test_windows import settled

from noria.monitor.explain import Around, ExplainPolicy, explain
from noria.records import DAY_MS, HOUR_MS, Answer, Finding, Label, LabelTask, Prediction, Query
from noria.records.findings import Happening

START_MS = 1_767_571_200_000
CHANGE_MS = START_MS + 20 * DAY_MS
NOW_MS = START_MS + 30 * DAY_MS
FINDING = Finding(
    "success-1", "success", CHANGE_MS + 3 * DAY_MS, CHANGE_MS, CHANGE_MS - DAY_MS, CHANGE_MS + DAY_MS, 0.9, 0.7, "fell"
)


def add(stores, number, time_ms, intent, right, *, text="it does not work", account="acme", chance=0.5):
    name = f"p{number:05d}"
    predicted = intent if right else "other"
    query = Query(f"q{number}", account, "", text, time_ms, "chat" if number % 3 else "mail", "en")
    answer, release = Answer("answer", predicted, 0.9, 1.0, in_scope=True), "r1" if time_ms < CHANGE_MS else "r2"
    stores.journal.add_predictions([Prediction(name, query, answer, release, 1.0)])
    stores.journal.add_tasks([
        LabelTask(f"t-{name}", name, account, text, predicted, "answer", ("kb",), release, time_ms, "s", chance, 1, "d",
                  ("vpn", "printer", "other"), 0),
    ])  # fmt: skip
    stores.journal.add_labels([Label(f"l-{name}", f"t-{name}", name, "a", "in_scope", intent, (), None, time_ms)])


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """From a day on the intent vpn is answered wrongly, in other words, with a release near."""
    made, rnd = open_stores(tmp_path_factory.mktemp("home")), random.Random(1)
    for number in range(400):
        time_ms = START_MS + int(rnd.random() * 30 * DAY_MS)
        broken = time_ms >= CHANGE_MS
        intent = rnd.choice(["vpn", "printer", "phone"])
        right = rnd.random() < (0.2 if broken and intent == "vpn" else 0.9)
        text = "passkey prompt loops" if broken and intent == "vpn" else f"the {intent} does not work {number}"
        add(made, number, time_ms, intent, right, text=text, chance=rnd.choice([0.2, 0.5]))
    made.journal.settle(settled)
    yield made
    made.close()


HAPPENED = [
    Happening(CHANGE_MS - 5 * HOUR_MS, "release", "r2", "Release r2 went live"),
    Happening(START_MS, "data", "it@1", "Data it@1 was loaded"),
]


def test_the_broken_intent_the_words_and_the_release_are_named_with_numbers(stores):
    told = explain(stores, FINDING, Around(HAPPENED), ExplainPolicy(), now_ms=NOW_MS)
    assert told.before == pytest.approx(0.9, abs=0.06)
    assert told.after < told.before - 0.1
    by_intent = next(d for d in told.dimensions if d.name == "intent")
    assert by_intent.mix + by_intent.within == pytest.approx(told.after - told.before, abs=1e-9)
    assert by_intent.parts[0].value == "vpn"
    text = " ".join(told.sentences)
    assert "Success on in-scope queries fell by" in text
    assert f"({told.n_before} labels)" in text
    assert f"({told.n_after} labels)" in text
    assert "Intent vpn: from" in text
    assert "“passkey" in text or "passkey" in " ".join(told.words)
    assert (
        "Release r2 went live on 24 Jan 19:00, 5 hours before the likely beginning, within the span in which it began."
        in text
    )
    assert "it@1" not in text


def test_what_happened_outside_the_span_is_not_said_to_be_in_it(stores):
    late = Happening(CHANGE_MS + 36 * HOUR_MS, "release", "r3", "Release r3 went live")
    soon = Happening(CHANGE_MS + HOUR_MS, "data", "it@2", "Data it@2 was loaded")
    told = explain(stores, FINDING, Around([late, soon]), ExplainPolicy(), now_ms=NOW_MS)
    assert any("loaded on 25 Jan 01:00, 1 hour after the likely beginning, within" in s for s in told.sentences)
    assert "Release r3 went live on 26 Jan 12:00, 36 hours after the likely beginning." in told.sentences


def test_what_a_new_release_does_worse_is_not_told_as_other_things_asked(tmp_path):
    """All falls two days before a release: the old one's fall tells most, and the rest is the new one's share."""
    made, rnd, fall_ms = open_stores(tmp_path), random.Random(2), CHANGE_MS - 2 * DAY_MS
    for number in range(300):
        time_ms = START_MS + number * 2 * HOUR_MS + 5 * DAY_MS
        add(
            made,
            3 * number,
            time_ms,
            rnd.choice(["vpn", "printer"]),
            rnd.random() < (0.9 if time_ms < fall_ms else 0.3),
        )
    made.journal.settle(settled)
    finding = replace(FINDING, inception_ms=fall_ms, inception_low_ms=fall_ms, inception_high_ms=fall_ms)
    told = explain(made, finding, Around(), ExplainPolicy(), now_ms=NOW_MS)
    made.close()
    (by,) = [s for s in told.sentences if s.startswith("By ")]
    assert by.startswith("By release, ")
    assert by.endswith(" from other releases answering.")


def test_every_dimension_adds_up_to_the_change(stores):
    told = explain(stores, FINDING, Around(), ExplainPolicy(), now_ms=NOW_MS)
    assert {d.name for d in told.dimensions} >= {"intent", "channel"}
    for d in told.dimensions:
        whole = sum(p.mix + p.within for p in d.parts)
        assert whole == pytest.approx(told.after - told.before, abs=1e-9), d.name


def test_labels_later_than_the_present_are_not_looked_at(stores):
    early = explain(stores, FINDING, Around(), ExplainPolicy(), now_ms=CHANGE_MS + DAY_MS)
    late = explain(stores, FINDING, Around(), ExplainPolicy(), now_ms=NOW_MS)
    assert 0 < early.n_after < late.n_after
    assert early.n_before == late.n_before


def test_without_labels_since_the_change_only_what_happened_is_told(stores):
    told = explain(stores, FINDING, Around(HAPPENED), ExplainPolicy(), now_ms=CHANGE_MS)
    assert told.n_after == 0
    assert told.dimensions == ()
    assert [h.name for h in told.near] == ["r2"]
    assert all("fell" not in s for s in told.sentences)


def test_an_explanation_comes_back_from_the_journal_as_it_was(stores):
    told = explain(stores, FINDING, Around(HAPPENED), ExplainPolicy(), now_ms=NOW_MS)
    stores.journal.watching.explain([told])
    kept = stores.journal.watching.explanation(FINDING.finding_id)
    assert repr(kept) == repr(told)  # by words: NaN is not equal to itself
    assert stores.journal.watching.explanation("nobody") is None


def test_no_slice_is_blamed_where_nothing_stands_out(tmp_path):
    stores, rnd = open_stores(tmp_path), random.Random(3)
    for number in range(80):
        time_ms = START_MS + int(rnd.random() * 30 * DAY_MS)
        add(stores, number, time_ms, rnd.choice(["vpn", "printer"]), rnd.random() < 0.8)
    stores.journal.settle(settled)
    told = explain(stores, FINDING, Around(), ExplainPolicy(), now_ms=NOW_MS)
    assert any("No single slice stands out" in s for s in told.sentences)
    stores.close()


def test_many_values_are_shown_as_the_largest_and_the_rest_in_one(tmp_path):
    stores, rnd = open_stores(tmp_path), random.Random(4)
    for number in range(120):
        time_ms = START_MS + int(rnd.random() * 30 * DAY_MS)
        add(stores, number, time_ms, f"intent-{number % 20}", rnd.random() < 0.8)
    stores.journal.settle(settled)
    told = explain(stores, FINDING, Around(), ExplainPolicy(), now_ms=NOW_MS)
    by_intent = next(d for d in told.dimensions if d.name == "intent")
    assert by_intent.parts[-1].value == "8 others"
    assert sum(p.mix + p.within for p in by_intent.parts) == pytest.approx(told.after - told.before, abs=1e-9)
    stores.close()


def test_only_what_moved_with_the_change_is_told_and_no_metric_explains_itself(tmp_path):
    """One account falls by far; the other, that falls a little, is not told, nor are intents for new domains."""
    made, rnd = open_stores(tmp_path), random.Random(3)
    for number in range(800):
        time_ms = START_MS + number * HOUR_MS * 720 // 800
        account = rnd.choice(["acme", "birch"])
        since = {"acme": 0.2, "birch": 0.8}[account] if time_ms >= CHANGE_MS else 0.9
        add(made, number, time_ms, "vpn", rnd.random() < since, account=account)
    made.journal.settle(settled)
    told = explain(made, FINDING, Around(), ExplainPolicy(), now_ms=NOW_MS)
    share = explain(made, replace(FINDING, metric="new_domain"), Around(), ExplainPolicy(), now_ms=NOW_MS)
    made.close()
    assert any(s.startswith("Account acme: ") for s in told.sentences)
    assert not any(s.startswith("Account birch: ") for s in told.sentences)
    assert "account" in {d.name for d in share.dimensions}
    assert "intent" not in {d.name for d in share.dimensions}
