"""One lap of the loop, and many on a simulated clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house import WORDS, examples, open_house, open_stores, texts, train

from noria.errors import DataError, NoRelease
from noria.loop import House, ReplayPolicy, replay, turn
from noria.loop.replay import served
from noria.records import Answer, Example, Ranked, StreamRow
from noria.release import consider, roll_out
from noria.stores import Stores

DAY_MS = 86_400_000


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(tmp_path)
    yield stores
    stores.close()


def live(stores: Stores, rows: list[Example] | None = None) -> House:
    house = open_house(stores)
    candidate = train(stores, rows or examples(), time_ms=0)
    verdict = consider(stores, candidate, [], house.policy.gate, time_ms=0)
    roll_out(stores, candidate, verdict, time_ms=0)
    return house


def stream(days: int, new_from: int) -> list[StreamRow]:
    """Ten queries an intent and day; the intent `phone`, unknown at first, from a day on."""
    rows = []
    for day in range(days):
        intents = [i for i in WORDS if i != "phone" or day >= new_from]
        for n in range(10 * len(intents)):
            intent = intents[n % len(intents)]
            pool = texts(WORDS[intent])
            text = f"{pool[(7 * day + n) % len(pool)]} today"
            rows.append(StreamRow(f"{day:02d}-{n:03d}", day * DAY_MS + n, "acme", text, intent, f"kb-{intent}"))
    return rows


def test_without_a_release_there_is_nothing_to_turn(stores: Stores) -> None:
    """Turning an empty home is an error that says what comes first."""
    with pytest.raises(NoRelease):
        turn(open_house(stores), now_ms=1, turn_id="t")
    with pytest.raises(NoRelease):
        replay(open_house(stores), stream(1, 9), ReplayPolicy())


def test_a_quiet_turn_trains_nothing_and_leaves_a_receipt(stores: Stores) -> None:
    """No labels: gather, monitor, plan and draw only; the receipt is stored."""
    house = live(stores)
    done = turn(house, now_ms=5, turn_id="t1")
    assert [r.room for r in done.receipts] == ["label.gather", "monitor", "update.topics", "update", "label.send"]
    assert done.verdict is None
    assert stores.journal.turns() == [done]


def test_the_loop_learns_a_new_intent_and_never_lowers_the_basket(stores: Stores) -> None:
    """From the day `phone` appears the frozen agent fails on it; the loop takes it in and answers it."""
    house = live(stores)
    result = replay(house, stream(12, 3), ReplayPolicy())
    assert [d.right_with for d in result.days[:3]] == [d.right_without for d in result.days[:3]]
    last = result.days[-1]
    assert last.right_without <= 0.8 * last.requests
    assert last.right_with >= 0.95 * last.requests
    current = stores.journal.current_release()
    assert current is not None
    assert current.release != "r0001"
    _, rows = stores.lake.examples(current.candidate.examples.name, current.candidate.examples.version)
    learnt = [r for r in rows if r.intent == "phone"]
    assert learnt
    assert all(r.origin.startswith("label:") for r in learnt)
    scores = [e.evidence for e in stores.journal.ledger() if e.kind == "release"]
    assert all(s["basket_score"] >= s["champion_basket_score"] for s in scores[1:])
    stores.journal.verify_ledger()


def test_a_replay_is_repeatable(tmp_path: Path) -> None:
    """The same data, stream and seeds give the same days and verdicts."""
    outcomes = []
    for name in ("a", "b"):
        stores = open_stores(tmp_path / name)
        (tmp_path / name).mkdir()
        result = replay(live(stores), stream(7, 2), ReplayPolicy(label_noise=0.1))
        outcomes.append(
            (
                result.days,
                [t.verdict for t in result.turns],
                [(e.kind, e.tag, e.evidence) for e in stores.journal.ledger()],
            )
        )
        stores.close()
    assert outcomes[0] == outcomes[1]


def test_labels_kept_for_the_gate_are_never_trained_on(stores: Stores) -> None:
    """No gate label's id is the origin of an example."""
    from noria.label import for_gate
    from noria.label.corrections import learnt_labels

    house = live(stores)
    replay(house, stream(8, 2), ReplayPolicy())
    kept = {j.label.label_id for j in stores.journal.judged(0, 2**62) if for_gate(j)}
    _, rows = stores.lake.examples("it")
    trained = learnt_labels(rows)
    assert kept
    assert trained <= {j.label.label_id for j in stores.journal.judged(0, 2**62)}
    assert len(trained) > len(kept)
    assert not kept & trained


def test_a_stream_without_intents_is_refused(stores: Stores) -> None:
    """Success cannot be told without the truth; the message says which field is missing."""
    with pytest.raises(DataError, match="intent"):
        replay(live(stores), [StreamRow("1", 1, "acme", "hi")], ReplayPolicy())


def test_served_means_the_right_intent_and_article() -> None:
    """Where the right article is known it must be among those shown."""
    row = StreamRow("1", 1, "acme", "x", "vpn", "kb-1")
    answer = Answer("answer", "vpn", 0.9, 1.0, True, (Ranked("kb-2", 1.0), Ranked("kb-1", 0.5)))
    assert served(row, answer)
    assert not served(StreamRow("1", 1, "acme", "x", "vpn", "none"), answer)
    assert not served(StreamRow("1", 1, "acme", "x", "wifi"), answer)
    assert served(StreamRow("1", 1, "acme", "x", "vpn"), answer)
    assert not served(row, Answer("clarify", "vpn", 0.4, 1.0, True, choices=("vpn", "wifi")))
