"""Labels from where a candidate answers unlike what is live: drawn, gathered, and told of all traffic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house import WORDS, examples, open_house, open_stores, texts, train

from noria.errors import StateError
from noria.label import gather
from noria.label.drawing.comparing import ENOUGH
from noria.loop import House, turn
from noria.loop.candidates.comparing import apart_rows, ask_apart, compared
from noria.loop.turn import fresh_rows
from noria.records import Candidate, Label, LabelTask, Prediction, Query
from noria.release import GatePolicy, consider, load_agent, roll_out
from noria.release.certificate import PAIRS
from noria.release.proof import prove
from noria.stores import Stores

NOW_MS = 10_000_000


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(tmp_path)
    yield stores
    stores.close()


def _live(stores: Stores, wrong: float, policy: GatePolicy) -> House:
    """A house whose live agent learnt a share of wrong labels."""
    house = open_house(stores, gate=policy)
    candidate = train(stores, examples(wrong=wrong), time_ms=0)
    roll_out(stores, candidate, consider(stores, candidate, [], policy, time_ms=0), time_ms=0)
    return house


def _traffic(stores: Stores, candidate: Candidate, ends: tuple[str, ...] = ("right now",)) -> dict[str, str]:
    """Queries of three intents, answered by the live agent; prediction id → the truth."""
    asked = [(i, f"{text} {end}") for end in ends for i in list(WORDS)[:3] for text in texts(WORDS[i])]
    answers = load_agent(stores, candidate).answer_all([text for _, text in asked], ["acme"] * len(asked))
    rows = [
        Prediction(f"p{n:03d}", Query(f"p{n:03d}", "acme", "s", text, NOW_MS - 1000 + n), answer, "r0001", 0.0)
        for n, ((_, text), answer) in enumerate(zip(asked, answers, strict=True))
    ]
    stores.journal.add_predictions(rows)
    return {row.prediction_id: intent for row, (intent, _) in zip(rows, asked, strict=True)}


def _label(task: LabelTask, intent: str) -> Label:
    return Label(
        f"l-{task.task_id}", task.task_id, task.prediction_id, "ada", "in_scope", intent, (), None, NOW_MS + 1
    )  # fmt: skip


def test_labels_from_where_answers_differ_settle_what_uniform_ones_would_not(stores: Stores) -> None:
    """A better candidate lacks labels; with all queries labelled on which it differs, the gate knows all pairs."""
    policy = GatePolicy(margin=0.2, fresh_margin=0.1, cycles=1, require_fresh=True, min_fresh=5, fresh_days=1)
    house = _live(stores, 0.5, policy)
    live = stores.journal.current_release()
    assert live is not None
    better = train(stores, examples(), time_ms=1)
    truth = _traffic(stores, live.candidate)
    first = consider(stores, better, [], policy, time_ms=NOW_MS)
    assert first.kind == "hold"

    asked = ask_apart(house, better, size=1000, now_ms=NOW_MS)
    assert 0 < asked.differing == asked.asked < asked.traffic == len(truth)
    assert ask_apart(house, better, size=1000, now_ms=NOW_MS).asked == asked.asked
    tasks = stores.journal.open_tasks(limit=1000)
    assert len(tasks) == asked.asked
    assert not any(task.show_prediction for task in tasks)
    assert {task.purpose for task in tasks} == {"explore"}

    stores.journal.add_labels([_label(task, truth[task.prediction_id]) for task in tasks[:1]])
    gather(stores, house.desk)
    assert apart_rows(house, better, stores.journal.judged(0, NOW_MS)) is None, f"fewer than {ENOUGH} are labelled"
    stores.journal.add_labels([_label(task, truth[task.prediction_id]) for task in tasks[1:]])
    gather(stores, house.desk)
    judged = stores.journal.judged(0, NOW_MS)
    found = compared(house, better, judged)
    assert found is not None
    assert found.ready

    apart = apart_rows(house, better, judged)
    assert apart is not None
    fresh = fresh_rows(house, judged, better, NOW_MS)
    verdict = consider(stores, better, fresh, policy, time_ms=NOW_MS, differing=apart)
    old, new = (load_agent(stores, c).answer_all([p.query.text for p in stores.journal.predictions(0, NOW_MS)])
                for c in (live.candidate, better))  # fmt: skip
    rights = [
        (a.decision == "answer" and a.intent == intent, b.decision == "answer" and b.intent == intent)
        for a, b, intent in zip(old, new, truth.values(), strict=True)
    ]
    (line,) = verdict.evidence["gate"]["lines"]
    census = {"b": sum(a and not b for a, b in rights), "c": sum(b and not a for a, b in rights), "n": len(truth)}
    assert line["champion"] == census
    assert verdict.kind == "promote"
    assert "labels from where answers differ" in " ".join(check.sentence for check in verdict.checks)
    roll_out(stores, better, verdict, time_ms=NOW_MS)
    assert prove(stores).bounds == 1

    # what was compared with another champion does not judge
    other = train(stores, examples(wrong=0.1), time_ms=2)
    ask_apart(house, other, size=10, now_ms=NOW_MS)
    assert apart_rows(house, better, judged) is None


def test_outcomes_that_were_changed_afterwards_are_found(stores: Stores) -> None:
    """The proof counts the labels of a comparison again."""
    policy = GatePolicy(margin=0.2, fresh_margin=0.1, cycles=1, min_fresh=1, fresh_days=1)
    house = _live(stores, 0.5, policy)
    live = stores.journal.current_release()
    assert live is not None
    better = train(stores, examples(), time_ms=1)
    truth = _traffic(stores, live.candidate)
    ask_apart(house, better, size=1000, now_ms=NOW_MS)
    stores.journal.add_labels(
        [_label(task, truth[task.prediction_id]) for task in stores.journal.open_tasks(limit=1000)]
    )
    gather(stores, house.desk)
    judged = stores.journal.judged(0, NOW_MS)
    verdict = consider(
        stores, better, [], policy, time_ms=NOW_MS, differing=apart_rows(house, better, judged)
    )  # fmt: skip
    pairs = json.loads(stores.blobs.get(str(verdict.evidence["pairs"]))[PAIRS])
    pairs["apart"][0][1] = not pairs["apart"][0][1]
    forged = {**verdict.evidence, "pairs": stores.blobs.put({PAIRS: json.dumps(pairs).encode()})}
    roll_out(stores, better, type(verdict)(verdict.kind, verdict.reason, verdict.checks, verdict.basket_score,
                                           verdict.champion_basket_score, forged), time_ms=NOW_MS)  # fmt: skip
    with pytest.raises(StateError, match="counts against the champion"):
        prove(stores)


def test_what_a_candidate_learnt_from_is_not_compared(stores: Stores) -> None:
    """Queries whose labels are among its training rows are left out of the traffic."""
    policy = GatePolicy(margin=0.2, fresh_days=1)
    house = _live(stores, 0.5, policy)
    live = stores.journal.current_release()
    assert live is not None
    _traffic(stores, live.candidate)
    rows = examples()
    learnt = [type(rows[0])("x", "vpn right now", "vpn", "train", origin="label:l1?task=t&prediction=p003&release=r")]
    candidate = train(stores, [*rows, *learnt], time_ms=1)
    whole = len(stores.journal.predictions(0, NOW_MS))
    assert ask_apart(house, candidate, size=5, now_ms=NOW_MS).traffic == whole - 1


def test_without_a_live_release_there_is_nothing_to_compare_with(stores: Stores) -> None:
    """The first release needs none."""
    house = open_house(stores)
    with pytest.raises(StateError, match="nothing is live"):
        ask_apart(house, train(stores, examples()), size=5, now_ms=NOW_MS)


def test_the_loop_asks_for_the_labels_that_a_held_candidate_lacks(stores: Stores) -> None:
    """Held, asked about where it differs, waited for, judged again and released; no other candidate meanwhile."""
    policy = GatePolicy(
        margin=0.2, fresh_margin=0.1, cycles=1, require_fresh=True, min_fresh=5, fresh_days=30, compare_labels=1000
    )
    house = _live(stores, 0.5, policy)
    live = stores.journal.current_release()
    assert live is not None
    truth = _traffic(stores, live.candidate, ("right now", "once more", "since noon"))
    first = turn(house, now_ms=NOW_MS, turn_id="t1")
    assert first.verdict is None
    drawn = stores.journal.open_tasks(limit=1000)
    stores.journal.add_labels([_label(task, truth[task.prediction_id]) for task in drawn])
    second = turn(house, now_ms=NOW_MS + 1, turn_id="t2")
    assert second.verdict == "hold"
    (asked,) = (r for r in second.receipts if r.room == "label.compare")
    tag = asked.ids["tag"]
    assert asked.counts["tasks"] == asked.counts["differing"] > 0

    third = turn(house, now_ms=NOW_MS + 2, turn_id="t3")
    assert third.verdict is None
    (told,) = (r for r in third.receipts if r.room == "update")
    assert told.ids["plan"].startswith(f"{tag} waits for labels where it answers unlike r0001: 0 of ")

    mine = [t for t in stores.journal.open_tasks(limit=1000) if t.stratum == "compare"]
    stores.journal.add_labels([_label(task, truth[task.prediction_id]) for task in mine])
    fourth = turn(house, now_ms=NOW_MS + 3, turn_id="t4")
    assert fourth.verdict == "promote"
    now = stores.journal.current_release()
    assert now is not None
    assert now.candidate.tag == tag
    assert prove(stores).bounds >= 1
