"""A real home with weeks of traffic, labels, a finding with its cause, releases: what the dashboard shows."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.app.made_up_house import MadeUpService
from tests.house import open_house, open_stores
from tests.monitor.test_windows import settled

from noria.app.home import open_home
from noria.app.wiring import LiveHouse
from noria.loop.watching import watch
from noria.records import DAY_MS, Answer, Candidate, DataVersion, Feedback, Finding, Label, LabelTask, Prediction, Query
from noria.records.findings import Alert

START_MS = 1_767_571_200_000  # 5 January 2026, a Monday
CHANGE_DAY, DAYS = 30, 42
END_MS = START_MS + DAYS * DAY_MS
FINDING_ID = "success-1"
PROBE = "<img src=x onerror=\"document.title='broken'\">"
INTENTS = ("password_reset", "vpn_slow", "printer_jam", "order_laptop", "mail_full")


def make_watched_home(folder: Path, *, a_day: int = 60, labelled: float = 0.5) -> Path:
    """Queries of three accounts; from a day on one intent is answered wrongly, a day after a release."""
    stores, rnd = open_stores(folder), random.Random(11)
    made, tasks, labels = [], [], []
    for number in range(a_day * DAYS):
        time_ms = START_MS + int(rnd.random() * DAYS * DAY_MS)
        broken = time_ms >= START_MS + CHANGE_DAY * DAY_MS
        intent = rnd.choice(INTENTS)
        right = rnd.random() < (0.25 if broken and intent == "vpn_slow" else 0.88)
        p = _prediction(number, time_ms, intent if right else "mail_full", broken, rnd)
        made.append(p)
        if rnd.random() < labelled:
            tasks.append(_task(p, rnd.choice([0.3, 0.6])))
            relevance = "in_scope" if rnd.random() < 0.9 else "new_domain"
            said = intent if relevance == "in_scope" else None
            labels.append(Label(f"l-{p.prediction_id}", f"t-{p.prediction_id}", p.prediction_id, "ann", relevance, said,
                                (), right, time_ms))  # fmt: skip
    stores.journal.add_predictions(made)
    stores.journal.add_feedback(
        [Feedback(f"e-{p.prediction_id}", p.prediction_id, "helpful", p.query.time_ms + 1) for p in made[::7]]
    )
    stores.journal.add_tasks(tasks)
    stores.journal.add_labels(labels)
    stores.journal.settle(settled)
    _releases(stores)
    at = START_MS + CHANGE_DAY * DAY_MS
    stores.journal.add_findings([
        Finding(FINDING_ID, "success", at + 4 * DAY_MS, at, at - DAY_MS, at + 2 * DAY_MS, 0.87, 0.74,
                "Success on in-scope queries fell from 87 % to 74 % of such queries."),
    ])  # fmt: skip
    stores.journal.watching.keep_alerts(
        [Alert(FINDING_ID, "high", "open", (FINDING_ID,), "Success fell.", at + 4 * DAY_MS, at + 4 * DAY_MS)]
    )
    stores.journal.set_state("update.backlog", {"time_ms": END_MS, "items": [_item()]})
    watch(open_house(stores), now_ms=END_MS)
    stores.close()
    (folder / "home.json").write_text(json.dumps({"layout": 1}))
    return folder


def _prediction(number: int, time_ms: int, predicted: str, broken: bool, rnd: random.Random) -> Prediction:
    text = f"my {predicted.replace('_', ' ')} fails, call me at ann{number}@example.com"
    if broken and predicted == "vpn_slow":
        text = f"passkey prompt loops {number}"
    if number == 5:
        text = PROBE
    account = rnd.choice(["acme", "acme", "birch", "cedar"])
    query = Query(f"q{number}", account, f"s{number}", text, time_ms, rnd.choice(["chat", "mail"]), "en")
    decision = rnd.choice(["answer", "answer", "answer", "clarify", "handoff"])
    confidence = min(0.99, max(0.05, rnd.gauss(0.6 if broken else 0.8, 0.15)))
    answer = Answer(decision, predicted, confidence, rnd.gauss(1, 1), in_scope=True, scores={"intent": confidence},
                    thresholds={"intent": 0.5})  # fmt: skip
    return Prediction(f"p{number:05d}", query, answer, "r2" if broken else "r1", 2 + 8 * rnd.random())


def _task(p: Prediction, chance: float) -> LabelTask:
    name, a = p.prediction_id, p.answer
    return LabelTask(f"t-{name}", name, p.query.account, p.query.text, a.intent, "answer", (), p.release,
                     p.query.time_ms, "s", chance, 1, "d", INTENTS, 0)  # fmt: skip


def _releases(stores) -> None:
    data = DataVersion("examples", "it", 1, 10, "0" * 64)
    for name, day, why in (("r1", 0, "The first model."), ("r2", CHANGE_DAY - 1, "Better by 2.1 points.")):
        candidate = Candidate(f"it.{name}", "run", "0" * 64, data, None, {}, {}, 1)
        stores.journal.record_release(
            kind="release", time_ms=START_MS + day * DAY_MS, release=name, candidate=candidate,
            evidence={"reason": why, "basket_score": 0.81},
        )  # fmt: skip


def _item() -> dict[str, object]:
    return {
        "intent": "lease_car", "labels": 9, "first_seen_ms": START_MS, "examples": ["can I lease a car"],
        "kind": "new_domain", "item_id": "topic-1", "title": "lease a car", "weekly": 31.0, "trend": "growing",
        "effort_hours": 2.5, "gain_weekly": 24.0, "evidence": "9 labels name it.", "outcome": "",
    }  # fmt: skip


class WatchedHouse(LiveHouse):
    """A live house on that home; what answers is made up, since no model was trained."""

    service = MadeUpService("r2")


def open_watched(folder: Path) -> WatchedHouse:
    return WatchedHouse(open_home(folder))
