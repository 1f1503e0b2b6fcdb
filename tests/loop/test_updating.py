"""The update half of a turn: topics that become intents, faults that are told, the backlog."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.house import WORDS, examples, open_house, open_stores, texts, train

from noria.errors import NotFound, OutsideError, UsageError
from noria.label import gather
from noria.loop import House, turn
from noria.loop.candidates.basket import grow
from noria.loop.candidates.learning import learn_quickly
from noria.loop.updating import find_now, open_backlog, triage
from noria.records import DAY_MS, Example, Finding, Label, Prediction, Query
from noria.release import consider, load_agent, roll_out
from noria.stores import Stores
from noria.update import DiscoveryPolicy
from noria.update.topics import decide, known_topics


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(tmp_path)
    yield stores
    stores.close()


class Meaning:
    """A made-up encoder that knows what each of the words is about, and tells frames apart a little."""

    spec, fingerprint, dim, sentence_dim = "meaning", "m" * 64, len(WORDS) + 40, len(WORDS) + 40

    def encode(self, asked: Sequence[str], kind: str) -> np.ndarray:
        rows = np.zeros((len(asked), self.dim), np.float32)
        for row, text in zip(rows, asked, strict=True):
            for place, words in enumerate(WORDS.values()):
                row[place] = any(w in text for w in words)
            rest = " ".join(w for w in text.split() if not any(w in " ".join(ws).split() for ws in WORDS.values()))
            row[len(WORDS) + zlib.crc32(rest.encode()) % 40] = 0.5
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def house(stores: Stores) -> House:
    house = replace(open_house(stores, discovery=DiscoveryPolicy(topic_size=8)), topic_encoder=lambda: (Meaning(), ""))
    candidate = train(stores, examples(), time_ms=0)
    roll_out(stores, candidate, consider(stores, candidate, [], house.policy.gate, time_ms=0), time_ms=0)
    return house


def ask(house: House, questions: list[str], day: int, prefix: str = "p") -> None:
    """Queries of a day, answered by the live agent and logged."""
    live = house.stores.journal.current_release()
    assert live is not None
    answers = load_agent(house.stores, live.candidate).answer_all(questions)
    rows = []
    for n, (text, answer) in enumerate(zip(questions, answers, strict=True)):
        query = Query(f"q{prefix}{day}-{n}", "acme", "s", text, day * DAY_MS + n)
        rows.append(Prediction(f"{prefix}{day}-{n}", query, answer, live.release, 1.0))
    house.stores.journal.add_predictions(rows)


def test_a_topic_that_a_person_accepts_is_answered_after_the_next_turn(house: House) -> None:
    """Queries nobody declared are found as one topic, named, accepted, learnt, released and answered."""
    stores = house.stores
    ask(house, texts(WORDS["phone"]) + texts(WORDS["vpn"]), day=1)
    live = stores.journal.current_release()
    assert live is not None
    found = find_now(house, live, now_ms=2 * DAY_MS)
    assert found, "the unknown queries are found"
    assert {m for t in found for m in t.members} <= {f"p1-{n}" for n in range(25)}, "and no others"
    for topic in found:
        decide(stores, topic.topic_id, "accepted", intent="phone", scope=list(WORDS)[:3], time_ms=2 * DAY_MS)
    done = turn(house, now_ms=3 * DAY_MS, turn_id="t1")
    assert (done.verdict, done.release) == ("promote", "r0002")
    again = stores.journal.current_release()
    assert again is not None
    answer = load_agent(stores, again.candidate).answer("roaming fails since today")
    assert (answer.intent, answer.decision) == ("phone", "answer")
    _, rows = stores.lake.examples("it")
    assert {r.origin.split("?")[0] for r in rows if r.intent == "phone"} == {f"topic:{t.topic_id}" for t in found}
    _, basket = stores.lake.examples("it-basket")
    grown = [r for r in basket if r.intent == "phone"]
    assert 0 < len(grown) <= 10, "the accepted intent is judged from now on"
    assert {r.id for r in grown} <= {r.id for r in rows if r.split == "test"}, "by rows that nothing learns from"
    quiet = turn(house, now_ms=4 * DAY_MS, turn_id="t2")
    assert quiet.verdict is None, "what is learnt is not learnt twice"
    assert [i.kind for i in open_backlog(house, [], now_ms=4 * DAY_MS)] == ["done"] * len(found)


def test_decisions_on_topics_are_checked(house: House) -> None:
    stores = house.stores
    ask(house, texts(WORDS["phone"]), day=1)
    live = stores.journal.current_release()
    assert live is not None
    [topic, *_] = find_now(house, live, now_ms=2 * DAY_MS)
    with pytest.raises(NotFound, match="topic"):
        decide(stores, "topic-0", "dismissed", time_ms=1)
    with pytest.raises(NotFound, match="intent in scope"):
        decide(stores, topic.topic_id, "merged", intent="vpm", scope=["vpn"], time_ms=1)
    for name in ("", "oos", "vpn"):
        with pytest.raises(UsageError, match="cannot be the name"):
            decide(stores, topic.topic_id, "accepted", intent=name, scope=["vpn"], time_ms=1)
    decide(stores, topic.topic_id, "dismissed", time_ms=1)
    assert {t.topic_id: t.status for t in find_now(house, live, now_ms=2 * DAY_MS)}[topic.topic_id] == "dismissed"
    assert topic.topic_id not in {i.item_id for i in open_backlog(house, [], now_ms=2 * DAY_MS)}


def test_a_turn_looks_for_topics_as_often_as_it_is_told(house: House) -> None:
    weekly = replace(house, policy=replace(house.policy, discovery=DiscoveryPolicy(topic_every_days=7)))
    rooms = [[r.room for r in turn(weekly, now_ms=d * DAY_MS, turn_id=f"t{d}").receipts] for d in (1, 2, 8)]
    assert ["update.topics" in r for r in rooms] == [True, False, True]
    assert known_topics(house.stores) == []


def test_a_release_that_broke_something_is_told_as_a_fault(house: House) -> None:
    """r2 was trained on wrong labels; queries since it went live fail that r1 answers."""
    stores = house.stores
    bad = train(stores, examples(wrong=0.9), time_ms=5 * DAY_MS, articles=False)
    # past the gate, as an older product or a hand in the database might do
    stores.journal.record_release(kind="release", time_ms=5 * DAY_MS, release="r0002", candidate=bad, evidence={})
    questions = [f"{t} now" for i in ("vpn", "printer", "password") for t in texts(WORDS[i])]
    ask(house, questions, day=6)
    turn(house, now_ms=7 * DAY_MS, turn_id="t1")
    tasks = stores.journal.open_tasks(limit=1000)
    truth = {f"p6-{n}": i for n, i in enumerate(i for i in ("vpn", "printer", "password") for _ in texts(WORDS[i]))}
    labels = []
    for task in tasks:
        made = (task.task_id, task.prediction_id, "ann", "in_scope", truth[task.prediction_id], (), None)
        labels.append(Label(f"l{task.task_id}", *made, task.created_ms))
    stores.journal.add_labels(labels)
    gather(stores, house.desk, house.policy.settling)
    at = 5 * DAY_MS
    stores.journal.add_findings([Finding("f", "success", 7 * DAY_MS, at, at - 9, at + 9, 0.9, 0.2, "it fell")])
    judged = stores.journal.judged(0, 8 * DAY_MS)
    [said] = triage(house, judged)
    assert said.cause == "fault", said.sentence
    assert "r0001 answers" in said.sentence
    assert open_backlog(house, judged, now_ms=8 * DAY_MS)[0].kind == "incident"


def test_a_label_desk_out_of_reach_does_not_stop_the_turn(house: House) -> None:
    """The turn goes on with the labels it has, and says so."""

    class Down:
        def __getattr__(self, name: str) -> object:
            raise OutsideError("no route to the desk", retry_helps=True)

    ask(house, texts(WORDS["vpn"]), day=1)
    done = turn(replace(house, desk=Down()), now_ms=2 * DAY_MS, turn_id="t1")  # type: ignore[arg-type]
    assert [r.room for r in done.receipts if r.warnings] == ["label.gather", "label.send"]
    assert "next turn tries again" in done.receipts[0].warnings[0]


def test_between_full_trainings_corrections_are_learnt_by_a_warm_start(house: House) -> None:
    """Accepted topics go live warm; after a week of warm starts a full training is due and takes their place."""
    stores = house.stores
    turn(house, now_ms=DAY_MS, turn_id="t0")
    ask(house, texts(WORDS["phone"]), day=1)
    live = stores.journal.current_release()
    assert live is not None
    for topic in find_now(house, live, now_ms=2 * DAY_MS):
        decide(stores, topic.topic_id, "accepted", intent="phone", scope=[], time_ms=2 * DAY_MS)
    turn(house, now_ms=3 * DAY_MS, turn_id="t1")
    warm = stores.journal.current_release()
    assert warm is not None
    assert warm.candidate.metrics["warm_started_rows"] > 0
    assert turn(house, now_ms=4 * DAY_MS, turn_id="t2").verdict is None
    done = turn(house, now_ms=11 * DAY_MS, turn_id="t3")
    assert "a full training is due" in done.receipts[3].ids["plan"]
    full = stores.journal.current_release()
    assert full is not None
    assert "warm_started_rows" not in full.candidate.metrics
    assert load_agent(stores, full.candidate).answer("roaming fails since today").intent == "phone"


def test_what_the_gate_turned_away_is_not_built_upon(house: House) -> None:
    """After a verdict that was no release the next candidate is trained in full."""
    stores = house.stores
    live = stores.journal.current_release()
    assert live is not None
    stores.journal.record_release(kind="hold", time_ms=DAY_MS, release=None, candidate=live.candidate, evidence={})
    data = stores.lake.resolve("examples", "it")
    rows = examples(("vpn",))
    assert learn_quickly(house, live, rows, data, now_ms=2 * DAY_MS) is None


def test_the_basket_takes_no_rows_that_models_learn_from_and_few_of_each_intent(house: House) -> None:
    stores = house.stores
    rows = [
        Example(f"topic-p{n}", f"sim card {n}", "phone", "test", origin=f"topic:t?prediction=p{n}") for n in range(30)
    ]
    rows.append(Example("topic-q", "SIM card 3!", "phone", "train", origin="topic:t?prediction=q"))
    rows.append(Example("late", "a late test row", "vpn", "test", origin="file.csv"))
    at = stores.lake.write_examples("it", rows, mode="append", note={}, time_ms=5)
    assert grow(stores, at, [], time_ms=6) == 10
    assert grow(stores, at, [], time_ms=7) == 0
    _, basket = stores.lake.examples("it-basket")
    added = {r.id for r in basket if r.id.startswith(("topic-", "late"))}
    assert len(added) == 10
    assert not added & {"topic-p3", "topic-q", "late"}
